package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.SimulatedBus;
import org.junit.jupiter.api.Test;

/** The data path allocates nothing: exactly, over ten million commands. */
class NvmeAllocationTest {
  private static final int WARM_UP = 300_000;
  private static final int LONGEST_WARM_UP = 10 * WARM_UP;
  private static final int COMMANDS = 10_000_000;
  private static final int BLOCKS = 24;

  private final NvmeCallback callback = this::note;
  private long completed;
  private long failed;

  @Test
  void tenMillionCommandsAllocateNothing() {
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
      long before = threads.getCurrentThreadAllocatedBytes();
      run(queue, controller.namespace(1), buffer, COMMANDS);
      long after = threads.getCurrentThreadAllocatedBytes();
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
        boolean room =
            (submitted & 1) == 0
                ? queue.submitRead(namespace, lba, blocks, buffer, at, callback, submitted)
                : queue.submitWrite(namespace, lba, blocks, buffer, at, callback, submitted);
        if (!room) {
          break;
        }
        submitted++;
      }
      queue.ring();
      queue.poll();
    }
  }

  private void note(long context, int status) {
    completed++;
    if (status != 0) {
      failed++;
    }
  }
}
