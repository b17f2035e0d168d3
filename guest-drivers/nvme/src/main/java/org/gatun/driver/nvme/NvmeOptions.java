package org.gatun.driver.nvme;

import java.time.Duration;
import org.gatun.pci.TimeSource;

/**
 * How to drive a controller. Start with {@link #defaults} and change what is needed.
 *
 * @param time clock and waits; that of the device's bus
 * @param completion how queue pairs learn of completions, unless told otherwise one by one
 * @param queueDepth commands in flight on a queue pair, unless told otherwise one by one: 1 to
 *     65535; a controller may have less room
 * @param commandTimeout after which a command is aborted, and again after which its queue is
 *     deleted, or the controller reset if that fails; greater than 0. Seen late, never early
 * @param maxQueues the most I/O queue pairs to ask the controller for: 1 to 65535
 * @param maxTransferBytes the longest transfer of one command, if the controller allows as much: a
 *     multiple of 4096, to 1 GiB. Each command of each queue pair has memory for a PRP list of that
 *     length: one page to 2 MiB, and a further page for each 2 MiB
 */
public record NvmeOptions(
    TimeSource time,
    Completion completion,
    int queueDepth,
    Duration commandTimeout,
    int maxQueues,
    int maxTransferBytes) {
  private static final int PAGE_SIZE = PrpLists.PAGE_SIZE;
  private static final int TRANSFER_LIMIT = 1 << 30;

  /**
   * @throws IllegalArgumentException if a value is out of its range
   */
  public NvmeOptions {
    check("queue depth", queueDepth, 0xffff);
    check("number of queues", maxQueues, 0xffff);
    check("transfer size", maxTransferBytes, TRANSFER_LIMIT);
    if (maxTransferBytes % PAGE_SIZE != 0) {
      throw new IllegalArgumentException(
          "the transfer size is a multiple of " + PAGE_SIZE + ", not " + maxTransferBytes);
    }
    if (!commandTimeout.isPositive()) {
      throw new IllegalArgumentException(
          "the command time-out is greater than 0, not " + commandTimeout);
    }
  }

  /** The machine's time, polling, 128 commands in flight, 30 s, 16 queue pairs, 2 MiB. */
  public static NvmeOptions defaults() {
    return new NvmeOptions(
        TimeSource.system(), Completion.POLL, 128, Duration.ofSeconds(30), 16, 2 << 20);
  }

  /** These, with another clock. */
  public NvmeOptions withTime(TimeSource value) {
    return new NvmeOptions(
        value, completion, queueDepth, commandTimeout, maxQueues, maxTransferBytes);
  }

  /** These, with another way to learn of completions. */
  public NvmeOptions withCompletion(Completion value) {
    return new NvmeOptions(time, value, queueDepth, commandTimeout, maxQueues, maxTransferBytes);
  }

  /** These, with another queue depth. */
  public NvmeOptions withQueueDepth(int value) {
    return new NvmeOptions(time, completion, value, commandTimeout, maxQueues, maxTransferBytes);
  }

  /** These, with another time-out. */
  public NvmeOptions withCommandTimeout(Duration value) {
    return new NvmeOptions(time, completion, queueDepth, value, maxQueues, maxTransferBytes);
  }

  /** These, with another limit of queue pairs. */
  public NvmeOptions withMaxQueues(int value) {
    return new NvmeOptions(time, completion, queueDepth, commandTimeout, value, maxTransferBytes);
  }

  /** These, with another limit of a command's length. */
  public NvmeOptions withMaxTransferBytes(int value) {
    return new NvmeOptions(time, completion, queueDepth, commandTimeout, maxQueues, value);
  }

  private static void check(String what, int value, int max) {
    if (value < 1 || value > max) {
      throw new IllegalArgumentException("the " + what + " is 1 to " + max + ", not " + value);
    }
  }
}
