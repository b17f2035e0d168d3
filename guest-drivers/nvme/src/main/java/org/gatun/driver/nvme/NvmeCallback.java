package org.gatun.driver.nvme;

import org.gatun.specs.nvme.NvmeStatus;

/** Hears that a command is complete. */
@FunctionalInterface
public interface NvmeCallback {
  /**
   * A command is complete: its buffer is the caller's again. Called by the thread that owns the
   * queue pair, from inside {@link NvmeQueuePair#poll}, {@link NvmeQueuePair#await} or {@link
   * NvmeQueuePair#close}, once for each command. It may submit further commands, and ring, but not
   * while the queue pair is being closed; it must not poll or close.
   *
   * <p>What it throws comes out of the call that it was called from; other commands that are
   * complete by then are called back for all the same, by that call or the next.
   *
   * @param context what was given with the command
   * @param status 0 for success, else as {@link NvmeStatus} reads it
   */
  void completed(long context, int status);
}
