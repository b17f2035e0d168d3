package org.gatun.broker;

import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaException;

/** What a guest uses of its quota. Any thread. */
final class QuotaAccount {
  private final Quota quota;
  private long bytes;
  private int mappings;

  QuotaAccount(Quota quota) {
    this.quota = quota;
  }

  /**
   * Takes a mapping off the quota.
   *
   * @throws DmaException if there is not so much left
   */
  synchronized void take(DeviceName device, long size) {
    if (size > quota.dmaBytes() - bytes) {
      throw new DmaException(
          device,
          "%d bytes of DMA memory are more than the guest's quota leaves: %d of %d are used"
              .formatted(size, bytes, quota.dmaBytes()),
          "close buffers, or ask for a larger quota",
          null);
    }
    if (mappings == quota.dmaMappings()) {
      throw new DmaException(
          device,
          "the guest's quota of %d DMA mappings is used up".formatted(mappings),
          "close buffers, use fewer and larger ones, or ask for a larger quota",
          null);
    }
    bytes += size;
    mappings++;
  }

  synchronized void giveBack(long size, int count) {
    bytes -= size;
    mappings -= count;
  }
}
