package org.gatun.pci;

import java.util.ArrayList;
import java.util.List;

/** Notes each access; reads answer all ones, so that what is above the width would show. */
final class RecordingHandler implements RegisterHandler {
  final List<String> accesses = new ArrayList<>();

  @Override
  public long read(long offset, int width) {
    accesses.add("read%d@%d".formatted(width * 8, offset));
    return -1;
  }

  @Override
  public void write(long offset, int width, long value) {
    long mask = width == 8 ? -1 : (1L << (width * 8)) - 1;
    accesses.add("write%d@%d=%x".formatted(width * 8, offset, value & mask));
  }
}
