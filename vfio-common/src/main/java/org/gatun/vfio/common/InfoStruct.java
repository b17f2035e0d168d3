package org.gatun.vfio.common;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.util.BitSet;
import java.util.Optional;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.Ioctl;

/**
 * A structure that the kernel filled in, with the chain of capabilities behind it ({@code
 * <linux/vfio.h>}, vfio_info_cap_header): each says at which offset the next one is, 0 at the end.
 * Nothing in there is trusted: what leads out of the structure, or round and round, ends the chain.
 */
public final class InfoStruct {
  /** Real chains take less than a kilobyte; a sparse region can have many areas. */
  private static final int SIZE_LIMIT = 1 << 20;

  private static final long CAP_ID = Vfio.offset(Vfio.INFO_CAP_HEADER, "id");
  private static final long CAP_NEXT = Vfio.offset(Vfio.INFO_CAP_HEADER, "next");

  private final StructLayout layout;
  private final MemorySegment bytes;

  /**
   * @param bytes the structure and its capabilities, at least as long as the layout
   */
  public InfoStruct(StructLayout layout, MemorySegment bytes) {
    this.layout = layout;
    this.bytes = bytes;
  }

  /**
   * Asks the kernel for one, twice if the first answer says that there is more.
   *
   * @param index goes into the field of that name, if the structure has one
   */
  public static InfoStruct query(
      Fd fd, Ioctl request, StructLayout layout, int index, Arena arena) {
    long size = layout.byteSize();
    while (true) {
      InfoStruct struct = new InfoStruct(layout, arena.allocate(size, Long.BYTES));
      struct.set("argsz", (int) size);
      if (layout.memberLayouts().stream().anyMatch(m -> m.name().equals(Optional.of("index")))) {
        struct.set("index", index);
      }
      fd.ioctl(request, struct.bytes);
      long needed = Integer.toUnsignedLong(struct.getInt("argsz"));
      if (needed <= size || needed > SIZE_LIMIT) {
        return struct;
      }
      size = needed;
    }
  }

  public int getInt(String field) {
    return bytes.get(JAVA_INT, Vfio.offset(layout, field));
  }

  public long getLong(String field) {
    return bytes.get(JAVA_LONG, Vfio.offset(layout, field));
  }

  /**
   * Finds a capability.
   *
   * @param first where the chain begins, as the structure says
   * @param smallest how long it must be at least
   * @return from its header to the end of the structure; empty if it is not there
   */
  public Optional<MemorySegment> capability(int first, int id, long smallest) {
    long header = Vfio.INFO_CAP_HEADER.byteSize();
    BitSet seen = new BitSet();
    long at = Integer.toUnsignedLong(first);
    while (at >= layout.byteSize()
        && at % Integer.BYTES == 0
        && at <= bytes.byteSize() - header
        && !seen.get((int) at)) {
      seen.set((int) at);
      MemorySegment capability = bytes.asSlice(at);
      if (Short.toUnsignedInt(capability.get(JAVA_SHORT, CAP_ID)) == id
          && capability.byteSize() >= smallest) {
        return Optional.of(capability);
      }
      at = Integer.toUnsignedLong(capability.get(JAVA_INT, CAP_NEXT));
    }
    return Optional.empty();
  }

  private void set(String field, int value) {
    bytes.set(JAVA_INT, Vfio.offset(layout, field), value);
  }
}
