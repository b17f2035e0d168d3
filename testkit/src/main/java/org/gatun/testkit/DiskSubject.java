package org.gatun.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.DeviceModel;
import org.gatun.testkit.ChaosContract.Operation;
import org.gatun.testkit.DiskChaosContract.Disk;
import org.jspecify.annotations.Nullable;

/**
 * A disk, for {@link DiskChaosContract}. Each block holds a number in all its words: that of the
 * write that it is of. Of a write that failed, a block may have the old one or the new one.
 */
final class DiskSubject implements ChaosContract.Subject {
  private static final int BLOCK = 512;
  private static final int BLOCKS = 64;
  private static final int SIZE = BLOCK * BLOCKS;

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
    return switch (random.nextInt(8)) {
      case 0 -> new Operation("flush", disk().flush(), (_, _) -> {});
      case 1, 2, 3 -> read(first, count);
      default -> write(first, count);
    };
  }

  private Operation read(int first, int count) {
    fill(count, -1);
    return new Operation(
        "read %d blocks at %d".formatted(count, first),
        () -> disk().read().move((long) first * BLOCK, buffer(), 0, count * BLOCK),
        (done, corrupt) -> {
          if (done && !corrupt) {
            check(first, count);
          }
        });
  }

  private Operation write(int first, int count) {
    int number = ++writes;
    fill(count, number);
    return new Operation(
        "write %d of %d blocks at %d".formatted(number, count, first),
        () -> disk().write().move((long) first * BLOCK, buffer(), 0, count * BLOCK),
        (done, _) -> {
          for (Set<Integer> block : possible.subList(first, first + count)) {
            if (done) {
              block.clear();
            }
            block.add(number);
          }
        });
  }

  @Override
  public void prove(boolean unknown) {
    if (unknown) {
      int number = ++writes;
      fill(BLOCKS, number);
      disk().write().move(0, buffer(), 0, SIZE);
      possible.replaceAll(_ -> new TreeSet<>(Set.of(number)));
    }
    fill(BLOCKS, -1);
    disk().read().move(0, buffer(), 0, SIZE);
    check(0, BLOCKS);
  }

  private void check(int first, int count) {
    for (int i = 0; i < count; i++) {
      int block = first + i;
      int found = word(i * BLOCK);
      assertThat(possible.get(block)).as(() -> "block " + block).contains(found);
      for (int at = 0; at < BLOCK; at += Integer.BYTES) {
        assertThat(word(i * BLOCK + at)).as(() -> "all of block " + block).isEqualTo(found);
      }
      possible.set(block, new TreeSet<>(Set.of(found)));
    }
  }

  private void fill(int count, int number) {
    for (int at = 0; at < count * BLOCK; at += Integer.BYTES) {
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
