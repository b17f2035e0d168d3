package org.gatun.broker.policy;

import org.gatun.pci.DeviceName;
import org.jspecify.annotations.Nullable;

/** Hears of each write to config space that did not reach the hardware, in part or as a whole. */
public interface DeniedWrites {
  /**
   * A write was dropped or denied. Called by the thread that wrote, often if the guest wants it so:
   * whatever is kept or logged of it must be bounded.
   *
   * @param field that was written; null where no rule speaks of the place
   * @param denied whether the guest was told, by an exception
   */
  void denied(
      DeviceName device,
      int offset,
      int width,
      int value,
      @Nullable ConfigField field,
      boolean denied);
}
