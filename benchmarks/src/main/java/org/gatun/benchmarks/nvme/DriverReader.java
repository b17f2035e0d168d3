package org.gatun.benchmarks.nvme;

import org.HdrHistogram.Histogram;
import org.gatun.driver.nvme.Completion;
import org.gatun.driver.nvme.NvmeCallback;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeNamespace;
import org.gatun.driver.nvme.NvmeQueuePair;
import org.gatun.pci.DmaBuffer;

/** The driver: what is complete is submitted anew from its callback; the contexts are the slots. */
final class DriverReader implements RandomReader, NvmeCallback {
  private final Target target;
  private final NvmeNamespace namespace;
  private final NvmeQueuePair pair;
  private final DmaBuffer data;
  private final int firstPage;
  private final int depth;
  private final int lbas;
  private final long mask;
  private final long[] blocks;
  private final long[] started;

  private long random;
  private long toSubmit;
  private boolean timed;
  private int[] latencies = {};
  private int completed;
  private int failed;

  DriverReader(Target target, NvmeController controller, int queue, int depth) {
    this.target = target;
    this.namespace = controller.namespace(1);
    this.pair = controller.createQueuePair(depth, Completion.POLL);
    this.data = target.data();
    this.firstPage = queue * depth;
    this.depth = depth;
    this.lbas = target.lbas();
    this.mask = target.blocks() - 1L;
    this.blocks = new long[depth];
    this.started = new long[depth];
    this.random = SEED + queue;
  }

  @Override
  public void read(long count) {
    toSubmit = count;
    int slots = (int) Math.min(depth, count);
    for (int slot = 0; slot < slots; slot++) {
      submit(slot);
    }
    pair.ring();
    while (pair.inFlight() > 0) {
      if (pair.poll() == 0) {
        Thread.onSpinWait();
      } else {
        pair.ring();
      }
    }
    if (failed > 0) {
      throw new IllegalStateException(failed + " reads failed");
    }
    for (int slot = 0; slot < slots; slot++) {
      target.check(firstPage + slot, blocks[slot]);
    }
  }

  @Override
  public void read(int count, Histogram histogram) {
    latencies = new int[count];
    completed = 0;
    timed = true;
    read(count);
    timed = false;
    for (int latency : latencies) {
      histogram.recordValue(latency);
    }
  }

  private void submit(int slot) {
    random = random * 6364136223846793005L + 1442695040888963407L;
    long block = random >>> 33 & mask;
    blocks[slot] = block;
    if (timed) {
      started[slot] = System.nanoTime();
    }
    toSubmit--;
    pair.submitRead(
        namespace, block * lbas, lbas, data, (long) (firstPage + slot) * Target.BLOCK, this, slot);
  }

  @Override
  public void completed(long context, int status) {
    failed += status == 0 ? 0 : 1;
    int slot = (int) context;
    if (timed) {
      latencies[completed++] = (int) (System.nanoTime() - started[slot]);
    }
    if (toSubmit > 0) {
      submit(slot);
    }
  }
}
