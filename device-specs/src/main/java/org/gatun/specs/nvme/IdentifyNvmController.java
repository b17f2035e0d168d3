package org.gatun.specs.nvme;

import java.lang.foreign.MemorySegment;

/**
 * I/O Command Set specific Identify Controller of the NVM Command Set, CNS 06h with CSI 0: limits
 * of commands that move no data (NVM 4.1.5.4). Each is a power of two of the smallest memory page,
 * {@link Cap#mpsmin}; 0 is no limit.
 */
public final class IdentifyNvmController {
  /** Size in bytes. */
  public static final int SIZE = 4096;

  /** VSL, Verify Size Limit, 8 bits. */
  public static final int VSL = 0;

  /** WZSL, Write Zeroes Size Limit, 8 bits. */
  public static final int WZSL = 1;

  private final MemorySegment data;

  /**
   * A view of the first {@link #SIZE} bytes: reads and writes go there.
   *
   * @throws IllegalArgumentException if the memory is shorter
   */
  public IdentifyNvmController(MemorySegment data) {
    this.data = LittleEndian.slice("Identify Controller of the NVM Command Set", data, SIZE);
  }

  /** Returns a view of new heap memory, all zero. */
  public static IdentifyNvmController create() {
    return new IdentifyNvmController(LittleEndian.zeroes(SIZE));
  }

  /** Returns the memory, {@link #SIZE} bytes. */
  public MemorySegment segment() {
    return data;
  }

  /** Returns {@link #VSL}. */
  public int verifySizeLimit() {
    return LittleEndian.getU8(data, VSL);
  }

  /** Sets {@link #VSL}. */
  public void setVerifySizeLimit(int value) {
    LittleEndian.putU8(data, VSL, value);
  }

  /** Returns {@link #WZSL}. */
  public int writeZeroesSizeLimit() {
    return LittleEndian.getU8(data, WZSL);
  }

  /** Sets {@link #WZSL}. */
  public void setWriteZeroesSizeLimit(int value) {
    LittleEndian.putU8(data, WZSL, value);
  }
}
