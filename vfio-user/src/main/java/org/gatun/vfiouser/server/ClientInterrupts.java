package org.gatun.vfiouser.server;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.gatun.nativeaccess.Errno;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.WrongDescriptorException;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.Vector;
import org.gatun.vfio.common.Vfio;
import org.gatun.vfiouser.server.ClientEvents.ClientEvent;
import org.gatun.vfiouser.wire.Refusal;
import org.jspecify.annotations.Nullable;

/**
 * What one client set for the interrupts (vfio-user specification, "VFIO_USER_DEVICE_SET_IRQS"; the
 * kernel's {@code vfio_pci_set_irqs_ioctl}). For the thread of the session, apart from {@link
 * #deviceRequested} and {@link #deviceFailed}.
 *
 * <p>A client assigns eventfds one by one, a device enables its vectors at once. So of MSI-X all
 * are enabled with the first; of MSI just as many as are asked for, since their number changes what
 * the device does.
 */
final class ClientInterrupts implements AutoCloseable {
  /** By their index, from 0. */
  private static final List<Kind> KINDS = List.of(Kind.INTX, Kind.MSI, Kind.MSIX);

  private static final int DATA_BOOL = 1 << 1;
  private static final int DATA_MASK =
      Vfio.IRQ_SET_DATA_NONE | DATA_BOOL | Vfio.IRQ_SET_DATA_EVENTFD;
  private static final int ACTION_MASK =
      Vfio.IRQ_SET_ACTION_MASK | Vfio.IRQ_SET_ACTION_UNMASK | Vfio.IRQ_SET_ACTION_TRIGGER;

  /** {@code VFIO_IRQ_INFO_*}. */
  private static final int MASKABLE = 1 << 1;

  /** More vectors no device has (PCI Local Bus Specification 3.0, 6.8.2.3). */
  private static final int MOST_EVENTS = 2048;

  private static final int AUTOMASKED = 1 << 2;
  private static final int NORESIZE = 1 << 3;

  private final PciDevice device;
  private final ClientEvents events;

  private volatile @Nullable Kind kind;
  private volatile List<Vector> vectors = List.of();
  private @Nullable ClientEvent[] assigned = {};
  private @Nullable EventFd unmask;
  private volatile @Nullable ClientEvent request;
  private volatile @Nullable ClientEvent error;

  /**
   * What a SET_IRQS message says.
   *
   * @param data of {@code VFIO_IRQ_SET_DATA_BOOL}; or which of the eventfds are meant that the
   *     client has inherited, an int each
   */
  record Setting(int flags, int index, int start, int count, MemorySegment data) {
    /** Whether there is an int for each. */
    boolean namesEvents() {
      return (flags & Vfio.IRQ_SET_DATA_EVENTFD) != 0
          && count > 0
          && count <= MOST_EVENTS
          && data.byteSize() == (long) count * Integer.BYTES;
    }
  }

  ClientInterrupts(PciDevice device, ClientEvents events) {
    this.device = device;
    this.events = events;
  }

  /** How many there are of an index, which is checked. */
  int count(int index) {
    return index < KINDS.size() ? device.interrupts().count(KINDS.get(index)) : 1;
  }

  /** What can be done with those of an index. */
  int flags(int index) {
    return Vfio.IRQ_INFO_EVENTFD
        | switch (index) {
          case Vfio.PCI_INTX_IRQ_INDEX -> MASKABLE | AUTOMASKED;
          case Vfio.PCI_MSI_IRQ_INDEX -> NORESIZE;
          default -> 0;
        };
  }

