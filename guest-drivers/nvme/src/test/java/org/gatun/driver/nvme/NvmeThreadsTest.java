package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.NvmeFault;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.SimulatedBus;
import org.gatun.testkit.DeviceRoute;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Several threads, each with queue pairs of its own, in real time. */
class NvmeThreadsTest {
  private static final int THREADS = 6;
  private static final int PART = 1 << 20;

  @ParameterizedTest
  @CsvSource({
    "POLL, 7, 0",
    "POLL, 7, 20000",
    "INTERRUPT, 7, 20000",
    // Fewer vectors than queues.
    "INTERRUPT, 3, 20000",
    "INTERRUPT, 1, 20000",
  })
  void threadsDoNotDisturbEachOther(Completion completion, int vectors, int latencyNanos)
      throws Exception {
    NvmeModel model =
        NvmeModel.builder()
            .size((long) THREADS * PART)
            .vectors(vectors)
            .latency(Duration.ofNanos(latencyNanos))
            .build();
    try (SimulatedBus bus = SimulatedBus.realTime();
        PciDevice device = DeviceRoute.chosen(bus.open(bus.plug("nvme", model)))) {
      NvmeOptions options =
          NvmeOptions.defaults().withTime(bus.time()).withCompletion(completion).withQueueDepth(8);
      try (NvmeController controller = NvmeController.open(device, options)) {
        inThreads(thread -> exercise(controller, thread));
        assertThat(controller.resets()).isZero();
      }
      assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
      assertThat(bus.iommu().faults()).isEmpty();
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"DROP_ONCE", "FATAL"})
  void aResetInTheMiddleReachesAllAndAllGoOn(NvmeFault fault) throws Exception {
    NvmeModel model =
        NvmeModel.builder()
            .size((long) THREADS * PART)
            .latency(Duration.ofNanos(20_000))
            .fault(fault)
            .faultAfter(500)
            .build();
    try (SimulatedBus bus = SimulatedBus.realTime();
        PciDevice device = DeviceRoute.chosen(bus.open(bus.plug("nvme", model)))) {
      NvmeOptions options =
          NvmeOptions.defaults()
              .withTime(bus.time())
              .withQueueDepth(8)
              .withCommandTimeout(Duration.ofMillis(500));
      try (NvmeController controller = NvmeController.open(device, options)) {
        List<Boolean> disturbed =
            inThreads(
                thread -> {
                  boolean failed = false;
                  while (true) {
                    try {
                      exercise(controller, thread);
                      return failed;
                    } catch (NvmeStatusException e) {
                      failed = true;
                    }
                  }
                });
        assertThat(disturbed).contains(true);
        assertThat(fault == NvmeFault.FATAL ? controller.resets() : controller.queueResets())
            .isPositive();
      }
      assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
    }
  }

  @Test
  void closingUnderThreadsEndsThem() throws Exception {
    NvmeModel model = NvmeModel.builder().size((long) THREADS * PART).build();
    try (SimulatedBus bus = SimulatedBus.realTime();
        PciDevice device = DeviceRoute.chosen(bus.open(bus.plug("nvme", model)))) {
      NvmeController controller =
          NvmeController.open(device, NvmeOptions.defaults().withTime(bus.time()));
      List<Boolean> gone =
          inThreads(
              thread -> {
                if (thread == 0) {
                  exercise(controller, 0);
                  controller.close();
                  return true;
                }
                while (true) {
                  try {
                    exercise(controller, thread);
                  } catch (DeviceGoneException e) {
                    return true;
                  }
                }
              });
      assertThat(gone).hasSize(THREADS).containsOnly(true);
      assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
    }
  }

  private interface Work<T> {
    T run(int thread) throws Exception;
  }

  private static <T> List<T> inThreads(Work<T> work) throws Exception {
    List<Callable<T>> tasks = new ArrayList<>();
    for (int i = 0; i < THREADS; i++) {
      int thread = i;
      tasks.add(() -> work.run(thread));
    }
    List<T> results = new ArrayList<>();
    try (ExecutorService executor = Executors.newFixedThreadPool(THREADS)) {
      for (Future<T> future : executor.invokeAll(tasks)) {
        results.add(future.get());
      }
    }
    return results;
  }

  /** Writes and reads a part of the disk that is this thread's. */
  private static boolean exercise(NvmeController controller, int thread) {
    Random random = new Random(thread);
    long start = (long) thread * PART;
    try (NvmeDisk disk = controller.openDisk(1)) {
      for (int i = 0; i < 50; i++) {
        byte[] data = new byte[512 * (1 + random.nextInt(512))];
        random.nextBytes(data);
        long offset = start + 512L * random.nextInt((PART - data.length) / 512 + 1);
        disk.write(offset, data);
        byte[] read = new byte[data.length];
        disk.read(offset, read);
        assertThat(Arrays.mismatch(read, data)).as("thread %d, round %d", thread, i).isEqualTo(-1);
      }
    }
    return false;
  }
}
