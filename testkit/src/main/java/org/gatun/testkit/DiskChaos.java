package org.gatun.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.fault.Chaos;
import org.gatun.simulated.fault.Effect;
import org.gatun.simulated.fault.Faults;
import org.gatun.testkit.DiskChaosContract.Disk;
import org.jspecify.annotations.Nullable;

/**
 * A run of {@link DiskChaosContract}. Each block holds a number in all its words: that of the write
 * that it is of. Of a write that failed, a block may have the old one or the new one.
 */
final class DiskChaos implements AutoCloseable {
  private static final int BLOCK = 512;
  private static final int BLOCKS = 64;
  private static final int SIZE = BLOCK * BLOCKS;

  /** More than any fault lasts: then the device is what it was. */
  private static final Duration ALL_OVER = Duration.ofMinutes(5);

  private final DiskChaosContract contract;
  private final Chaos chaos;
  private final Random random;
  private final Faults faults = new Faults();
  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final TimeSource time = bus.time();
  private final MessageDigest digest;

  /** What each block may hold. */
  private final List<Set<Integer>> possible = new ArrayList<>();

  private @Nullable PciDevice device;
  private @Nullable DmaBuffer buffer;
  private @Nullable Disk disk;
  private int step;
  private int writes;
  private int successes;
  private int failures;
  private long longest;

