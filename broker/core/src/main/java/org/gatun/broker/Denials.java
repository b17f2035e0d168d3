package org.gatun.broker;

import java.lang.System.Logger.Level;
import java.util.concurrent.atomic.AtomicLong;
import org.gatun.broker.policy.ConfigField;
import org.gatun.broker.policy.DeniedWrites;
import org.gatun.pci.DeviceName;
import org.jspecify.annotations.Nullable;

/**
 * Counts what a guest tried and may not do with one device. A guest can try as often as it likes,
 * so there is one line in the log, for the first time (XSA-43, XSA-157).
 */
final class Denials implements DeniedWrites {
  private static final System.Logger LOG = System.getLogger(Denials.class.getName());

  private final String guest;
  private final DeviceName device;
  private final AtomicLong count = new AtomicLong();

  Denials(String guest, DeviceName device) {
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
      boolean denied) {
    if (count.getAndIncrement() == 0) {
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
    DeniedAccessEvent.emit(guest, name, offset, width, value, field);
  }

  /** An access to registers that are not the guest's. */
  void deniedRegister() {
    if (count.getAndIncrement() == 0) {
      LOG.log(
          Level.WARNING,
          "{0}: guest {1} touched registers that are not granted; further such accesses are only"
              + " counted",
          device,
          guest);
    }
  }

  long count() {
    return count.get();
  }
}