  /**
   * Carries a message out.
   *
   * @param descriptors those that are used are taken out of the list
   */
  void set(Setting setting, List<Fd> descriptors) {
    int data = setting.flags & DATA_MASK;
    int action = setting.flags & ACTION_MASK;
    if (Integer.bitCount(data) != 1
        || Integer.bitCount(action) != 1
        || (setting.flags & ~(DATA_MASK | ACTION_MASK)) != 0) {
      throw refusal("flags 0x%x".formatted(setting.flags));
    }
    int available = count(setting.index);
    if (setting.start < 0 || setting.count < 0 || setting.start > available - setting.count) {
      throw refusal(
          "vectors %d to %d of %d"
              .formatted(setting.start, setting.start + setting.count - 1, available));
    }
    if (data == DATA_BOOL && setting.data.byteSize() < setting.count) {
      throw refusal("%d values for %d vectors".formatted(setting.data.byteSize(), setting.count));
    }
    boolean withEvents = data == Vfio.IRQ_SET_DATA_EVENTFD;
    if (withEvents
        ? setting.count == 0 || (!descriptors.isEmpty() && descriptors.size() != setting.count)
        : !descriptors.isEmpty()) {
      throw refusal("%d descriptors for %d vectors".formatted(descriptors.size(), setting.count));
    }
    try {
      if (setting.index >= KINDS.size()) {
        setNotification(setting, action, withEvents, descriptors);
      } else if (action == Vfio.IRQ_SET_ACTION_TRIGGER) {
        setTriggers(setting, withEvents, descriptors);
      } else {
        setMask(setting, action, withEvents, descriptors);
      }
    } catch (DeviceGoneException e) {
      throw new Refusal(Errno.ENODEV, String.valueOf(e.getMessage()));
    } catch (PciException | IllegalArgumentException | IllegalStateException e) {
      throw refusal(String.valueOf(e.getMessage()));
    }
  }

  /** After a reset by which the device lost its vectors, those of the client are there again. */
  void rearm() {
    Kind wanted = kind;
    if (wanted != null && device.usage().vectors() == 0) {
      enable(wanted, vectors.size());
      for (int i = 0; i < assigned.length; i++) {
        connect(i);
      }
    }
  }

  /** The owner wants the device back. */
  void deviceRequested() {
    signal(request);
  }

  /** The device reported an error, or is gone. */
  void deviceFailed() {
    signal(error);
  }

  /** Of the notifications the last may be on its way still: they end with {@link ClientEvents}. */
  @Override
  public void close() {
    disable();
  }

  private void setTriggers(Setting setting, boolean withEvents, List<Fd> descriptors) {
    Kind wanted = KINDS.get(setting.index);
    if (!withEvents) {
      if (setting.count == 0) {
        if (wanted == kind) {
          disable();
        }
        return;
      }
      for (int i = 0; i < setting.count; i++) {
        if (wanted == kind && chosen(setting, i) && setting.start + i < assigned.length) {
          signal(
              assigned[setting.start + i]); // as if it came from the device: a test of the client's
        }
      }
      return;
    }
    if (descriptors.isEmpty()) {
      if (wanted == kind) {
        for (int i = setting.start;
            i < Math.min(setting.start + setting.count, assigned.length);
            i++) {
          assign(i, null);
        }
      }
      return;
    }
    if (kind != null && kind != wanted) {
      throw refusal("%s is to be enabled while %s is".formatted(wanted, kind));
    }
    List<EventFd> eventFds = eventFds(descriptors);
    descriptors.clear();
    int given = 0;
    try {
      prepare(wanted, setting.start + setting.count);
      for (; given < eventFds.size(); given++) {
        assign(setting.start + given, events.add(eventFds.get(given)));
      }
    } finally {
      eventFds.subList(Math.min(given, eventFds.size()), eventFds.size()).forEach(EventFd::close);
    }
  }

  /** Enables what is not enabled. */
  private void prepare(Kind wanted, int needed) {
    if (kind != null && (wanted != Kind.MSI || needed <= vectors.size())) {
      rearm();
      return;
    }
    @Nullable ClientEvent[] before = assigned;
    if (kind != null) {
      device.interrupts().disable();
    }
    int number = wanted == Kind.MSI ? needed : device.interrupts().count(wanted);
    enable(wanted, number);
    assigned = Arrays.copyOf(before, number);
    for (int i = 0; i < before.length; i++) {
      connect(i);
    }
  }

