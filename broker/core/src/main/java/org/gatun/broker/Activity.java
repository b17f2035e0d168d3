package org.gatun.broker;

import java.lang.System.Logger.Level;
import java.util.concurrent.atomic.AtomicLong;
import org.gatun.broker.policy.ConfigField;
import org.gatun.broker.policy.DeniedWrites;
import org.gatun.pci.DeviceName;
import org.gatun.pci.Interrupts;
import org.jspecify.annotations.Nullable;

/**
 * What a guest does with one device, as far as the broker is in the way of it: counted, and told to
 * the flight recorder. What a guest may not do it can try as often as it likes, so there is one
 * line in the log, for the first time (XSA-43, XSA-157).
 */
final class Activity implements DeniedWrites {
  private static final System.Logger LOG = System.getLogger(Activity.class.getName());

  private final String guest;
  private final DeviceName device;
  private final AtomicLong denied = new AtomicLong();
  private final AtomicLong mapped = new AtomicLong();
  private final AtomicLong faults = new AtomicLong();

  Activity(String guest, DeviceName device) {
    this.guest = guest;
    this.device = device;
  }

  @Override
  public void denied(
      DeviceName name,
      int offset,
      int width,
      int value,
      @Nullable ConfigField field,
      boolean told) {
    if (this.denied.getAndIncrement() == 0) {
      LOG.log(
          Level.WARNING,
          "{0}: guest {1} wrote 0x{2} to config space at 0x{3} ({4}), which its policy does not"
              + " allow; further such accesses are only counted",
          name,
          guest,
          Integer.toHexString(value),
          Integer.toHexString(offset),
          field == null ? "no rule" : field.rule().name());
    }
    DeniedAccessEvent.emit(
        guest, name, field == null ? "" : field.rule().name(), offset, width, value);
  }

  /** An access to registers that are not the guest's. */
  void deniedRegister(int bar, long offset, int width) {
    if (denied.getAndIncrement() == 0) {
      LOG.log(
          Level.WARNING,
          "{0}: guest {1} touched registers that are not granted; further such accesses are only"
              + " counted",
          device,
          guest);
    }
    DeniedAccessEvent.emit(guest, device, "BAR " + bar, offset, width, 0);
  }

  /** The guest made memory reachable. */
  void dmaMapped(long busAddress, long size) {
    mapped.incrementAndGet();
    DmaMapEvent.emit(guest, device, busAddress, size);
  }

  /** The guest enabled interrupts. */
  void interruptsEnabled(Interrupts.Kind kind, int count) {
    InterruptsEvent.emit(guest, device, kind, count);
  }

  /** The IOMMU refused an access of the device. */
  void dmaFaulted(long busAddress) {
    faults.incrementAndGet();
    DmaFaultEvent.emit(guest, device, busAddress);
  }

  Grant.Counters counters() {
    return new Grant.Counters(denied.get(), mapped.get(), faults.get());
  }
}
