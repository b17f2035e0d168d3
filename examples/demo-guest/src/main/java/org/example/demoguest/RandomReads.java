package org.example.demoguest;

import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import java.util.function.BooleanSupplier;
import org.gatun.driver.nvme.NvmeCallback;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeNamespace;
import org.gatun.driver.nvme.NvmeQueuePair;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciException;
import org.gatun.pci.TimeSource;
import org.gatun.specs.nvme.NvmeStatus;

/**
 * Reads of 4 KiB at random places, 32 in flight, for a second. It allocates nothing meanwhile: the
 * callback of each read starts the next one.
 */
final class RandomReads implements NvmeCallback {
  static final int DEPTH = 32;
  static final int BLOCK = 4096;

  private static final Duration LENGTH = Duration.ofSeconds(1);
  private static final Duration WAIT = Duration.ofMillis(10);

  /** Of so many reads, the last ones, the latency is kept. */
  private static final int KEPT = 1 << 20;

  private final DeviceName device;
  private final NvmeNamespace namespace;
  private final NvmeQueuePair queue;
  private final DmaBuffer buffer;
  private final TimeSource time;
  private final Random random = new Random();

  /** When the read began that has this place in the buffer. */
  private final long[] started = new long[DEPTH];

  private final long[] latencies = new long[KEPT];
  private int reads;
  private boolean ending;

  /**
   * @param queue of {@link #DEPTH} commands, polled
   * @param buffer with room for as many blocks
   */
  RandomReads(NvmeController controller, NvmeQueuePair queue, DmaBuffer buffer, TimeSource time) {
    this.device = controller.name();
    this.namespace = controller.namespace(1);
    this.queue = queue;
    this.buffer = buffer;
    this.time = time;
  }

  /** Measures, and prints what came out. */
  void run(BooleanSupplier stopping) {
    long start = time.nanoTime();
    for (int place = 0; place < DEPTH; place++) {
      submit(place);
    }
    queue.ring();
    while (time.nanoTime() - start < LENGTH.toNanos() && !stopping.getAsBoolean()) {
      // One write to the doorbell tells of all that the callbacks have submitted.
      if (queue.await(WAIT) > 0) {
        queue.ring();
      }
    }
    double seconds = (time.nanoTime() - start) / 1e9;
    int counted = reads;
    ending = true;
    while (queue.inFlight() > 0) {
      queue.await(WAIT);
    }
    if (!stopping.getAsBoolean()) {
      print(counted, seconds);
    }
  }

  private void submit(int place) {
    long block = random.nextLong(namespace.sizeBytes() / BLOCK);
    int blocks = BLOCK / namespace.blockSize();
    started[place] = time.nanoTime();
    long offset = (long) place * BLOCK;
    queue.submitRead(namespace, block * blocks, blocks, buffer, offset, this, place);
  }

  @Override
  public void completed(long place, int status) {
    if (status != 0) {
      throw new PciException(
          device, "a read of 4 KiB failed: " + NvmeStatus.describe(status), null, null);
    }
    latencies[reads++ & KEPT - 1] = time.nanoTime() - started[(int) place];
    if (!ending) {
      submit((int) place);
    }
  }

  private void print(int counted, double seconds) {
    long[] sorted = Arrays.copyOf(latencies, Math.min(reads, KEPT));
    Arrays.sort(sorted);
    System.out.printf("Random reads of 4 KiB, %d in flight:%n", DEPTH);
    System.out.printf("  iops           %.0f%n", counted / seconds);
    System.out.printf("  latency p50    %.1f us%n", percentile(sorted, 50));
    System.out.printf("  latency p99    %.1f us%n", percentile(sorted, 99));
    System.out.printf("  latency p99.9  %.1f us%n", percentile(sorted, 99.9));
  }

  private static double percentile(long[] sorted, double percent) {
    return sorted[(int) (percent / 100 * (sorted.length - 1))] / 1e3;
  }
}
