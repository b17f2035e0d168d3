package org.gatun.pci;

import java.util.List;
import java.util.Optional;

/** A base address register, and the range of memory or I/O ports behind it. */
public interface Bar {
  /** What is behind a BAR. */
  enum Kind {
    MEMORY,
    IO
  }

  /** How a range is reached. */
  enum Access {
    /** Mapped memory: an access is a load or a store. */
    DIRECT,
    /** Each access is a call, served by software. */
    TRAPPED
  }

  /**
   * A part of a BAR.
   *
   * @param offset from the start of the BAR, in bytes
   * @param length in bytes, greater than 0
   */
  record Range(long offset, long length, Access access) {
    /**
     * @throws IllegalArgumentException if the offset is negative, or the length not positive, or
     *     both together overflow
     */
    public Range {
      if (offset < 0 || length <= 0 || offset > Long.MAX_VALUE - length) {
        throw new IllegalArgumentException(
            "no such range: offset " + offset + ", length " + length);
      }
    }

    /** Whether a range of that length at that offset lies wholly in this one. */
    public boolean contains(long otherOffset, long otherLength) {
      return otherOffset >= offset
          && otherLength > 0
          && otherOffset - offset <= length - otherLength;
    }
  }

  /**
   * A register at which writing one value says "look", and nothing more: several such writes that
   * come before the device looks are as good as one. So whoever passes them on need not wait.
   *
   * @param offset from the start of the BAR, in bytes
   * @param width of the write, in bytes: 1, 2, 4 or 8
   * @param value that is written, in the low bits
   */
  record Doorbell(long offset, int width, long value) {}

  /** 0 to 5. A 64-bit BAR has the index of its low half. */
  int index();

  /** What is behind it. */
  Kind kind();

  /** In bytes, a power of two. */
  long size();

  /** Whether reads have no side effects (PCI Local Bus Specification 3.0, 6.2.5.1). */
  boolean prefetchable();

  /**
   * The parts, in the order of their offsets, which cover the BAR without gaps. A BAR can be part
   * direct, part trapped: an MSI-X table inside BAR 0. Empty for an I/O BAR.
   */
  List<Range> ranges();

  /**
   * Maps a part, with a lifetime of its own: each call gives a new mapping, which ends by its
   * {@code close} or with the device.
   *
   * @param offset in bytes, a multiple of 4 (where the range is direct the rest of its page is
   *     mapped too, but not reachable); a multiple of 8 if 64-bit accesses are to be made, since
   *     those are aligned in the BAR
   * @param length in bytes, a multiple of 4
   * @throws IllegalArgumentException if offset or length break their rules, if the part is not
   *     wholly inside the BAR, or not wholly in direct ranges or wholly in trapped ranges, or if
   *     this is an I/O BAR
   * @throws DeviceGoneException if the device is closed
   */
  Mmio map(long offset, long length);

  /**
   * The I/O ports.
   *
   * @throws IllegalArgumentException if this is not an I/O BAR
   */
  PortIo ports();

  /** The doorbells in trapped ranges, as far as the backend knows of them. */
  default List<Doorbell> doorbells() {
    return List.of();
  }

  /**
   * The memory behind a direct range, for those who pass it on to another process; empty if it
   * can't be shared, as that of a real device: who has its descriptor can do all with it. It ends
   * with the device at the latest.
   */
  Optional<SharedRange> share(Range range);

  /**
   * As {@link #share}, also of a real device: for a trusted program that maps the range, closes the
   * descriptor, and lets go of the way to it before it runs anybody else's code. Closing what is
   * returned does not end such a mapping of a real device: whoever entrusts one ends that program
   * before the device goes to somebody else.
   */
  default Optional<SharedRange> entrust(Range range) {
    return share(range);
  }
}
