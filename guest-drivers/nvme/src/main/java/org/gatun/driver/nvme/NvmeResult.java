package org.gatun.driver.nvme;

import java.lang.foreign.MemorySegment;
import org.gatun.specs.nvme.NvmeStatus;

/**
 * What became of a {@link NvmeCommand} that the controller completed, with or without success.
 *
 * @param status all 15 bits, for {@link NvmeStatus} to read: 0 for success
 * @param dword0 dword 0 of the completion: what it holds is up to the command
 * @param dword1 dword 1 of the completion
 * @param data what the controller returned, in memory of its own; empty if the command failed or
 *     returns none
 */
public record NvmeResult(int status, int dword0, int dword1, MemorySegment data) {
  private static final MemorySegment NO_DATA = MemorySegment.ofArray(new byte[0]);

  static NvmeResult withoutData(int status, int dword0, int dword1) {
    return new NvmeResult(status, dword0, dword1, NO_DATA);
  }

  NvmeResult withData(MemorySegment value) {
    return new NvmeResult(status, dword0, dword1, value);
  }

  /** Whether the command succeeded. */
  public boolean isSuccess() {
    return NvmeStatus.isSuccess(status);
  }
}
