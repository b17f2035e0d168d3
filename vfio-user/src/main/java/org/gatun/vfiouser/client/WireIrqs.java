package org.gatun.vfiouser.client;

import java.util.List;
import java.util.stream.IntStream;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.vfio.common.Irqs;
import org.gatun.vfio.common.Vfio;
import org.jspecify.annotations.Nullable;

/** The interrupts of a device, as its server sees them. How many there are, it is asked once. */
final class WireIrqs implements Irqs {
  /** More no device has (PCI Local Bus Specification 3.0, 6.8.2.3). */
  private static final int LIMIT = 2048;

  /** Vectors of a device need one each, and one more while masked; so do its two notifications. */
  private static final int EVENTS_FOR_NOTIFICATIONS = 4;

  private final Wire wire;
  private final @Nullable InheritedEvents inherited;
  private final int[] counts;

  /**
   * @param indexes that the server has
   * @param inherited what is used in the place of new eventfds, null to make those
   */
  WireIrqs(Wire wire, int indexes, @Nullable InheritedEvents inherited) {
    this.wire = wire;
    this.inherited = inherited;
    this.counts = IntStream.range(0, indexes).map(index -> count(wire, index)).toArray();
  }

  private static int count(Wire wire, int index) {
    long info = wire.irqInfo(index);
    boolean byEvents = (info >>> 32 & Vfio.IRQ_INFO_EVENTFD) != 0;
    return byEvents ? (int) Math.min(info & 0xffff_ffffL, LIMIT) : 0;
  }

  @Override
  public int count(int index) {
    if (index >= counts.length) {
      return 0;
    }
    InheritedEvents events = inherited;
    return events == null
        ? counts[index]
        : Math.min(counts[index], Math.max(0, events.count() - EVENTS_FOR_NOTIFICATIONS) / 2);
  }

  @Override
  public int connect(int index, int start, List<Fd> events) {
    if (inherited != null) {
      wire.setIrqs(
          Vfio.IRQ_SET_DATA_EVENTFD | Vfio.IRQ_SET_ACTION_TRIGGER,
          index,
          start,
          inherited.places(events));
      return 0;
    }
    int atATime = wire.descriptorsAtATime();
    for (int i = 0; i < events.size(); i += atATime) {
      List<Fd> some = events.subList(i, Math.min(i + atATime, events.size()));
      boolean done = false;
      try {
        wire.setIrqs(
            Vfio.IRQ_SET_DATA_EVENTFD | Vfio.IRQ_SET_ACTION_TRIGGER,
            index,
            start + i,
            some.size(),
            some);
        done = true;
      } finally {
        if (!done && i > 0) {
          disableAfterFailure(index);
        }
      }
    }
    return 0;
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
    wire.setIrqs(Vfio.IRQ_SET_DATA_NONE | action, index, 0, count, List.of());
  }

  private void disableAfterFailure(int index) {
    try {
      disable(index);
    } catch (LinuxException _) {
      // What failed before says more.
    }
  }

  /** The server has it too, and may clear its O_NONBLOCK and fill it. */
  @Override
  public EventFd newEvent(String description) {
    return inherited != null ? inherited.lend(description) : EventFd.createToShare(description);
  }
}
