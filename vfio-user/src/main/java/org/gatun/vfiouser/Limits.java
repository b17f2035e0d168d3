package org.gatun.vfiouser;

import java.time.Duration;

/**
 * What one end lets the other have.
 *
 * @param descriptors in one message, 0 for none; QEMU leaves a server that says more than 16
 * @param transfer bytes that one message may move; no message is much longer
 * @param dmaRegions at a time
 * @param dmaBytes mapped at a time
 * @param queuedBytes of commands that arrive while the peer owes a reply
 * @param patience how long a message may take from its first byte to its last, how long the peer
 *     may leave what it is sent unread, and how long it may take to reply
 */
public record Limits(
    int descriptors,
    int transfer,
    int dmaRegions,
    long dmaBytes,
    int queuedBytes,
    Duration patience) {
  /** Enough for a virtual machine. */
  public static final Limits DEFAULT =
      new Limits(16, 1 << 20, 4096, 1L << 40, 4 << 20, Duration.ofSeconds(10));

  /**
   * @throws IllegalArgumentException if one of the others is not above 0
   */
  public Limits {
    if (descriptors < 0
        || transfer <= 0
        || dmaRegions <= 0
        || dmaBytes <= 0
        || queuedBytes <= 0
        || !patience.isPositive()) {
      throw new IllegalArgumentException("limits are above 0");
    }
  }
}
