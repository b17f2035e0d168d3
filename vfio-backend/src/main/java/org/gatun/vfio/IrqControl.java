package org.gatun.vfio;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.gatun.nativeaccess.Errno;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.HeldFds;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.vfio.common.InfoStruct;
import org.gatun.vfio.common.Irqs;
import org.gatun.vfio.common.Vfio;

/** The interrupts of a VFIO device, through its descriptor. */
record IrqControl(Fd device) implements Irqs {
  @Override
  public int count(int index) {
    try (Arena arena = Arena.ofConfined()) {
      InfoStruct info =
          InfoStruct.query(device, Vfio.DEVICE_GET_IRQ_INFO, Vfio.IRQ_INFO, index, arena);
      return (info.getInt("flags") & Vfio.IRQ_INFO_EVENTFD) != 0
          ? Math.max(0, info.getInt("count"))
          : 0;
    } catch (LinuxException e) {
      // So the kernel answers for the error interrupt of a device that is not PCI Express.
      if (e.errno() == Errno.EINVAL) {
        return 0;
      }
      throw e;
    }
  }

  @Override
  public int connect(int index, int start, List<Fd> events) {
    long data = Vfio.IRQ_SET.byteSize();
    try (Arena arena = Arena.ofConfined();
        HeldFds held = HeldFds.of(events)) {
      MemorySegment set =
          header(
              arena,
              Vfio.IRQ_SET_DATA_EVENTFD | Vfio.IRQ_SET_ACTION_TRIGGER,
              index,
              start,
              events.size(),
              data + 4L * events.size());
      for (int i = 0; i < events.size(); i++) {
        set.set(JAVA_INT, data + 4L * i, held.number(i));
      }
      return device.ioctl(Vfio.DEVICE_SET_IRQS, set);
    }
  }

  @Override
  public void disable(int index) {
    send(Vfio.IRQ_SET_ACTION_TRIGGER, index, 0);
  }

  @Override
  public void mask(int index, boolean on) {
    send(on ? Vfio.IRQ_SET_ACTION_MASK : Vfio.IRQ_SET_ACTION_UNMASK, index, 1);
  }

  private void send(int action, int index, int count) {
    try (Arena arena = Arena.ofConfined()) {
      device.ioctl(
          Vfio.DEVICE_SET_IRQS,
          header(arena, Vfio.IRQ_SET_DATA_NONE | action, index, 0, count, Vfio.IRQ_SET.byteSize()));
    }
  }

  private static MemorySegment header(
      Arena arena, int flags, int index, int start, int count, long size) {
    MemorySegment set = arena.allocate(size, Integer.BYTES);
    set.set(JAVA_INT, Vfio.offset(Vfio.IRQ_SET, "argsz"), (int) size);
    set.set(JAVA_INT, Vfio.offset(Vfio.IRQ_SET, "flags"), flags);
    set.set(JAVA_INT, Vfio.offset(Vfio.IRQ_SET, "index"), index);
    set.set(JAVA_INT, Vfio.offset(Vfio.IRQ_SET, "start"), start);
    set.set(JAVA_INT, Vfio.offset(Vfio.IRQ_SET, "count"), count);
    return set;
  }
}
