package org.gatun.simulated.nvme;

import org.gatun.simulated.DmaPort;
import org.gatun.simulated.media.DeviceMemory;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.Sgl;

/** Moves the data of a command along its scatter gather list (Base 4.1.2). Stateless. */
final class ScatterGather {
  /** The most descriptors of a command: a chain may lead back to itself. */
  static final int MAX_DESCRIPTORS = 1 << 16;

  private static final int SUCCESS = DataPointer.SUCCESS;
  private static final int TRANSFER_ERROR = NvmeStatus.DATA_TRANSFER_ERROR.status();
  private static final int LENGTH_INVALID = NvmeStatus.DATA_SGL_LENGTH_INVALID.status();
  private static final int TYPE_INVALID = NvmeStatus.SGL_DESCRIPTOR_TYPE_INVALID.status();
  private static final int SEGMENT_INVALID = NvmeStatus.INVALID_SGL_SEGMENT_DESCRIPTOR.status();
  private static final int NUMBER_INVALID = NvmeStatus.INVALID_NUMBER_OF_SGL_DESCRIPTORS.status();

  /** No descriptor has such a second half: its type does not exist. */
  private static final long REFUSED = -1;

  private ScatterGather() {}

  /**
   * Moves data, and allocates nothing. Each half of a descriptor is read once, and checked.
   *
   * @param length more than 0
   * @return a status
   */
  static int move(
      DmaPort port,
      Command command,
      DeviceMemory memory,
      long offset,
      long length,
      boolean toHost) {
    long address = command.prp1;
    long half = command.prp2;
    long next = 0;
    long left = 0;
    boolean lastSegment = false;
    long done = 0;
    for (int i = 0; i < MAX_DESCRIPTORS; i++) {
      if (Sgl.subtype(half) != Sgl.SUBTYPE_ADDRESS) {
        return TYPE_INVALID;
      }
      long size = Sgl.length(half);
      switch (Sgl.type(half)) {
        case Sgl.DATA_BLOCK -> {
          if (size > length - done) {
            return LENGTH_INVALID;
          }
          if (size > 0
              && !DataPointer.moveContiguous(port, address, memory, offset + done, size, toHost)) {
            return TRANSFER_ERROR;
          }
          done += size;
        }
        case Sgl.BIT_BUCKET -> {
          if (toHost && size > length - done) {
            return LENGTH_INVALID;
          }
          done += toHost ? size : 0; // of what comes from the host it takes nothing
        }
        case Sgl.SEGMENT, Sgl.LAST_SEGMENT -> {
          if (left > 0) {
            return NUMBER_INVALID;
          }
          if (lastSegment
              || size == 0
              || size % Sgl.SIZE != 0
              || address % Sgl.SEGMENT_ALIGNMENT != 0) {
            return SEGMENT_INVALID;
          }
          lastSegment = Sgl.type(half) == Sgl.LAST_SEGMENT;
          next = address;
          left = size / Sgl.SIZE;
        }
        default -> {
          return TYPE_INVALID;
        }
      }
      if (left == 0) {
        return done == length ? SUCCESS : LENGTH_INVALID;
      }
      half = port.readLong(next + Sgl.SECOND_HALF, REFUSED);
      if (half == REFUSED) {
        return TRANSFER_ERROR;
      }
      // Where nothing is, DMA is refused later.
      address = port.readLong(next + Sgl.ADDRESS, REFUSED);
      next += Sgl.SIZE;
      left--;
    }
    return NUMBER_INVALID;
  }
}
