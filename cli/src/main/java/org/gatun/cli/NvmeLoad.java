package org.gatun.cli;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.HdrHistogram.Histogram;
import org.gatun.driver.nvme.Completion;
import org.gatun.driver.nvme.NvmeCallback;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeNamespace;
import org.gatun.driver.nvme.NvmeQueuePair;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciException;
import org.gatun.specs.nvme.NvmeStatus;

/**
 * Keeps queue pairs full for a while, a thread each, and measures.
 *
 * @param blockSize of an access, in bytes: a multiple of the namespace's block
 * @param queueDepth accesses in flight on each queue pair
 */
record NvmeLoad(
    HeldDevice held,
    NvmeController controller,
    NvmeNamespace namespace,
    NvmeWorkload workload,
    int blockSize,
    int queueDepth,
    int queues,
    Completion completion) {
  /** The first part of the time is not counted: the compiler is at work. */
  private static final double WARM_UP = 0.2;

  private static final Duration INTERRUPT_WAIT = Duration.ofMillis(100);

  /**
   * What a load did.
   *
   * @param latency in nanoseconds
   * @param cpuNanos of the I/O threads
   * @param allocatedBytes by the I/O threads
   */
  record Result(
      long ios, double seconds, Histogram latency, long cpuNanos, long allocatedBytes, int block) {
    double iops() {
      return ios / seconds;
    }

    double mebibytesPerSecond() {
      return iops() * block / (1 << 20);
    }

    double latencyMicros(double percentile) {
      return latency.getValueAtPercentile(percentile) / 1000.0;
    }

    double averageMicros() {
      return latency.getMean() / 1000.0;
    }

    double allocatedPerIo() {
      return (double) allocatedBytes / ios;
    }

    double cpuMicrosPerIo() {
      return cpuNanos / 1000.0 / ios;
    }
  }

  Result run(Duration duration) {
    try (ExecutorService threads = Executors.newFixedThreadPool(queues)) {
      List<Future<Result>> running = new ArrayList<>();
      for (int queue = 0; queue < queues; queue++) {
        running.add(threads.submit(runQueue(queue, duration)));
      }
      List<Result> results = new ArrayList<>();
      for (Future<Result> queue : running) {
        results.add(queue.get());
      }
      return sum(results);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof RuntimeException cause
          ? cause
          : new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }

  private static Result sum(List<Result> results) {
    Histogram latency = results.getFirst().latency();
    results.stream().skip(1).forEach(r -> latency.add(r.latency()));
    return new Result(
        results.stream().mapToLong(Result::ios).sum(),
        results.stream().mapToDouble(Result::seconds).max().orElseThrow(),
        latency,
        results.stream().mapToLong(Result::cpuNanos).sum(),
        results.stream().mapToLong(Result::allocatedBytes).sum(),
        results.getFirst().block());
  }

  private Callable<Result> runQueue(int index, Duration duration) {
    return () -> {
      try (DmaBuffer data = held.device().dma().allocate((long) blockSize * queueDepth, 4096);
          NvmeQueuePair queue = controller.createQueuePair(queueDepth, completion)) {
        return new Worker(index, queue, data).run(duration);
      }
    };
  }

  /** One thread with one queue pair. */
  private final class Worker implements NvmeCallback {
    private final NvmeQueuePair queue;
    private final DmaBuffer data;
    private final NvmeWorkload.Offsets offsets;
    private final int blocks = blockSize / namespace.blockSize();
    private final long[] submitted = new long[queueDepth];
    private final long[] lba = new long[queueDepth];
    private Histogram latency = newHistogram();
    private boolean stopping;
    private int inFlight;
    private long ios;

    Worker(int index, NvmeQueuePair queue, DmaBuffer data) {
      this.queue = queue;
      this.data = data;
      long units = namespace.sizeBytes() / blockSize;
      this.offsets = workload.offsets(units, units / queues * index);
    }

    Result run(Duration duration) {
      ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
      long self = Thread.currentThread().threadId();
      for (int slot = 0; slot < queueDepth; slot++) {
        submit(slot);
      }
      queue.ring();
      long warm = System.nanoTime() + (long) (duration.toNanos() * WARM_UP);
      while (System.nanoTime() - warm < 0 && !held.isWanted()) {
        turn();
      }
      latency = newHistogram();
      ios = 0;
      long start = System.nanoTime();
      long end = start + duration.toNanos();
      long cpu = threads.getThreadCpuTime(self);
      long allocated = threads.getThreadAllocatedBytes(self);
      while (System.nanoTime() - end < 0 && !held.isWanted()) {
        turn();
      }
      allocated = threads.getThreadAllocatedBytes(self) - allocated;
      cpu = threads.getThreadCpuTime(self) - cpu;
      double seconds = (System.nanoTime() - start) / 1e9;
      long counted = ios;
      Histogram measured = latency;
      latency = newHistogram();
      stopping = true;
      while (inFlight > 0) {
        turn();
      }
      held.check();
      return new Result(counted, seconds, measured, cpu, allocated, blockSize);
    }

    private void turn() {
      int done = completion == Completion.POLL ? queue.poll() : queue.await(INTERRUPT_WAIT);
      if (done > 0) {
        queue.ring();
      }
    }

    private void submit(int slot) {
      lba[slot] = offsets.next() * blocks;
      submitted[slot] = System.nanoTime();
      long offset = (long) slot * blockSize;
      boolean accepted =
          workload.writes()
              ? queue.submitWrite(namespace, lba[slot], blocks, data, offset, this, slot)
              : queue.submitRead(namespace, lba[slot], blocks, data, offset, this, slot);
      if (!accepted) {
        throw new IllegalStateException("a queue of depth " + queueDepth + " took fewer commands");
      }
      inFlight++;
    }

    @Override
    public void completed(long context, int status) {
      int slot = (int) context;
      inFlight--;
      if (status != 0) {
        throw new PciException(
            controller.name(),
            "%s at LBA %d: %s".formatted(workload, lba[slot], NvmeStatus.describe(status)),
            controller.lastReset().map(why -> "the controller was reset: " + why).orElse(null),
            null);
      }
      latency.recordValue(Math.min(System.nanoTime() - submitted[slot], HIGHEST));
      ios++;
      if (!stopping) {
        submit(slot);
      }
    }
  }

  private static final long HIGHEST = Duration.ofMinutes(1).toNanos();

  private static Histogram newHistogram() {
    return new Histogram(HIGHEST, 3);
  }
}
