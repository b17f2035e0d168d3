package org.gatun.hostile;

import java.time.Duration;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import org.gatun.driver.nvme.Completion;
import org.gatun.driver.nvme.NvmeCallback;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeNamespace;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.driver.nvme.NvmeQueuePair;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;

/**
 * Honest work on an NVMe disk, in a guest or anywhere: commands of 4 KiB, 32 of them in flight and
 * polled unless said otherwise.
 */
public final class DiskLoad implements NvmeCallback {
  /** What {@link #measure} prints first. */
  public static final String READING = "reading";

  /** How many commands are in flight if nothing else is said. */
  public static final int DEPTH = 32;

  private static final int IO_SIZE = 4096;
  private static final Duration WAIT = Duration.ofSeconds(30);
  private static final Duration TELL = Duration.ofMillis(100);

  private final NvmeNamespace namespace;
  private final NvmeQueuePair queue;
  private final DmaBuffer buffer;
  private final int depth;
  private final boolean writes;
  private final SplittableRandom random = new SplittableRandom(1);
  private long left;
  private long done;
  private boolean timed;
  private long lastCompleted;
  private long longest;

  private DiskLoad(
      NvmeController controller, DmaBuffer buffer, Completion completion, boolean writes) {
    this(controller, buffer, DEPTH, completion, writes);
  }

  private DiskLoad(
      NvmeController controller,
      DmaBuffer buffer,
      int depth,
      Completion completion,
      boolean writes) {
    this.namespace = controller.namespace(1);
    this.queue = controller.createQueuePair(depth, completion);
    this.buffer = buffer;
    this.depth = depth;
    this.writes = writes;
  }

  /**
   * Reads at random, after half as many reads that are not counted. Prints {@link #READING} before
   * the first one, and "COUNT reads in NANOSECONDS ns" after the last.
   *
   * @param depth how many are in flight
   * @param then run after that, while the device is still set up
   */
  public static void measure(
      PciDevice device, long count, int depth, Completion completion, Runnable then) {
    try (NvmeController controller = NvmeController.open(device, NvmeOptions.defaults());
        DmaBuffer buffer = device.dma().allocate((long) depth * IO_SIZE, IO_SIZE)) {
      DiskLoad load = new DiskLoad(controller, buffer, depth, completion, false);
      System.out.println(READING);
      load.run(count / 2);
      long start = System.nanoTime();
      load.run(count);
      System.out.println("%d reads in %d ns".formatted(count, System.nanoTime() - start));
      then.run();
    }
  }

  /** Reads and writes until it is told to end, or the device is gone. */
  static void run(PciDevice device, CountDownLatch end) {
    try (NvmeController controller = NvmeController.open(device, NvmeOptions.defaults());
        DmaBuffer buffer = device.dma().allocate((long) DEPTH * IO_SIZE, IO_SIZE)) {
      DiskLoad load = new DiskLoad(controller, buffer, Completion.INTERRUPT, true);
      while (end.getCount() > 0) {
        load.run(DEPTH);
      }
    }
  }

  /**
   * Opens a disk for {@link #runOnce}: with interrupts, reading and writing, until the process
   * ends.
   */
  static DiskLoad open(PciDevice device) {
    return new DiskLoad(
        NvmeController.open(device, NvmeOptions.defaults()),
        device.dma().allocate((long) DEPTH * IO_SIZE, IO_SIZE),
        Completion.INTERRUPT,
        true);
  }

  /** Reads and writes a little. */
  void runOnce() {
    run(DEPTH);
  }

  /** Reads until it is told to end, and prints a {@link Progress} ten times a second. */
  static void watch(PciDevice device, CountDownLatch end) {
    try (NvmeController controller = NvmeController.open(device, NvmeOptions.defaults());
        DmaBuffer buffer = device.dma().allocate((long) DEPTH * IO_SIZE, IO_SIZE)) {
      DiskLoad load = new DiskLoad(controller, buffer, Completion.POLL, false);
      load.lastCompleted = System.nanoTime();
      long told = load.lastCompleted;
      load.timed = true;
      while (end.getCount() > 0) {
        load.run(DEPTH);
        if (load.lastCompleted - told >= TELL.toNanos()) {
          told = load.lastCompleted;
          System.out.println(new Progress(told, load.done, load.longest).text());
          load.longest = 0;
        }
      }
    }
  }

  /**
   * How far one is.
   *
   * @param time as {@link System#nanoTime} has it, which is the same in all processes
   * @param done so far
   * @param longest time between two completions since the last one was told, in nanoseconds
   */
  public record Progress(long time, long done, long longest) {
    private static final String PREFIX = "progress ";

    private String text() {
      return PREFIX + time + " " + done + " " + longest;
    }

    /** Those that are among the lines of a guest's output. */
    public static List<Progress> in(List<String> lines) {
      return lines.stream()
          .filter(line -> line.startsWith(PREFIX))
          .map(line -> line.substring(PREFIX.length()).split(" ", -1))
          .map(
              numbers ->
                  new Progress(
                      Long.parseLong(numbers[0]),
                      Long.parseLong(numbers[1]),
                      Long.parseLong(numbers[2])))
          .toList();
    }
  }

  private void run(long count) {
    long target = done + count;
    left = count;
    for (int slot = 0; slot < depth && left > 0; slot++) {
      submit(slot);
    }
    queue.ring();
    while (done < target) {
      if (queue.poll() == 0 && queue.completion() == Completion.INTERRUPT) {
        queue.await(WAIT);
      }
      queue.ring();
    }
  }

  private void submit(long slot) {
    left--;
    int blocks = IO_SIZE / namespace.blockSize();
    long lba = random.nextLong(namespace.blocks() / blocks) * blocks;
    long offset = slot * IO_SIZE;
    boolean accepted =
        (writes && random.nextBoolean())
            ? queue.submitWrite(namespace, lba, blocks, buffer, offset, this, slot)
            : queue.submitRead(namespace, lba, blocks, buffer, offset, this, slot);
    if (!accepted) {
      throw new IllegalStateException("the queue takes fewer commands than its depth");
    }
  }

  @Override
  public void completed(long slot, int status) {
    if (status != 0) {
      throw new IllegalStateException("status " + status);
    }
    done++;
    if (timed) {
      long now = System.nanoTime();
      longest = Math.max(longest, now - lastCompleted);
      lastCompleted = now;
    }
    if (left > 0) {
      submit(slot);
    }
  }
}