  DiskChaos(DiskChaosContract contract, long seed) {
    this.contract = contract;
    this.chaos = new Chaos(seed);
    this.random = new Random(seed);
    for (int i = 0; i < BLOCKS; i++) {
      possible.add(new TreeSet<>(Set.of(0)));
    }
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  int successes() {
    return successes;
  }

  int failures() {
    return failures;
  }

  /** Of what was done, what came of it, and when. */
  String digest() {
    return HexFormat.of().formatHex(digest.digest());
  }

  @Override
  public String toString() {
    return "%d steps, %d operations succeeded, %d failed, the longest took %s of the bus's time"
        .formatted(step, successes, failures, Duration.ofNanos(longest));
  }

  void steps(int count) {
    recover(false);
    for (int i = 0; i < count; i++) {
      step++;
      if (random.nextInt(3) > 0) {
        faults.add(chaos.next());
      }
      boolean corrupt = faults.active().stream().anyMatch(f -> f.effect() instanceof Effect.Flip);
      boolean sound = attempt();
      if (!sound || corrupt) {
        recover(corrupt);
      } else {
        faults.clear();
      }
    }
  }

  /** Does something; whether the driver can go on. */
  private boolean attempt() {
    return switch (random.nextInt(8)) {
      case 0 -> reopen();
      case 1 -> succeeds("flush", disk().flush());
      case 2, 3, 4 -> read();
      default -> write();
    };
  }

  private boolean reopen() {
    closeDisk();
    return succeeds("open", this::openDisk);
  }

  private boolean write() {
    int first = random.nextInt(BLOCKS);
    int count = 1 + random.nextInt(BLOCKS - first);
    int number = ++writes;
    fill(count, number);
    boolean done =
        succeeds(
            "write %d of %d blocks at %d".formatted(number, count, first),
            () -> disk().write().move((long) first * BLOCK, buffer(), 0, count * BLOCK));
    for (Set<Integer> block : possible.subList(first, first + count)) {
      if (done) {
        block.clear();
      }
      block.add(number);
    }
    return done;
  }

  private boolean read() {
    int first = random.nextInt(BLOCKS);
    int count = 1 + random.nextInt(BLOCKS - first);
    fill(count, -1);
    boolean done =
        succeeds(
            "read %d blocks at %d".formatted(count, first),
            () -> disk().read().move((long) first * BLOCK, buffer(), 0, count * BLOCK));
    boolean corrupt = faults.active().stream().anyMatch(f -> f.effect() instanceof Effect.Flip);
    if (done && !corrupt) {
      check(first, count);
    }
    return done;
  }

  private void check(int first, int count) {
    for (int i = 0; i < count; i++) {
      int block = first + i;
      int found = word(i * BLOCK);
      assertThat(possible.get(block)).as(where(() -> "block " + block)).contains(found);
      for (int at = 0; at < BLOCK; at += Integer.BYTES) {
        assertThat(word(i * BLOCK + at)).as(where(() -> "all of block " + block)).isEqualTo(found);
      }
      possible.set(block, new TreeSet<>(Set.of(found)));
    }
  }

  /** Closes all, with what goes wrong going on; then, with a sound device, all is well again. */
  private void recover(boolean corrupt) {
    closeDisk();
    closeDevice();
    faults.clear();
    time.sleep(ALL_OVER);
    boolean isNew = bus.scan().isEmpty();
    DeviceName name =
        isNew ? bus.plug("disk", faults.on(contract.model(SIZE))) : bus.scan().getFirst().name();
    device = bus.open(name);
    buffer = device().dma().allocate(SIZE, 4096);
    assertThat(succeeds("open a sound device", this::openDisk))
        .as(where(() -> "a sound device"))
        .isTrue();
    if (corrupt || isNew) {
      int number = ++writes;
      fill(BLOCKS, number);
      assertThat(succeeds("write all", () -> disk().write().move(0, buffer(), 0, SIZE)))
          .as(where(() -> "a sound device"))
          .isTrue();
      possible.replaceAll(_ -> new TreeSet<>(Set.of(number)));
    }
    fill(BLOCKS, -1);
    assertThat(succeeds("read all", () -> disk().read().move(0, buffer(), 0, SIZE)))
        .as(where(() -> "a sound device"))
        .isTrue();
    check(0, BLOCKS);
  }

  private void openDisk() {
    disk = contract.open(device(), time, random.nextBoolean());
  }

  private void closeDisk() {
    Disk open = disk;
    disk = null;
    if (open != null) {
      succeeds("close", open.close());
    }
  }

  private void closeDevice() {
    PciDevice open = device;
    DmaBuffer memory = buffer;
    device = null;
    buffer = null;
    if (open != null && memory != null) {
      memory.close();
      assertThat(open.usage()).as(where(() -> "left open")).isEqualTo(PciDevice.Usage.NONE);
      open.close();
    }
  }

  private boolean succeeds(String operation, Runnable action) {
    long start = time.nanoTime();
    String outcome = "done";
    boolean done = false;
    try {
      action.run();
      done = true;
      successes++;
    } catch (PciException e) {
      failures++;
      outcome = e.toString();
    } catch (RuntimeException | Error e) {
      throw new AssertionError(where(() -> operation + ": not a typed error").get(), e);
    }
    took(operation, start);
    note(operation + ": " + outcome);
    return done;
  }

  private void took(String operation, long start) {
    long nanos = time.nanoTime() - start;
    longest = Math.max(longest, nanos);
    assertThat(Duration.ofNanos(nanos))
        .as(where(() -> "time of " + operation))
        .isLessThanOrEqualTo(contract.limit());
  }

  private void note(String line) {
    digest.update(
        "%d: %s %s at %d%n"
            .formatted(step, faults.active(), line, time.nanoTime())
            .getBytes(StandardCharsets.UTF_8));
  }

  private Supplier<String> where(Supplier<String> what) {
    return () ->
        "seed %d, step %d, with %s: %s".formatted(chaos.seed(), step, faults.active(), what.get());
  }

  private void fill(int count, int number) {
    for (int at = 0; at < count * BLOCK; at += Integer.BYTES) {
      buffer().putIntRelease(at, number);
    }
  }

  private int word(int offset) {
    return buffer().getIntAcquire(offset);
  }

  private PciDevice device() {
    return present(device);
  }

  private DmaBuffer buffer() {
    return present(buffer);
  }

  private Disk disk() {
    return present(disk);
  }

  private static <T> T present(@Nullable T part) {
    if (part == null) {
      throw new IllegalStateException("it is not open");
    }
    return part;
  }

  @Override
  public void close() {
    closeDisk();
    closeDevice();
    bus.close();
  }
}
