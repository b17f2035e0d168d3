package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.Mmio;
import org.gatun.pci.spi.RemoteDma;
import org.gatun.pci.spi.RemoteMemory;
import org.gatun.simulated.RawNvme.Queue;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.Csts;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeRegisters;
import org.gatun.specs.nvme.NvmeStatus;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Doorbell Buffer Config (Base 5.8). The host is the test's: that Linux's driver gets along, too,
 * is tried in a virtual machine.
 */
@NullMarked
class NvmeShadowDoorbellTest {
  private static final int PAGE = 4096;

  private final SimulatedBus bus = SimulatedBus.virtualTime();

  @AfterEach
  void close() {
    bus.close();
  }

  private RawNvme start(Consumer<NvmeModel.Builder> options) {
    NvmeModel.Builder builder = NvmeModel.builder().size(1 << 20).shadowDoorbells(true);
    options.accept(builder);
    RawNvme nvme = new RawNvme(bus.open(bus.plug("nvme", builder.build())));
    nvme.enable();
    return nvme;
  }

  /** A host that follows the protocol, on one queue. */
  private static final class Host {
    final RawNvme nvme;
    final DmaBuffer doorbells;
    final DmaBuffer eventIndices;
    final Queue queue;
    private int tail;

    Host(RawNvme nvme) {
      this.nvme = nvme;
      this.doorbells = nvme.device.dma().allocate(PAGE, PAGE);
      this.eventIndices = nvme.device.dma().allocate(PAGE, PAGE);
      assertThat(configure(nvme, doorbells.busAddress(), eventIndices.busAddress())).isZero();
      this.queue = nvme.createQueue(1);
    }

    /** Moves the doorbell, and says whether the register is to be written. */
    private boolean move(int offset, int value) {
      int old = doorbells.getIntAcquire(offset);
      doorbells.putInt(offset, value);
      int passed = (value - eventIndices.getIntAcquire(offset) - 1) & 0xffff;
      return passed < ((value - old) & 0xffff);
    }

    private void flush() {
      queue.put(NvmOpcode.FLUSH, 1, 0, 0, 0, 0, 0);
    }

    /** The same as a register, and as in it a step at a time. */
    void submit(int commands) {
      boolean ring = false;
      for (int i = 0; i < commands; i++) {
        flush();
        tail = (tail + 1) % RawNvme.ENTRIES;
        ring |= move(8, tail);
      }
      if (ring) {
        nvme.doorbell(1, false, tail);
      }
    }

    /** Takes all completions that there are, and tells of them at once. */
    int take() {
      int taken = 0;
      while (queue.hasCompletion()) {
        assertThat(queue.takeQuietly().status()).isZero();
        taken++;
      }
      if (move(12, queue.head())) {
        nvme.doorbell(1, true, queue.head());
      }
      return taken;
    }
  }

  private static int configure(RawNvme nvme, long doorbells, long eventIndices) {
    return nvme.admin
        .run(AdminOpcode.DOORBELL_BUFFER_CONFIG, 0, doorbells, eventIndices, 0, 0, 0)
        .code();
  }

