package org.gatun.pci.config;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A base address register, decoded (PCI Local Bus Specification 3.0, 6.2.5.1).
 *
 * @param index of the register, or of its low half
 * @param io whether it decodes I/O ports
 * @param wide whether it takes two registers (64 bits)
 * @param address the base address; 0 if none was assigned
 * @param size in bytes, a power of two; 0 if it was not asked for
 */
public record BarRegister(
    int index, boolean io, boolean wide, boolean prefetchable, long address, long size) {
  private static final int IO_SPACE = 1;
  private static final int TYPE_MASK = 6;
  private static final int TYPE_64 = 4;
  private static final int PREFETCHABLE = 8;
  private static final int IO_FLAGS = 3;
  private static final int MEMORY_FLAGS = 0xf;

  /**
   * The registers as they stand; reads only. A register that reads as zero is taken as absent,
   * since only sizing could tell.
   */
  public static List<BarRegister> decode(ConfigSpace config) {
    List<BarRegister> found = new ArrayList<>();
    for (int index = 0; index < count(config); index++) {
      BarRegister bar = decodeOne(config, index);
      if (bar != null) {
        found.add(bar);
        index += bar.wide ? 1 : 0;
      }
    }
    return found;
  }

  /**
   * The registers with their sizes, by writing all ones and restoring. For a device that nobody
   * uses: turn decode off first (its addresses move meanwhile).
   */
  public static List<BarRegister> size(ConfigSpace config) {
    List<BarRegister> found = new ArrayList<>();
    for (int index = 0; index < count(config); index++) {
      int offset = offset(index);
      int low = config.read32(offset);
      int lowMask = probe(config, offset, low);
      // The low bits are wired: if they change, nothing answers any more.
      int flags = (lowMask & IO_SPACE) != 0 ? IO_FLAGS : MEMORY_FLAGS;
      if (lowMask == 0 || (low != 0 && ((low ^ lowMask) & flags) != 0)) {
        continue;
      }
      BarRegister bar = decodeOne(config, index, low == 0 ? lowMask & MEMORY_FLAGS : low);
      if (bar == null) {
        continue;
      }
      long mask = lowMask & ~flags;
      if (bar.wide) {
        int highOffset = offset(index + 1);
        int high = probe(config, highOffset, config.read32(highOffset));
        mask = (mask & 0xffffffffL) | (long) high << 32;
      } else if (bar.io && mask != 0 && (mask >>> 16 & 0xffff) == 0) {
        // A device may wire the upper half of an I/O BAR to zero.
        mask |= 0xffff_0000L;
      }
      long size =
          bar.wide ? Long.lowestOneBit(mask) : Integer.lowestOneBit((int) mask) & 0xffffffffL;
      if (size != 0) {
        found.add(new BarRegister(index, bar.io, bar.wide, bar.prefetchable, bar.address, size));
      }
      index += bar.wide ? 1 : 0;
    }
    return found;
  }

  private static int probe(ConfigSpace config, int offset, int original) {
    config.write32(offset, -1);
    int mask = config.read32(offset);
    config.write32(offset, original);
    return mask;
  }

  private static @Nullable BarRegister decodeOne(ConfigSpace config, int index) {
    int low = config.read32(offset(index));
    return low == 0 || low == -1 ? null : decodeOne(config, index, low);
  }

  private static @Nullable BarRegister decodeOne(ConfigSpace config, int index, int low) {
    if ((low & IO_SPACE) != 0) {
      return new BarRegister(index, true, false, false, (low & ~IO_FLAGS) & 0xffffffffL, 0);
    }
    boolean wide = (low & TYPE_MASK) == TYPE_64;
    if (wide && index + 1 >= count(config)) {
      return null; // a 64-bit register in the last place has no high half: nonsense
    }
    long high = wide ? config.read32(offset(index + 1)) & 0xffffffffL : 0;
    long address = high << 32 | (low & ~MEMORY_FLAGS & 0xffffffffL);
    return new BarRegister(index, false, wide, (low & PREFETCHABLE) != 0, address, 0);
  }

  private static int count(ConfigSpace config) {
    return switch (config.read8(ConfigRegisters.HEADER_TYPE) & ConfigRegisters.HEADER_TYPE_MASK) {
      case 0 -> 6;
      case 1 -> 2;
      default -> 0;
    };
  }

  private static int offset(int index) {
    return ConfigRegisters.BAR0 + 4 * index;
  }
}
