package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.util.function.ToLongFunction;
import org.HdrHistogram.Histogram;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.SimulatedBus;
import org.gatun.testkit.DeviceRoute;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The data path allocates nothing: exactly, over ten million commands, or as many as {@code
 * -Dgatun.ios} says. What it prints of time is not asserted.
 */
@Tag(DeviceRoute.VIRTUAL_TIME) // its time is real, but it is for the straight way only
class NvmeAllocationTest {
  private static final int WARM_UP = 300_000;
  private static final int LONGEST_WARM_UP = 10 * WARM_UP;
  private static final int COMMANDS = Integer.getInteger("gatun.ios", 10_000_000);
  private static final int BLOCKS = 24;
  private static final long LONGEST_NANOS = 60_000_000_000L;

  /** Of a fixed range: it allocates nothing later. */
  private final Histogram latencies = new Histogram(LONGEST_NANOS, 3);

  private final NvmeCallback callback = this::note;
  private long completed;
  private long failed;

  @Test
  void commandsAllocateNothing() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    NvmeModel model = NvmeModel.builder().size(1 << 20).build();
    try (SimulatedBus bus = SimulatedBus.realTime();
        PciDevice device = bus.open(bus.plug("nvme", model));
        NvmeController controller =
            NvmeController.open(
                device, NvmeOptions.defaults().withTime(bus.time()).withQueueDepth(32));
        NvmeQueuePair queue = controller.createQueuePair();
        DmaBuffer buffer = device.dma().allocate(1 << 20, 4096)) {
      // Until all is compiled: that may take a while on a busy machine.
      long warm = -1;
      long started = 0;
      while (warm != 0 && started < LONGEST_WARM_UP) {
        long cold = threads.getCurrentThreadAllocatedBytes();
        run(queue, controller.namespace(1), buffer, WARM_UP);
        started += WARM_UP;
        warm = threads.getCurrentThreadAllocatedBytes() - cold;
      }
      latencies.reset();
      long collections = collectors(GarbageCollectorMXBean::getCollectionCount);
      long pauses = collectors(GarbageCollectorMXBean::getCollectionTime);
      long start = System.nanoTime();
      long before = threads.getCurrentThreadAllocatedBytes();
      run(queue, controller.namespace(1), buffer, COMMANDS);
      long after = threads.getCurrentThreadAllocatedBytes();
      System.out.printf(
          "allocation: %,d commands, %d bytes, %.1f s; %d garbage collections of %d ms;"
              + " latency in ns: p50 %d, p99 %d, p99.9 %d, most %d%n",
          COMMANDS,
          after - before,
          (System.nanoTime() - start) / 1e9,
          collectors(GarbageCollectorMXBean::getCollectionCount) - collections,
          collectors(GarbageCollectorMXBean::getCollectionTime) - pauses,
          latencies.getValueAtPercentile(50),
          latencies.getValueAtPercentile(99),
          latencies.getValueAtPercentile(99.9),
          latencies.getMaxValue());
      assertThat(completed).isEqualTo(started + COMMANDS);
      assertThat(failed).isZero();
      assertThat(after - before).as("bytes allocated").isZero();
    }
  }

  /** Reads and writes of one block, of two pages, and of a PRP list, as deep as the queue is. */
  private void run(NvmeQueuePair queue, NvmeNamespace namespace, DmaBuffer buffer, int commands) {
    int submitted = 0;
    while (submitted < commands || queue.inFlight() > 0) {
      while (submitted < commands) {
        int blocks = submitted % 8 == 0 ? BLOCKS : submitted % 8 == 1 ? 16 : 1;
        long lba = submitted % (2048 - BLOCKS);
        long at = 512L * lba;
        long now = System.nanoTime();
        boolean room =
            (submitted & 1) == 0
                ? queue.submitRead(namespace, lba, blocks, buffer, at, callback, now)
                : queue.submitWrite(namespace, lba, blocks, buffer, at, callback, now);
        if (!room) {
          break;
        }
        submitted++;
      }
      queue.ring();
      queue.poll();
    }
  }

  private static long collectors(ToLongFunction<GarbageCollectorMXBean> value) {
    return ManagementFactory.getGarbageCollectorMXBeans().stream().mapToLong(value).sum();
  }

  private void note(long submitted, int status) {
    latencies.recordValue(Math.min(System.nanoTime() - submitted, LONGEST_NANOS));
    completed++;
    if (status != 0) {
      failed++;
    }
  }
}
