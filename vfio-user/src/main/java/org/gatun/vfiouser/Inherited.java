package org.gatun.vfiouser;

import java.util.List;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.Mapping;
import org.gatun.vfio.common.Region;

/**
 * What a client's process was started with, of one device: it gets no descriptor over the socket,
 * and sends none. All of it has to last as long as the device is open.
 *
 * @param registers what of the BARs is mapped; the rest is reached by messages
 * @param busAddress at which the device finds the memory
 * @param memory for DMA: buffers are parts of it
 * @param events eventfds for interrupts, in the order in which the server has them
 */
@SuppressWarnings("exports") // to our own modules
public record Inherited(
    List<MappedRange> registers, long busAddress, Mapping memory, List<Fd> events) {
  /**
   * A part of a BAR.
   *
   * @param offset in the BAR, whole pages
   */
  public record MappedRange(int bar, long offset, Mapping mapping) {
    /** Whether a part of the BAR lies in this one. */
    public boolean contains(long otherOffset, long length) {
      return otherOffset >= offset && otherOffset - offset <= mapping.segment().byteSize() - length;
    }
  }

  /**
   * Maps a part of a BAR once more.
   *
   * @throws IllegalArgumentException if it is not in one of the ranges
   */
  public Mapping map(int bar, long offset, long length) {
    MappedRange range =
        registers.stream()
            .filter(r -> r.bar() == bar && r.contains(offset, length))
            .findFirst()
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "0x%x bytes at 0x%x of BAR %d are not mapped"
                            .formatted(length, offset, bar)));
    return range.mapping().part(offset - range.offset(), length);
  }

  /** What of a BAR is mapped. */
  public List<Region.Area> areas(int bar) {
    return registers.stream()
        .filter(range -> range.bar() == bar)
        .map(range -> new Region.Area(range.offset(), range.mapping().segment().byteSize()))
        .toList();
  }

  /** Copies the lists. */
  public Inherited {
    registers = List.copyOf(registers);
    events = List.copyOf(events);
  }
}
