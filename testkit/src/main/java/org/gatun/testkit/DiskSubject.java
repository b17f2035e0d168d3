package org.gatun.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.DeviceModel;
import org.gatun.testkit.ChaosContract.Operation;
import org.gatun.testkit.DiskChaosContract.Disk;
import org.gatun.testkit.DiskChaosContract.Requests;
import org.jspecify.annotations.Nullable;

/**
 * A disk, for {@link DiskChaosContract}. Each block holds a number in all its words: that of the
 * write that it is of. Of a write that failed, a block may have the old one or the new one.
 */
final class DiskSubject implements ChaosContract.Subject {
  private static final int BLOCK = 512;
  private static final int BLOCKS = 64;
  private static final int SIZE = BLOCK * BLOCKS;

  /** Of requests that are submitted together. */
  private static final int MOST_BLOCKS = 12;

  private static final int MOST_WAITS = 10_000;
  private static final int UNDER_WAY = -1;

  private final DiskChaosContract contract;

  /** What each block may hold. */
  private final List<Set<Integer>> possible = new ArrayList<>();

  private @Nullable DmaBuffer memory;
  private @Nullable Disk opened;
  private int writes;

  DiskSubject(DiskChaosContract contract) {
    this.contract = contract;
    for (int i = 0; i < BLOCKS; i++) {
      possible.add(new TreeSet<>(Set.of(0)));
    }
  }

  @Override
  public DeviceModel model() {
    return contract.model(SIZE);
  }

  @Override
  public void open(PciDevice device, TimeSource time, boolean interrupts) {
    DmaBuffer buffer = device.dma().allocate(SIZE, 4096);
    boolean done = false;
    try {
      opened = contract.open(device, time, interrupts);
      memory = buffer;
      done = true;
    } finally {
      if (!done) {
        buffer.close();
      }
    }
  }

  @Override
  public Operation next(Random random) {
    int first = random.nextInt(BLOCKS);
    int count = 1 + random.nextInt(BLOCKS - first);
    return switch (random.nextInt(12)) {
      case 0 -> new Operation("flush", () -> done(disk().flush()), (_, _) -> {});
      case 1, 2, 3 -> read(first, count);
      case 4, 5, 6, 7 -> several(random);
      default -> write(first, count);
    };
  }

  private static String done(Runnable action) {
    action.run();
    return "done";
  }

  /**
   * One of several that are under way together, each of other blocks.
   *
   * @param number of the write; 0 for a read
   */
  private record Request(int first, int count, int number) {
    boolean writes() {
      return number > 0;
    }
  }

  private Operation several(Random random) {
    List<Request> requests = new ArrayList<>();
    for (int first = random.nextInt(MOST_BLOCKS); first < BLOCKS; ) {
      int count = Math.min(1 + random.nextInt(MOST_BLOCKS), BLOCKS - first);
      int number = random.nextBoolean() ? ++writes : 0;
      requests.add(new Request(first, count, number));
      fill(first, count, number == 0 ? -1 : number);
      first += count + random.nextInt(MOST_BLOCKS);
    }
    int[] statuses = new int[requests.size()];
    Arrays.fill(statuses, UNDER_WAY);
    return new Operation(
        requests.toString(),
        () -> carryOut(requests, statuses),
        (_, corrupt) -> {
          for (int i = 0; i < statuses.length; i++) {
            ended(requests.get(i), statuses[i] == 0, corrupt);
          }
        });
  }

  private String carryOut(List<Request> requests, int[] statuses) {
    Requests queue = disk().requests();
    int submitted = 0;
    for (int waits = 0; waits < MOST_WAITS; waits++) {
      while (submitted < statuses.length
          && submit(queue, requests.get(submitted), submitted, statuses)) {
        submitted++;
      }
      queue.ring();
      if (submitted == statuses.length && Arrays.stream(statuses).noneMatch(s -> s == UNDER_WAY)) {
        return Arrays.toString(statuses);
      }
      queue.await();
    }
    throw new AssertionError("requests that are never complete: " + Arrays.toString(statuses));
  }

  private boolean submit(Requests queue, Request request, int index, int[] statuses) {
    int offset = request.first * BLOCK;
    return queue.submit(
        request.writes(),
        offset,
        buffer(),
        offset,
        request.count * BLOCK,
        (context, status) -> {
          assertThat(statuses[(int) context]).as("completed once").isEqualTo(UNDER_WAY);
          statuses[(int) context] = status;
        },
        index);
  }

  private void ended(Request request, boolean done, boolean corrupt) {
    if (request.writes()) {
      wrote(request.first, request.count, request.number, done);
    } else if (done && !corrupt) {
      check(request.first, request.count, request.first);
    }
  }

  private Operation read(int first, int count) {
    fill(0, count, -1);
    return new Operation(
        "read %d blocks at %d".formatted(count, first),
        () -> {
          disk().read().move((long) first * BLOCK, buffer(), 0, count * BLOCK);
          return "blocks of " + IntStream.range(0, count).mapToObj(i -> word(i * BLOCK)).toList();
        },
        (done, corrupt) -> {
          if (done && !corrupt) {
            check(first, count, 0);
          }
        });
  }

  private Operation write(int first, int count) {
    int number = ++writes;
    fill(0, count, number);
    return new Operation(
        "write %d of %d blocks at %d".formatted(number, count, first),
        () -> done(() -> disk().write().move((long) first * BLOCK, buffer(), 0, count * BLOCK)),
        (done, _) -> wrote(first, count, number, done));
  }

  private void wrote(int first, int count, int number, boolean done) {
    for (Set<Integer> block : possible.subList(first, first + count)) {
      if (done) {
        block.clear();
      }
      block.add(number);
    }
  }

  @Override
  public void prove(boolean unknown) {
    if (unknown) {
      int number = ++writes;
      fill(0, BLOCKS, number);
      disk().write().move(0, buffer(), 0, SIZE);
      possible.replaceAll(_ -> new TreeSet<>(Set.of(number)));
    }
    fill(0, BLOCKS, -1);
    disk().read().move(0, buffer(), 0, SIZE);
    check(0, BLOCKS, 0);
  }

  /**
   * Checks what was read.
   *
   * @param at the place in the buffer, in blocks
   */
  private void check(int first, int count, int at) {
    for (int i = 0; i < count; i++) {
      int block = first + i;
      int start = (at + i) * BLOCK;
      int found = word(start);
      assertThat(possible.get(block)).as(() -> "block " + block).contains(found);
      for (int offset = 0; offset < BLOCK; offset += Integer.BYTES) {
        if (word(start + offset) != found) {
          assertThat(word(start + offset)).as("all of block %d", block).isEqualTo(found);
        }
      }
      possible.set(block, new TreeSet<>(Set.of(found)));
    }
  }

  private void fill(int first, int count, int number) {
    for (int at = first * BLOCK; at < (first + count) * BLOCK; at += Integer.BYTES) {
      buffer().putIntRelease(at, number);
    }
  }

  private int word(int offset) {
    return buffer().getIntAcquire(offset);
  }

  private DmaBuffer buffer() {
    return present(memory);
  }

  private Disk disk() {
    return present(opened);
  }

  private static <T> T present(@Nullable T part) {
    if (part == null) {
      throw new IllegalStateException("it is not open");
    }
    return part;
  }

  /** The driver first: what it has lost track of may still write memory until the reset. */
  @Override
  public void close() {
    try (DmaBuffer _ = buffer()) {
      disk().close().run();
    }
  }
}
