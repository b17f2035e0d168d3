package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.RawNvme.Queue;
import org.gatun.specs.nvme.CompletionEntry;
import org.gatun.specs.nvme.NvmCommand;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeRegisters;
import org.gatun.specs.nvme.Sgl;
import org.gatun.specs.nvme.SubmissionEntry;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;

/** The path from doorbell to completion, where the model runs on the driver's thread. */
@NullMarked
class NvmeDataPathTest {
  private static final int COMMANDS = 200_000;
  private static final int ROUNDS = 10;

  private record Host(Mmio doorbells, Queue queue, DmaBuffer data) {}

  @Test
  void allocatesNothing() {
    try (SimulatedBus bus = SimulatedBus.realTime();
        PciDevice device = bus.open(bus.plug("nvme", new NvmeModel()))) {
      RawNvme nvme = new RawNvme(device);
      nvme.enable();
      Queue queue = nvme.createQueue(1);
      DmaBuffer data = device.dma().allocate(1 << 20, 4096);
      data.putLong(512 << 10, data.busAddress() + 4096);
      data.putLong((512 << 10) + 8, data.busAddress() + 8192);
      Host host = new Host(nvme.doorbells, queue, data);
      ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
      // The measurement allocates, once: what it costs is seen in a run of no commands.
      long none = -threads.getCurrentThreadAllocatedBytes();
      none += threads.getCurrentThreadAllocatedBytes();
      // What is compiled meanwhile may still allocate; an allocation for each command never ends.
      long allocated = -1;
      for (int round = 0; round < ROUNDS && allocated != 0; round++) {
        long before = threads.getCurrentThreadAllocatedBytes();
        run(host, COMMANDS, round * COMMANDS);
        allocated = threads.getCurrentThreadAllocatedBytes() - before - none;
      }
      assertThat(allocated).isZero();
      assertThat(bus.iommu().faults()).isEmpty();
    }
  }

  /** Commands of one, two and three pages of zeros, by PRPs and by SGLs, one after the other. */
  private static void run(Host host, int commands, int first) {
    DmaBuffer submissions = host.queue.submissions;
    DmaBuffer completions = host.queue.completions;
    long list = host.data.busAddress() + (512 << 10);
    for (int i = first; i < first + commands; i++) {
      int slot = i % RawNvme.ENTRIES;
      long entry = (long) slot * SubmissionEntry.SIZE;
      int pages = 1 + i / 3 % 3;
      boolean scatterGather = i / 9 % 2 == 0;
      int dword0 =
          SubmissionEntry.dword0(
              switch (i % 3) {
                case 0 -> NvmOpcode.WRITE;
                case 1 -> NvmOpcode.READ;
                default -> NvmOpcode.COMPARE;
              },
              slot);
      submissions.putInt(
          entry, SubmissionEntry.withPsdt(dword0, scatterGather ? 1 : SubmissionEntry.PSDT_PRP));
      submissions.putInt(entry + SubmissionEntry.NSID, 1);
      submissions.putLong(entry + SubmissionEntry.PRP1, host.data.busAddress());
      long prp2 = pages < 3 ? host.data.busAddress() + 4096 : list;
      submissions.putLong(
          entry + SubmissionEntry.PRP2,
          scatterGather ? Sgl.secondHalf(Sgl.DATA_BLOCK, pages * 4096L) : prp2);
      submissions.putLong(entry + NvmCommand.SLBA, i % 1000 * 8L);
      submissions.putInt(entry + SubmissionEntry.DWORD12, NvmCommand.dword12(pages * 8, 0));
      int next = (i + 1) % RawNvme.ENTRIES;
      host.doorbells.write32(
          NvmeRegisters.submissionTailDoorbell(1, 0) - NvmeRegisters.DOORBELLS, next);
      int dword3 =
          completions.getIntAcquire((long) slot * CompletionEntry.SIZE + CompletionEntry.DWORD3);
      boolean phase = i / RawNvme.ENTRIES % 2 == 0;
      if (CompletionEntry.phase(dword3) != phase || CompletionEntry.status(dword3) != 0) {
        throw new AssertionError("command " + i + ": " + Integer.toHexString(dword3));
      }
      host.doorbells.write32(
          NvmeRegisters.completionHeadDoorbell(1, 0) - NvmeRegisters.DOORBELLS, next);
    }
  }

  /** One thread in virtual time: what is seen, and when, is the same each time. */
  @Test
  void virtualTimeIsDeterministic() {
    List<String> first = history(7);
    assertThat(first).hasSize(200);
    assertThat(history(7)).isEqualTo(first);
    assertThat(history(8)).isNotEqualTo(first);
  }

  private static List<String> history(long seed) {
    Random random = new Random(seed);
    List<String> history = new ArrayList<>();
    NvmeModel model = NvmeModel.builder().size(1 << 20).latency(Duration.ofNanos(12_345)).build();
    try (SimulatedBus bus = SimulatedBus.virtualTime();
        PciDevice device = bus.open(bus.plug("nvme", model))) {
      RawNvme nvme = new RawNvme(device);
      nvme.enable();
      List<Queue> queues = List.of(nvme.createQueue(1), nvme.createQueue(2));
      int[] inFlight = new int[2];
      while (history.size() < 200) {
        int which = random.nextInt(2);
        Queue queue = queues.get(which);
        if (inFlight[which] < 4) {
          queue.put(NvmOpcode.WRITE_ZEROES, 1, 0, 0, random.nextInt(4096), 0, 0);
          queue.ring();
          inFlight[which]++;
        }
        bus.time().sleep(Duration.ofNanos(random.nextInt(5_000)));
        for (int i = 0; i < 2; i++) {
          while (queues.get(i).hasCompletion()) {
            history.add(bus.time().nanoTime() + " " + (i + 1) + " " + queues.get(i).take());
            inFlight[i]--;
          }
        }
      }
    }
    return history.subList(0, 200);
  }

  @Test
  void queuesAreIndependentOfEachOther() throws InterruptedException {
    try (SimulatedBus bus = SimulatedBus.realTime();
        PciDevice device = bus.open(bus.plug("nvme", new NvmeModel()))) {
      RawNvme nvme = new RawNvme(device);
      nvme.enable();
      List<Thread> threads = new ArrayList<>();
      List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
      for (int id = 1; id <= 3; id++) {
        Queue queue = nvme.createQueue(id);
        DmaBuffer data = device.dma().allocate(4096, 4096);
        long area = id * 1000L;
        threads.add(
            Thread.ofPlatform()
                .start(
                    () -> {
                      try {
                        writeAndReadBack(queue, data, area);
                      } catch (Throwable e) {
                        failures.add(e);
                      }
                    }));
      }
      for (Thread thread : threads) {
        thread.join();
      }
      assertThat(failures).isEmpty();
    }
  }

  private static void writeAndReadBack(Queue queue, DmaBuffer data, long area) {
    for (int round = 0; round < 300; round++) {
      long value = area << 32 | round;
      data.putLong(0, value);
      queue.io(NvmOpcode.WRITE, area + round, 1, data.busAddress(), 0);
      data.putLong(0, 0);
      queue.io(NvmOpcode.READ, area + round, 1, data.busAddress(), 0);
      assertThat(data.getLongAcquire(0)).isEqualTo(value);
    }
  }
}
