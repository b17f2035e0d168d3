package org.gatun.pci;

/**
 * A range of bus addresses.
 *
 * @param first the lowest address in it, unsigned
 * @param last the highest address in it, unsigned
 */
public record BusRange(long first, long last) {
  /**
   * @throws IllegalArgumentException if last is below first
   */
  public BusRange {
    if (Long.compareUnsigned(last, first) < 0) {
      throw new IllegalArgumentException(
          "no such range of bus addresses: %#x to %#x".formatted(first, last));
    }
  }

  /** Whether a range of that size (greater than 0) at that address lies wholly in this one. */
  public boolean contains(long address, long size) {
    return Long.compareUnsigned(address, first) >= 0
        && Long.compareUnsigned(address, last) <= 0
        && Long.compareUnsigned(size - 1, last - address) <= 0;
  }

  @Override
  public String toString() {
    return "0x%x-0x%x".formatted(first, last);
  }
}