  private void enable(Kind wanted, int number) {
    boolean enabled = false;
    try {
      kind = null;
      vectors = device.interrupts().enable(wanted, number);
      kind = wanted;
      enabled = true;
    } finally {
      if (!enabled) {
        disable(); // what was assigned belongs to vectors that are not there any more
      }
    }
    if (assigned.length != number) {
      assigned = Arrays.copyOf(assigned, number);
    }
  }

  private void assign(int index, @Nullable ClientEvent event) {
    ClientEvent old = assigned[index];
    assigned[index] = event;
    connect(index);
    if (old != null) {
      old.drop();
    }
  }

  private void connect(int index) {
    ClientEvent event = assigned[index];
    // A vector can't be disconnected: nobody's event takes what comes.
    vectors.get(index).connect(event != null ? event : events.nobodys());
  }

  private void setMask(Setting setting, int action, boolean withEvents, List<Fd> descriptors) {
    if (setting.index != Vfio.PCI_INTX_IRQ_INDEX || kind != Kind.INTX || setting.count != 1) {
      throw refusal("only INTx that is enabled can be masked");
    }
    Vector vector = vectors.getFirst();
    boolean on = action == Vfio.IRQ_SET_ACTION_MASK;
    if (!withEvents) {
      if (chosen(setting, 0)) {
        vector.mask(on);
      }
      return;
    }
    if (on) {
      throw refusal("no eventfd masks INTx");
    }
    List<EventFd> eventFds = eventFds(descriptors);
    descriptors.clear();
    dropUnmask();
    if (!eventFds.isEmpty()) {
      EventFd eventFd = eventFds.getFirst();
      unmask = eventFd;
      events.watch(eventFd, this::unmaskPin);
    }
  }

  /** Whichever vector there is by then: a reset may have come between. */
  private void unmaskPin() {
    List<Vector> now = vectors;
    if (kind == Kind.INTX && !now.isEmpty()) {
      now.getFirst().mask(false);
    }
  }

  private void setNotification(
      Setting setting, int action, boolean withEvents, List<Fd> descriptors) {
    if (action != Vfio.IRQ_SET_ACTION_TRIGGER) {
      throw refusal("a notification can't be masked");
    }
    boolean isError = setting.index == Vfio.PCI_ERR_IRQ_INDEX;
    ClientEvent old = isError ? error : request;
    if (!withEvents && setting.count != 0) {
      if (chosen(setting, 0)) {
        signal(old);
      }
      return;
    }
    List<EventFd> eventFds = eventFds(descriptors);
    descriptors.clear();
    ClientEvent event = eventFds.isEmpty() ? null : events.add(eventFds.getFirst());
    if (isError) {
      error = event;
    } else {
      request = event;
    }
    if (old != null) {
      old.drop();
    }
  }

  private void disable() {
    dropUnmask();
    if (kind != null) {
      kind = null;
      try {
        device.interrupts().disable();
      } catch (DeviceGoneException _) {
        // And its interrupts with it.
      }
    }
    for (ClientEvent event : assigned) {
      if (event != null) {
        event.drop();
      }
    }
    assigned = new ClientEvent[0];
    vectors = List.of();
  }

  private void dropUnmask() {
    EventFd old = unmask;
    if (old != null) {
      unmask = null;
      events.unwatch(old);
    }
  }

  /** Checks all before any is taken over. */
  private static List<EventFd> eventFds(List<Fd> descriptors) {
    List<EventFd> eventFds = new ArrayList<>();
    for (Fd descriptor : descriptors) {
      try {
        eventFds.add(EventFd.of(descriptor));
      } catch (WrongDescriptorException e) {
        throw refusal(String.valueOf(e.getMessage()));
      }
    }
    return eventFds;
  }

  private static boolean chosen(Setting setting, int i) {
    return (setting.flags & DATA_BOOL) == 0 || setting.data.get(JAVA_BYTE, i) != 0;
  }

  private static void signal(@Nullable ClientEvent event) {
    if (event != null) {
      event.signal();
    }
  }

  private static Refusal refusal(String problem) {
    return new Refusal(Errno.EINVAL, problem);
  }
}
