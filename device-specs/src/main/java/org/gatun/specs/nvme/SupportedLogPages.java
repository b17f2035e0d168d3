package org.gatun.specs.nvme;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/** The Supported Log Pages log page, LID 00h (Base 5.16.1.1): 32 bits for each identifier. */
public final class SupportedLogPages {
  /** Size in bytes. */
  public static final int SIZE = 1024;

  /** Of a page: LSUPP, it is supported. */
  public static final int LSUPP = 1 << 0;

  private final MemorySegment data;

  /**
   * A view of the first {@link #SIZE} bytes: reads and writes go there.
   *
   * @throws IllegalArgumentException if the memory is shorter
   */
  public SupportedLogPages(MemorySegment data) {
    this.data = LittleEndian.slice("Supported Log Pages log", data, SIZE);
  }

  /** Returns a view of new heap memory, all zero: no page. */
  public static SupportedLogPages create() {
    return new SupportedLogPages(LittleEndian.zeroes(SIZE));
  }

  /** Returns the memory, {@link #SIZE} bytes. */
  public MemorySegment segment() {
    return data;
  }

  /** Says whether a page, 0 to 255, is supported: {@link #LSUPP}. */
  public boolean supports(int logPage) {
    return (LittleEndian.getI32(data, offset(logPage)) & LSUPP) != 0;
  }

  /** Adds a page, 0 to 255. */
  public void add(int logPage) {
    LittleEndian.putI32(data, offset(logPage), LSUPP);
  }

  private static long offset(int logPage) {
    return 4L * Objects.checkIndex(logPage, SIZE / 4);
  }
}
