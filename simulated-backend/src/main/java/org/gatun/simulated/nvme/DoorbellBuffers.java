package org.gatun.simulated.nvme;

/**
 * What Doorbell Buffer Config names: a page of doorbells in the host's memory, in the order of the
 * registers, and one of their EventIdx (Base 5.8).
 */
record DoorbellBuffers(long doorbells, long eventIndices, int pageSize) {
  /** Size of the doorbells of one identifier: of a submission queue and a completion queue. */
  static final int PAIR = 8;

  /** Whether both begin a page. */
  boolean isAligned() {
    return ((doorbells | eventIndices) & (pageSize - 1L)) == 0;
  }

  /** Whether there is a place for the doorbells of a queue: else its registers count. */
  boolean has(int queueId) {
    return queueId < pageSize / PAIR;
  }
}
