package org.gatun.vfio.common;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import org.gatun.pci.BusRange;
import org.junit.jupiter.api.Test;

class BusAddressAllocatorTest {
  private static final long PAGE = 4096;
  private static final long ALL = -1;
  private static final List<BusRange> USUAL =
      List.of(new BusRange(0, 0xfedfffffL), new BusRange(0xfef00000L, (1L << 39) - 1));

  @Test
  void beginsAtSixteenMebibytes() {
    BusAddressAllocator addresses = new BusAddressAllocator(USUAL, PAGE);

    assertThat(addresses.allocate(PAGE, PAGE, ALL)).hasValue(16 << 20);
    assertThat(addresses.allocate(PAGE, 2 << 20, ALL)).hasValue(18 << 20);
    assertThat(addresses.allocate(PAGE, PAGE, ALL)).hasValue((16 << 20) + PAGE);
  }

  @Test
  void goesBelowWhereThereIsNoOtherRoomButNeverToZero() {
    BusAddressAllocator addresses = new BusAddressAllocator(USUAL, PAGE);
    long limit = (16 << 20) + PAGE - 1;

    assertThat(addresses.allocate(PAGE, PAGE, limit)).hasValue(16 << 20);
    assertThat(addresses.allocate(PAGE, PAGE, limit)).hasValue(PAGE);
    assertThat(addresses.allocate(16 << 20, PAGE, limit)).isEmpty();
    assertThat(addresses.allocate(PAGE, 16 << 20, limit)).isEmpty();
  }

  @Test
  void leavesHolesAloneAndStaysWithinTheLimit() {
    BusAddressAllocator addresses = new BusAddressAllocator(USUAL, PAGE);
    long gigabyte = 1L << 30;

    assertThat(addresses.allocate(4 * gigabyte, gigabyte, ALL)).hasValue(4 * gigabyte);
    assertThat(addresses.allocate(4 * gigabyte, gigabyte, 0xffffffffL)).isEmpty();
    assertThat(addresses.allocate(1L << 39, PAGE, ALL)).isEmpty();
    assertThat(addresses.allocate(Long.MAX_VALUE & -PAGE, PAGE, ALL)).isEmpty();
  }

  @Test
  void knowsTheLastAddressesThereAre() {
    BusAddressAllocator addresses =
        new BusAddressAllocator(List.of(new BusRange(-2 * PAGE, -1)), PAGE);

    assertThat(addresses.allocate(PAGE, 1L << 62, ALL)).isEmpty();
    assertThat(addresses.allocate(2 * PAGE, PAGE, ALL)).hasValue(-2 * PAGE);
    assertThat(addresses.free()).isEmpty();
    addresses.release(-PAGE, PAGE);
    addresses.release(-2 * PAGE, PAGE);
    assertThat(addresses.free()).containsExactly(new BusRange(-2 * PAGE, -1));
    assertThat(addresses.reserve(-PAGE, PAGE)).isTrue();
    assertThat(addresses.reserve(-PAGE, PAGE)).isFalse();
  }

  @Test
  void addressZeroCanBeReserved() {
    BusAddressAllocator addresses = new BusAddressAllocator(USUAL, PAGE);

    assertThat(addresses.reserve(0, 16 << 20)).isTrue();
    assertThat(addresses.reserve(0, PAGE)).isFalse();
    assertThat(addresses.reserve(0xfedff000L, 2 * PAGE)).isFalse();
    assertThat(addresses.reserve(0xfee00000L, PAGE)).isFalse();
  }

  @Test
  void anySequenceKeepsRangesApartAndLosesNothing() {
    for (long seed = 1; seed <= 50; seed++) {
      Random random = new Random(seed);
      List<BusRange> usable =
          List.of(new BusRange(0, 0x3ffffff), new BusRange(0x5000000, 0x8ffffff));
      BusAddressAllocator addresses = new BusAddressAllocator(usable, PAGE);
      List<BusRange> taken = new ArrayList<>();
      for (int i = 0; i < 2000; i++) {
        if (!taken.isEmpty() && random.nextInt(100) < 45) {
          BusRange given = taken.remove(random.nextInt(taken.size()));
          addresses.release(given.first(), given.last() - given.first() + 1);
          continue;
        }
        long size = PAGE * (1 + random.nextInt(1 << random.nextInt(12)));
        long alignment = PAGE << random.nextInt(10);
        long limit = random.nextInt(3) == 0 ? 0x5ffffffL : ALL;
        String where = "seed %d, step %d".formatted(seed, i);
        if (random.nextInt(4) == 0) {
          long address = PAGE * random.nextInt(0x9000);
          boolean free =
              usable.stream().anyMatch(u -> u.contains(address, size))
                  && taken.stream().noneMatch(t -> overlaps(t, address, size));
          assertThat(addresses.reserve(address, size)).as(where).isEqualTo(free);
          if (free) {
            taken.add(new BusRange(address, address + size - 1));
          }
          continue;
        }
        OptionalLong got = addresses.allocate(size, alignment, limit);
        if (got.isPresent()) {
          long address = got.getAsLong();
          assertThat(address % alignment).as(where).isZero();
          assertThat(address).as(where).isNotZero();
          assertThat(address + size - 1).as(where).isLessThanOrEqualTo(limit & Long.MAX_VALUE);
          assertThat(usable).as(where).anyMatch(u -> u.contains(address, size));
          assertThat(taken).as(where).noneMatch(t -> overlaps(t, address, size));
          taken.add(new BusRange(address, address + size - 1));
        } else {
          assertThat(addresses.free()).as(where).noneMatch(f -> fits(f, size, alignment, limit));
        }
      }
      for (BusRange given : taken) {
        addresses.release(given.first(), given.last() - given.first() + 1);
      }
      assertThat(addresses.free()).as("seed %d", seed).isEqualTo(usable);
    }
  }

  private static boolean overlaps(BusRange range, long address, long size) {
    return address <= range.last() && address + size - 1 >= range.first();
  }

  private static boolean fits(BusRange free, long size, long alignment, long limit) {
    long first = Math.ceilDiv(Math.max(free.first(), PAGE), alignment) * alignment;
    long last = limit == ALL ? free.last() : Math.min(free.last(), limit);
    return first + size - 1 <= last;
  }
}
