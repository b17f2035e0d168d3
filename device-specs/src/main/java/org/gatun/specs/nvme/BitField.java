package org.gatun.specs.nvme;

/** One field of a word: a static final one folds into a shift and a mask. */
record BitField(String name, int shift, int width) {

  int get(int word) {
    return (word >>> shift) & (int) mask();
  }

  int get(long word) {
    return (int) ((word >>> shift) & mask());
  }

  boolean isSet(long word) {
    return ((word >>> shift) & mask()) != 0;
  }

  int set(int word, int value) {
    return (int) set(Integer.toUnsignedLong(word), value);
  }

  long set(long word, int value) {
    if ((value & ~mask()) != 0) {
      throw new IllegalArgumentException(
          name + ": " + value + " is not in 0 to " + mask() + " (" + width + " bits)");
    }
    return (word & ~(mask() << shift)) | ((long) value << shift);
  }

  /** Sets a field that holds one less than what it counts ("0's based"). */
  int setCount(int word, int count) {
    if (count < 1 || count - 1L > mask()) {
      throw new IllegalArgumentException(
          name + ": " + count + " is not in 1 to " + (mask() + 1) + " (0's based)");
    }
    return set(word, count - 1);
  }

  int set(int word, boolean value) {
    return set(word, value ? 1 : 0);
  }

  long set(long word, boolean value) {
    return set(word, value ? 1 : 0);
  }

  /** At most 31 bits: no field here is wider, and an int then holds its value unsigned. */
  private long mask() {
    return (1L << width) - 1;
  }
}
