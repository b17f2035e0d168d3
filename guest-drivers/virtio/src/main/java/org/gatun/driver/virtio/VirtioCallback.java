package org.gatun.driver.virtio;

import org.gatun.specs.virtio.VirtioBlock;

/** Hears that a request is complete. */
@FunctionalInterface
public interface VirtioCallback {
  /**
   * A request is complete: its buffer is the caller's again. Called by the thread that uses the
   * disk, from inside {@link VirtioDisk#poll} or {@link VirtioDisk#await}, once for each request.
   * It may submit further requests, and ring; it must not poll or close. What it throws comes out
   * of the call that it was called from.
   *
   * @param context what was given with the request
   * @param status {@link VirtioBlock#OK} and its like
   */
  void completed(long context, int status);
}
