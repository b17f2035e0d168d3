package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PrpListsTest {
  private static final DeviceName DEVICE = DeviceName.parse("test:prp");
  private static final int PAGE = 4096;
  private static final long LISTS = 0x7000_0000L;
  private static final long DATA = 0x1_0000_0000L;
  private static final int START = 2 * PAGE;

  @ParameterizedTest
  @CsvSource({
    // offset in the page, length, pages touched
    "0, 512, 1",
    "0, 4096, 1",
    "4092, 4, 1",
    "3584, 512, 1",
    "3588, 512, 2",
    "0, 4608, 2",
    "0, 8192, 2",
    "4, 8192, 3",
    "0, 8704, 3",
    "4092, 8192, 3",
    "0, 2097152, 512",
    "4, 2097152, 513",
    "0, 2101760, 514",
    "4092, 4194304, 1025",
  })
  void namesEachPageOfTheTransferInOrder(int offset, int length, int pages) {
    assertTransfer(DATA + offset, length, 0);
    assertThat(walk(DATA + offset, length, 0)).hasSize(pages);
  }

  @Test
  void namesEachPageOfAnyTransfer() {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    for (int i = 0; i < 2000; i++) {
      int slot = random.nextInt(3);
      int length = 4 * (1 + random.nextInt((8 << 20) / 4));
      int offset = 4 * random.nextInt(PAGE / 4);
      assertThat(walk(DATA + offset, length, slot))
          .as("seed %d: offset %d, length %d", seed, offset, length)
          .isEqualTo(expected(DATA + offset, length));
    }
  }

  @Test
  void worksUpToTheHighestAddresses() {
    assertTransfer(-(4L << 20), 4 << 20, 0);
    assertTransfer(0xffff_f000L, 3 * PAGE, 0);
  }

  @ParameterizedTest
  @CsvSource({
    "4096, 1",
    "2097152, 1",
    "2101248, 2",
    "4190208, 2",
    "4194304, 3",
    "1073741824, 513",
  })
  void aSlotHasOnePageForEach2MiB(int maxTransfer, int pages) {
    assertThat(PrpLists.bytesPerSlot(maxTransfer)).isEqualTo((long) pages * PAGE);
  }

  private static void assertTransfer(long address, int length, int slot) {
    assertThat(walk(address, length, slot)).isEqualTo(expected(address, length));
  }

  private static List<Long> expected(long address, int length) {
    List<Long> pages = new ArrayList<>();
    pages.add(address);
    long first = address & -PAGE;
    for (long at = PAGE; at < (address & (PAGE - 1)) + length; at += PAGE) {
      pages.add(first + at);
    }
    return pages;
  }

  /**
   * Follows the entries as a controller does (Base 4.1.1), and looks that no other slot changed.
   */
  private static List<Long> walk(long address, int length, int slot) {
    int maxTransfer = 8 << 20;
    try (Arena arena = Arena.ofConfined()) {
      long size = START + 3 * PrpLists.bytesPerSlot(maxTransfer);
      MemorySegment segment = arena.allocate(size, PAGE);
      DmaBuffer memory = new DmaBuffer(DEVICE, segment, LISTS, () -> {});
      PrpLists lists = new PrpLists(memory, START, maxTransfer);
      long second = lists.secondEntry(slot, address, length);

      List<Long> pages = new ArrayList<>();
      pages.add(address);
      long left = length - (PAGE - (address & (PAGE - 1)));
      if (left <= 0) {
        assertThat(second).isZero();
      } else if (left <= PAGE) {
        pages.add(second);
      } else {
        long at = second;
        while (left > 0) {
          assertThat(at - LISTS).isBetween(lists.offset(slot), lists.offset(slot + 1) - Long.BYTES);
          long entry = memory.getLongAcquire(at - LISTS);
          if (at % PAGE == PAGE - Long.BYTES && left > PAGE) {
            at = entry;
          } else {
            pages.add(entry);
            left -= PAGE;
            at += Long.BYTES;
          }
        }
      }
      long before = lists.offset(slot);
      long after = lists.offset(slot + 1);
      assertThat(segment.asSlice(0, before).mismatch(arena.allocate(before, 1))).isEqualTo(-1);
      assertThat(segment.asSlice(after).mismatch(arena.allocate(size - after, 1))).isEqualTo(-1);
      return pages;
    }
  }
}
