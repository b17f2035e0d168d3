package org.gatun.simulated;

import java.util.List;

/**
 * The storage behind a VPD capability (PCI Local Bus Specification 3.0, appendix I). Whoever writes
 * the flag in the address register starts a transfer, which is done at once. Its owner serialises
 * calls.
 */
final class VitalProductData {
  private static final int ADDRESS = 2;
  private static final int DATA = 4;
  private static final int FLAG = 1 << 15;

  private final int offset;
  private final int[] words;

  /**
   * @param offset of the capability
   */
  VitalProductData(int offset, List<Integer> words) {
    this.offset = offset;
    this.words = words.stream().mapToInt(Integer::intValue).toArray();
  }

  /** After a write to config space: does what it asked for. */
  void written(RegisterBytes config, int start, int width) {
    int flag = offset + ADDRESS + 1;
    if (start > flag || start + width <= flag) {
      return;
    }
    int address = config.get(offset + ADDRESS, 2);
    int index = (address & ~FLAG) / 4;
    if ((address & FLAG) == 0) {
      config.put(offset + DATA, 4, index < words.length ? words[index] : 0);
    } else if (index < words.length) {
      words[index] = config.get(offset + DATA, 4);
    }
    config.put(offset + ADDRESS, 2, address ^ FLAG);
  }
}
