package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadInfo;
import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.RawNvme.Queue;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.NvmOpcode;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Doorbells in memory, which a thread of the controller's looks at while the host goes on. */
@NullMarked
class NvmeSharedDoorbellTest {
  private static final int PAGE = 4096;
  private static final int ROUNDS = 60;

  private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
  private final SimulatedBus bus = SimulatedBus.realTime();
  private final DeviceName name =
      bus.plug("shared", NvmeModel.builder().size(1 << 20).sharedDoorbells(true).build());
  private final PciDevice device = bus.open(name);
  private final RawNvme nvme = new RawNvme(device);
  private final DmaBuffer data = device.dma().allocate(PAGE, PAGE);

  @AfterEach
  void close() {
    bus.close();
  }

  private void write(Queue queue) {
    assertThat(queue.io(NvmOpcode.WRITE, queue.id, 1, data.busAddress(), 0).status()).isZero();
  }

  @Test
  void severalQueuesCompleteIntoOne() {
    nvme.enable();
    Queue first = nvme.createQueue(1);
    Queue second = nvme.new Queue(5);
    assertThat(nvme.createSubmissionQueue(second, 1).status()).isZero();
    for (int i = 0; i < 100; i++) {
      int id = second.put(NvmOpcode.FLUSH, 1, 0, 0, 0, 0, 0);
      second.ring();
      while (!first.hasCompletion()) {
        Thread.onSpinWait();
      }
      assertThat(first.take().id()).isEqualTo(id);
      write(first);
    }
  }

  @Test
  void queuesComeAndGoWhileOthersAreInUse() {
    nvme.enable();
    Queue stays = nvme.createQueue(2);
    for (int i = 0; i < 30; i++) {
      Queue comes = nvme.createQueue(i % 2 == 0 ? 1 : 7);
      for (int command = 0; command < 3; command++) {
        write(comes);
        write(stays);
      }
      for (int opcode :
          new int[] {
            AdminOpcode.DELETE_IO_SUBMISSION_QUEUE, AdminOpcode.DELETE_IO_COMPLETION_QUEUE
          }) {
        assertThat(nvme.admin.run(opcode, 0, 0, 0, comes.id, 0, 0).status()).isZero();
      }
      comes.submissions.close();
      comes.completions.close();
    }
    assertThat(bus.iommu().faults()).isEmpty();
  }

  /** It looks less and less often. */
  @Test
  void answersAfterARest() throws InterruptedException {
    nvme.enable();
    Queue queue = nvme.createQueue(1);
    for (int rest : new int[] {1, 10, 100}) {
      Thread.sleep(Duration.ofMillis(rest));
      write(queue);
    }
  }

  /** When the write to CC returns, no queue is processed any more. */
  @Test
  void nothingIsPostedAfterAReset() {
    for (int i = 0; i < ROUNDS; i++) {
      RawNvme again = new RawNvme(device);
      again.enable();
      Queue queue = again.createQueue(1);
      for (int command = 1; command < RawNvme.ENTRIES; command++) {
        queue.put(NvmOpcode.WRITE, 1, data.busAddress(), 0, 0, 0, 0);
      }
      queue.ring();
      again.configure(0);
      queue.completions.segment().fill((byte) 0x55);
      queue.submissions.close();
      again.admin.submissions.close();
      again.admin.completions.close();
      again.doorbell(1, false, 3);
      assertThat(queue.completions.getLongAcquire(0)).isEqualTo(0x5555_5555_5555_5555L);
      queue.completions.close();
    }
    assertThat(bus.iommu().faults()).isEmpty();
  }

  @Test
  void isPulledOutWhileItIsAtWork() throws InterruptedException {
    nvme.enable();
    Queue queue = nvme.createQueue(1);
    write(queue);
    Thread host =
        Thread.ofPlatform()
            .start(
                () -> {
                  try {
                    for (int i = 0; !Thread.currentThread().isInterrupted(); i++) {
                      nvme.doorbell(1, i % 3 == 0, i % RawNvme.ENTRIES);
                    }
                  } catch (DeviceGoneException _) {
                    // As it is said to be.
                  }
                });
    bus.unplug(name);
    host.interrupt();
    host.join();
    while (poller().isPresent()) {
      Thread.onSpinWait(); // it ends by itself
    }
    assertThatThrownBy(nvme::csts).isInstanceOf(DeviceGoneException.class);
  }

  @Test
  void thePollerAllocatesNothing() {
    nvme.enable();
    Queue queue = nvme.createQueue(1);
    long poller = poller().orElseThrow().getThreadId();
    // What is compiled meanwhile may still allocate; an allocation for each command never ends.
    long allocated = -1;
    for (int round = 0; round < ROUNDS && allocated != 0; round++) {
      long before = threads.getThreadAllocatedBytes(poller);
      for (int i = 0; i < 200; i++) {
        write(queue);
      }
      allocated = threads.getThreadAllocatedBytes(poller) - before;
    }
    assertThat(allocated).isZero();
  }

  private Optional<ThreadInfo> poller() {
    return Arrays.stream(threads.getThreadInfo(threads.getAllThreadIds()))
        .filter(Objects::nonNull)
        .filter(info -> info.getThreadName().equals("simulated:shared doorbells"))
        .findFirst();
  }
}