  @Test
  void isThereIfItIsAskedFor() {
    RawNvme with = start(b -> {});
    DmaBuffer data = with.device.dma().allocate(PAGE, PAGE);
    int bit = IdentifyController.OACS_DOORBELL_BUFFER_CONFIG;
    assertThat(with.identifyController(data).oacs() & bit).isNotZero();
    RawNvme without = new RawNvme(bus.open(bus.plug("without", new NvmeModel())));
    without.enable();
    DmaBuffer other = without.device.dma().allocate(PAGE, PAGE);
    assertThat(without.identifyController(other).oacs() & bit).isZero();
    assertThat(configure(without, other.busAddress(), other.busAddress()))
        .isEqualTo(NvmeStatus.INVALID_COMMAND_OPCODE.status());
    assertThatThrownBy(
            () -> NvmeModel.builder().sharedDoorbells(true).shadowDoorbells(true).build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("choose one");
  }

  @Test
  void whatTheShadowSaysCountsWhenTheRegisterIsWritten() {
    Host host = new Host(start(b -> {}));
    host.flush();
    host.flush();
    host.doorbells.putInt(8, 2);
    assertThat(host.queue.hasCompletion()).as("not looked at before").isFalse();

    host.nvme.doorbell(1, false, 1);

    assertThat(host.queue.takeQuietly().id()).isZero();
    assertThat(host.queue.takeQuietly().id()).isOne();
    assertThat(host.eventIndices.getIntAcquire(8)).as("the next rings").isEqualTo(2);
  }

  @Test
  void nothingIsLostOverManyRounds() {
    Host host = new Host(start(b -> {}));
    int taken = 0;
    for (int i = 0; i < 1000; i++) {
      int commands = 1 + i % (RawNvme.ENTRIES - 1);
      host.submit(commands);
      taken += commands;
      assertThat(host.take()).isEqualTo(commands);
    }
    assertThat(taken).isGreaterThan(1000);
    assertThat(host.nvme.csts()).isEqualTo(Csts.withRdy(0, true));
  }

  @Test
  void aFullCompletionQueueIsGoneOnWithWhenThereIsRoom() {
    Host host = new Host(start(b -> {}));
    host.submit(RawNvme.ENTRIES - 1);
    host.submit(3);
    assertThat(host.take()).isEqualTo(RawNvme.ENTRIES - 1);
    assertThat(host.take()).isEqualTo(3);
  }

  /**
   * The host submits at the worst time: after the controller has looked, and before it has written
   * EventIdx, so that it does not ring.
   */
  @Test
  void aSubmissionBetweenTheLookAndEventIdxIsFound() {
    RawNvme nvme = start(b -> {});
    Host host = new Host(nvme);
    long remoteAddress = 0x4000_0000;
    MemorySegment page = MemorySegment.ofArray(new long[PAGE / 8]);
    boolean[] late = {false};
    RemoteMemory remote =
        new RemoteMemory() {
          @Override
          public void read(long busAddress, MemorySegment target) {
            MemorySegment.copy(page, busAddress - remoteAddress, target, 0, target.byteSize());
          }

          @Override
          public void write(long busAddress, MemorySegment source) {
            if (late[0] && busAddress == remoteAddress + 8) {
              late[0] = false;
              host.flush();
              host.doorbells.putInt(8, 2);
            }
            MemorySegment.copy(source, 0, page, busAddress - remoteAddress, source.byteSize());
          }
        };
    try (RemoteDma.Window _ =
        nvme.device
            .dma()
            .remote()
            .orElseThrow()
            .mapAt(remoteAddress, PAGE, remote, DmaDirection.BIDIRECTIONAL)) {
      assertThat(configure(nvme, host.doorbells.busAddress(), remoteAddress)).isZero();
      host.flush();
      host.doorbells.putInt(8, 1);
      late[0] = true;

      nvme.doorbell(1, false, 1);

      assertThat(late[0]).isFalse();
      assertThat(host.queue.takeQuietly().id()).isZero();
      assertThat(host.queue.takeQuietly().id()).isOne();
    }
  }

  /** As Linux does. */
  @Test
  void theAdminQueueNeedsNoShadow() {
    Host host = new Host(start(b -> {}));
    int before = host.doorbells.getIntAcquire(0);
    for (int i = 0; i < 20; i++) {
      assertThat(host.nvme.identifyController(host.nvme.device.dma().allocate(PAGE, PAGE)))
          .isNotNull();
    }
    assertThat(host.doorbells.getIntAcquire(0)).isEqualTo(before);
  }

  @Test
  void theAdminQueueMayHaveOne() {
    Host host = new Host(start(b -> {}));
    Queue admin = host.nvme.admin;
    int tail = (host.doorbells.getIntAcquire(0) + 3) % RawNvme.ENTRIES;
    // Creating two queues since then took two entries.
    admin.put(AdminOpcode.ABORT, 0, 0, 0, 0xffff, 0, 0);
    assertThat(host.eventIndices.getIntAcquire(0))
        .as("it rings")
        .isEqualTo((tail + RawNvme.ENTRIES - 1) % RawNvme.ENTRIES);
    host.doorbells.putInt(0, tail);
    host.nvme.doorbell(0, false, RawNvme.ENTRIES);
    assertThat(admin.takeQuietly().status()).isZero();
    assertThat(Csts.cfs(host.nvme.csts())).isFalse();
  }

  @Test
  void aQueueThatIsCreatedAnewBeginsAtZero() {
    Host host = new Host(start(b -> {}));
    host.submit(3);
    assertThat(host.take()).isEqualTo(3);
    RawNvme nvme = host.nvme;
    assertThat(nvme.admin.run(AdminOpcode.DELETE_IO_SUBMISSION_QUEUE, 0, 0, 0, 1, 0, 0).code())
        .isZero();
    assertThat(nvme.createSubmissionQueue(host.queue, 1).code()).isZero();
    assertThat(host.doorbells.getIntAcquire(8)).isZero();
    assertThat(host.eventIndices.getIntAcquire(8)).isZero();
  }

  @Test
  void aResetDropsTheBuffers() {
    RawNvme nvme = start(b -> {});
    Host host = new Host(nvme);
    host.submit(2);
    nvme.configure(0);
    host.doorbells.segment().fill((byte) 0x77);
    host.eventIndices.segment().fill((byte) 0x77);
    RawNvme again = new RawNvme(nvme.device);
    again.enable();
    Queue queue = again.createQueue(1);

    assertThat(queue.run(NvmOpcode.FLUSH, 1, 0, 0, 0, 0, 0).status()).isZero();

    assertThat(host.doorbells.getLongAcquire(8)).isEqualTo(0x7777_7777_7777_7777L);
    assertThat(host.eventIndices.getLongAcquire(8)).isEqualTo(0x7777_7777_7777_7777L);
  }

  @Test
  void buffersThatCannotBeAreRefused() {
    RawNvme nvme = start(b -> {});
    Queue queue = nvme.createQueue(1);
    DmaBuffer page = nvme.device.dma().allocate(PAGE, PAGE);
    long good = page.busAddress();
    int invalidField = NvmeStatus.INVALID_FIELD_IN_COMMAND.status();
    int transferError = NvmeStatus.DATA_TRANSFER_ERROR.status();
    assertThat(configure(nvme, good + 8, good)).isEqualTo(invalidField);
    assertThat(configure(nvme, good, good + 2048)).isEqualTo(invalidField);
    assertThat(configure(nvme, 0x7000_0000, good)).isEqualTo(transferError);
    assertThat(configure(nvme, good, -PAGE)).isEqualTo(transferError);
    assertThat(Csts.cfs(nvme.csts())).isFalse();
    assertThat(queue.run(NvmOpcode.FLUSH, 1, 0, 0, 0, 0, 0).status()).as("by register").isZero();
  }

  @Test
  void anIndexOutsideOfTheQueueIsFatal() {
    for (int offset : new int[] {8, 12}) {
      for (int value : new int[] {RawNvme.ENTRIES, -1, Integer.MIN_VALUE}) {
        try (SimulatedBus other = SimulatedBus.virtualTime()) {
          NvmeModel model = NvmeModel.builder().size(1 << 20).shadowDoorbells(true).build();
          RawNvme nvme = new RawNvme(other.open(other.plug("nvme", model)));
          nvme.enable();
          Host host = new Host(nvme);
          host.doorbells.putInt(offset, value);
          nvme.doorbell(1, offset == 12, 0);
          assertThat(Csts.cfs(nvme.csts())).as("%d at %d", value, offset).isTrue();
        }
      }
    }
  }

  @Test
  void buffersThatAreNotMappedAnyMoreAreFatalUntilReset() {
    RawNvme nvme = start(b -> {});
    Host host = new Host(nvme);
    host.doorbells.close();
    host.nvme.doorbell(1, false, 1);
    assertThat(Csts.cfs(nvme.csts())).isTrue();
    assertThat(bus.iommu().faults()).isNotEmpty();
    nvme.configure(0);
    new RawNvme(nvme.device).enable();
  }

  @Test
  void queuesThatDoNotFitIntoThePageHaveRegisters() {
    RawNvme nvme = start(b -> b.queues(1024));
    Host _ = new Host(nvme);
    Queue beyond = nvme.createQueue(PAGE / 8);
    Mmio doorbells =
        nvme.device
            .bar(NvmeRegisters.BAR)
            .orElseThrow()
            .map(NvmeRegisters.submissionTailDoorbell(beyond.id, 0), 8);
    beyond.put(NvmOpcode.FLUSH, 1, 0, 0, 0, 0, 0);
    doorbells.write32(0, 1);
    assertThat(beyond.takeQuietly().status()).isZero();
  }
}
