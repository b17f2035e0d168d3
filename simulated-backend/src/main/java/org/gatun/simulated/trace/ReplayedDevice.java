package org.gatun.simulated.trace;

import java.util.Optional;
import org.gatun.pci.Bar;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.Interrupts;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.spi.ResourceTracker;
import org.gatun.simulated.trace.Access.Kind;

/**
 * A recording, played to a driver: a device that answers as the one did that was recorded, as long
 * as the driver does to it what was done then. As soon as it does something else, that throws a
 * {@link ReplayMismatchException}; so does each use from then on, and {@link #close}, also if the
 * driver has left something out: a driver that swallows one does not pass.
 *
 * <p>What the device did, it does again as soon as the driver has done what came before. DMA memory
 * is at the bus addresses of the recording. What the driver has written into it is compared each
 * time that it tells the device something.
 *
 * <p>Any thread; but where several use it, what was recorded is one order of many.
 */
public final class ReplayedDevice implements PciDevice {
  private final DeviceName name;
  private final RecordedDevice recorded;
  private final ResourceTracker given;
  private final ReplayedSignals signals = new ReplayedSignals();
  private final Script script;
  private final DmaSpace dma;
  private final ReplayedInterrupts interrupts;
  private volatile boolean closed;

  /**
   * @param name by which the device goes now
   * @param time in which a driver waits for interrupts that do not come
   */
  public ReplayedDevice(DeviceName name, Recording recording, TimeSource time) {
    this.name = name;
    this.recorded = recording.device();
    this.given = new ResourceTracker(name);
    ReplayedMemory memory = new ReplayedMemory();
    this.script = new Script(name, recording, memory, signals);
    this.dma = new ReplayedDmaSpace(this, script, memory, recorded.usable(), given);
    this.interrupts = new ReplayedInterrupts(this, recorded.vectors(), script, signals, time);
  }

  /**
   * Looks whether the driver has done all that was recorded, and nothing else.
   *
   * @throws ReplayMismatchException if it has not
   */
  public void verify() {
    ReplayMismatchException verdict = script.verdict();
    if (verdict != null) {
      throw verdict;
    }
  }

  @Override
  public DeviceName name() {
    return name;
  }

  @Override
  public ConfigSpace config() {
    check("config space");
    return new ReplayedConfig();
  }

  @Override
  public Optional<Bar> bar(int index) {
    if (index < 0 || index > 5) {
      throw new IllegalArgumentException(name + ": a device has BARs 0 to 5, not " + index);
    }
    check("BAR " + index);
    return recorded.bars().stream()
        .filter(bar -> bar.index() == index)
        .<Bar>map(bar -> new ReplayedBar(this, bar, given))
        .findFirst();
  }

  @Override
  public DmaSpace dma() {
    check("DMA");
    return dma;
  }

  @Override
  public Interrupts interrupts() {
    check("interrupts");
    return interrupts;
  }

  @Override
  public void busMaster(boolean on) {
    act(new Access(Kind.BUS_MASTER, 0, 0, 0, on ? 1 : 0));
  }

  @Override
  public void reset() {
    act(new Access(Kind.RESET, 0, 0, 0, 0));
    interrupts.end();
  }

  /** Nobody wants it back. */
  @Override
  public void onDetach(DetachListener listener) {
    check("listening for its removal");
  }

  @Override
  public Usage usage() {
    return given.usage(interrupts.enabled());
  }

  /**
   * @throws ReplayMismatchException as {@link #verify}, at the first call
   */
  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
    }
    interrupts.end();
    given.closeAll();
    verify();
  }

  @Override
  public String toString() {
    return name.toString();
  }

  void check(String operation) {
    if (closed) {
      throw new DeviceGoneException(name, operation, null);
    }
  }

  long read(Access access) {
    check("a read");
    long value = script.read(access);
    signals.signalDue();
    return value;
  }

  void act(Access access) {
    check(access.toString());
    script.act(access);
    signals.signalDue();
  }

  private final class ReplayedConfig implements ConfigSpace {
    @Override
    public int size() {
      return recorded.config().length;
    }

    @Override
    public int read(int offset, int width) {
      ConfigSpace.check(offset, width, size());
      return (int) ReplayedDevice.this.read(new Access(Kind.READ, Access.CONFIG, offset, width, 0));
    }

    @Override
    public void write(int offset, int width, int value) {
      ConfigSpace.check(offset, width, size());
      act(new Access(Kind.WRITE, Access.CONFIG, offset, width, value));
    }
  }
}
