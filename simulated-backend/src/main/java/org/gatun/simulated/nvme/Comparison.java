package org.gatun.simulated.nvme;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.gatun.simulated.DmaPort;
import org.gatun.simulated.media.DeviceMemory;
import org.gatun.simulated.media.Media;
import org.jspecify.annotations.Nullable;

/** The data of a Compare command on their way to be compared (NVM 3.2.1). A queue reuses one. */
final class Comparison implements DeviceMemory {
  private final MemorySegment buffer;
  private final long half;
  private @Nullable Media media;
  private boolean equal;

  /**
   * Compares nothing as yet.
   *
   * @param buffer one half for data of the host, one for those of the medium: a file that was cut
   *     short fails in a copy at once, and elsewhere later than it is caught
   */
  Comparison(MemorySegment buffer) {
    this.buffer = buffer;
    this.half = buffer.byteSize() / 2;
  }

  /** From now on data are compared with those of a medium. */
  void begin(Media with) {
    media = with;
    equal = true;
  }

  /** Whether all that came since the begin is what the medium has. */
  boolean isEqual() {
    return equal;
  }

  @Override
  public boolean toHost(DmaPort port, long busAddress, long offset, long length) {
    throw new UnsupportedOperationException("a comparison has no data for the host");
  }

  @Override
  public boolean fromHost(DmaPort port, long busAddress, long offset, long length) {
    Media with = Objects.requireNonNull(media);
    for (long done = 0; done < length; done += half) {
      long part = Math.min(length - done, half);
      if (!port.read(busAddress + done, buffer, 0, part)) {
        return false;
      }
      with.read(offset + done, buffer, half, part);
      equal &= MemorySegment.mismatch(buffer, 0, part, buffer, half, half + part) < 0;
    }
    return true;
  }
}
