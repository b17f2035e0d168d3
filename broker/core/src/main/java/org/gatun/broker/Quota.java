package org.gatun.broker;

/**
 * What a guest may use of the host, over all devices of its grant.
 *
 * @param dmaBytes of memory that its devices can reach
 * @param dmaMappings how many buffers of it: each takes a piece of the IOMMU's tables
 */
public record Quota(long dmaBytes, int dmaMappings) {
  /** 1 GiB in 1,024 buffers. */
  public static final Quota DEFAULT = new Quota(1L << 30, 1024);

  /**
   * @throws IllegalArgumentException if a number is negative
   */
  public Quota {
    if (dmaBytes < 0 || dmaMappings < 0) {
      throw new IllegalArgumentException(
          "a quota is not negative: %d bytes, %d mappings".formatted(dmaBytes, dmaMappings));
    }
  }
}
