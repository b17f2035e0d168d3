package org.gatun.hostile;

import java.time.Duration;
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

/** Honest work on an NVMe disk, in a guest or anywhere: 32 commands of 4 KiB in flight, polled. */
public final class DiskLoad implements NvmeCallback {
  private static final int DEPTH = 32;
  private static final int IO_SIZE = 4096;
  private static final Duration WAIT = Duration.ofSeconds(30);

  private final NvmeNamespace namespace;
  private final NvmeQueuePair queue;
  private final DmaBuffer buffer;
  private final boolean writes;
  private final SplittableRandom random = new SplittableRandom(1);
  private long left;
  private long done;

  private DiskLoad(
      NvmeController controller, DmaBuffer buffer, Completion completion, boolean writes) {
    this.namespace = controller.namespace(1);
    this.queue = controller.createQueuePair(DEPTH, completion);
    this.buffer = buffer;
    this.writes = writes;
  }

  /**
   * Reads at random, after half as many reads that are not counted.
   *
   * @return "COUNT reads in NANOSECONDS ns"
   */
  public static String measure(PciDevice device, long count) {
    try (NvmeController controller = NvmeController.open(device, NvmeOptions.defaults());
        DmaBuffer buffer = device.dma().allocate((long) DEPTH * IO_SIZE, IO_SIZE)) {
      DiskLoad load = new DiskLoad(controller, buffer, Completion.POLL, false);
      load.run(count / 2);
      System.out.println("warm");
      long start = System.nanoTime();
      load.run(count);
      return "%d reads in %d ns".formatted(count, System.nanoTime() - start);
    }
  }

  /**
   * Reads and writes until it is told to end, or the device is gone.
   *
   * @param going run once I/O is going
   */
  static void run(PciDevice device, Runnable going, CountDownLatch end) {
    try (NvmeController controller = NvmeController.open(device, NvmeOptions.defaults());
        DmaBuffer buffer = device.dma().allocate((long) DEPTH * IO_SIZE, IO_SIZE)) {
      DiskLoad load = new DiskLoad(controller, buffer, Completion.INTERRUPT, true);
      load.run(DEPTH);
      going.run();
      while (end.getCount() > 0) {
        load.run(DEPTH);
      }
    }
  }

  private void run(long count) {
    long target = done + count;
    left = count;
    for (int slot = 0; slot < DEPTH && left > 0; slot++) {
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
    if (left > 0) {
      submit(slot);
    }
  }
}
