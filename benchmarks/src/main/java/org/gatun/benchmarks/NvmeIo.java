package org.gatun.benchmarks;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.util.concurrent.TimeUnit;
import org.gatun.driver.nvme.Completion;
import org.gatun.driver.nvme.NvmeCallback;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeNamespace;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.driver.nvme.NvmeQueuePair;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.SimulatedBus;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * An NVMe read at queue depth 1, all in one thread, on a controller that completes at once: by the
 * driver, against the least that does the same in C. The Java side goes through the simulated IOMMU
 * and a trapped doorbell, which C does not have. {@code readSimulated} is on the whole simulated
 * controller, which also moves the 512 bytes.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@OperationsPerInvocation(NvmeIo.READS)
public class NvmeIo {
  static final int READS = 10_000;
  private static final int DEPTH = 64;

  private static final MethodHandle C_READS =
      CBaseline.function(
          "nvme_reads", FunctionDescriptor.of(JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_LONG));

  /** {@code struct nvme} of baseline.c. */
  private static final StructLayout C_QUEUE =
      MemoryLayout.structLayout(
          ADDRESS.withName("sq"),
          ADDRESS.withName("cq"),
          ADDRESS.withName("doorbells"),
          JAVA_INT.withName("depth"),
          JAVA_INT.withName("tail"),
          JAVA_INT.withName("head"),
          JAVA_INT.withName("phase"),
          JAVA_INT.withName("device_tail"),
          JAVA_INT.withName("device_phase"));

  /** The queue in C. */
  @State(Scope.Thread)
  public static class InC {
    private final Arena arena = Arena.ofShared();
    private final MemorySegment queue = arena.allocate(C_QUEUE);

    /** Makes it. */
    @Setup
    public void open() {
      queue.set(ADDRESS, offset("sq"), arena.allocate(DEPTH * 64L, 4096));
      queue.set(ADDRESS, offset("cq"), arena.allocate(DEPTH * 16L, 4096));
      queue.set(ADDRESS, offset("doorbells"), arena.allocate(4096, 4096));
      queue.set(JAVA_INT, offset("depth"), DEPTH);
      queue.set(JAVA_INT, offset("phase"), 1);
      queue.set(JAVA_INT, offset("device_phase"), 1);
    }

    /** Frees it. */
    @TearDown
    public void close() {
      arena.close();
    }

    private static long offset(String field) {
      return C_QUEUE.byteOffset(PathElement.groupElement(field));
    }
  }

  /** The driver, and what it drives. */
  @State(Scope.Thread)
  public abstract static class InJava implements NvmeCallback {
    private final SimulatedBus bus;
    private final PciDevice device;
    private final NvmeController controller;
    private final NvmeNamespace namespace;
    private final NvmeQueuePair queue;
    private final DmaBuffer data;
    private int failed;

    InJava(DeviceModel model) {
      bus = SimulatedBus.realTime();
      device = bus.open(bus.plug("nvme", model));
      controller = NvmeController.open(device, NvmeOptions.defaults());
      namespace = controller.namespace(1);
      queue = controller.createQueuePair(DEPTH - 1, Completion.POLL);
      data = device.dma().allocate(4096, 4096);
    }

    /** Shuts it down. */
    @TearDown
    public void close() {
      data.close();
      queue.close();
      controller.close();
      device.close();
      bus.close();
    }

    @Override
    public void completed(long context, int status) {
      failed += status == 0 ? 0 : 1;
    }

    int read() {
      for (int i = 0; i < READS; i++) {
        queue.submitRead(namespace, i & 0xfff, 1, data, 0, this, i);
        queue.ring();
        while (queue.poll() == 0) {
          Thread.onSpinWait();
        }
      }
      return failed;
    }
  }

  /** On a controller that completes at once. */
  public static class Instant extends InJava {
    /** For JMH. */
    public Instant() {
      super(new InstantNvme(new NvmeModel()));
    }
  }

  /** On the simulated controller. */
  public static class Simulated extends InJava {
    /** For JMH. */
    public Simulated() {
      super(new NvmeModel());
    }
  }

  @Benchmark
  public long readC(InC c) throws Throwable {
    return (long) C_READS.invokeExact(c.queue, 0x1000L, (long) READS);
  }

  @Benchmark
  public int readDriver(Instant java) {
    return java.read();
  }

  @Benchmark
  public int readSimulated(Simulated java) {
    return java.read();
  }
}
