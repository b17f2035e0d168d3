package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.NvmeFault;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.SimulatedBus;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.testkit.DeviceRoute;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Data, through the blocking calls, on the simulated bus's controller. */
class NvmeDiskTest {
  private static final int MIB = 1 << 20;

  /** A disk of the simulated bus, in virtual time, opened. */
  private static final class Setup implements AutoCloseable {
    final SimulatedBus bus = DeviceRoute.newBus();
    final PciDevice device;
    final NvmeController controller;
    final NvmeDisk disk;

    Setup(NvmeModel.Builder model, NvmeOptions options) {
      device = DeviceRoute.chosen(bus.open(bus.plug("nvme", model.build())));
      controller = NvmeController.open(device, options.withTime(bus.time()));
      disk = controller.openDisk(1);
    }

    @Override
    public void close() {
      disk.close();
      controller.close();
      assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
      device.close();
      bus.close();
      assertThat(bus.iommu().faults()).isEmpty();
    }
  }

  private static NvmeModel.Builder model() {
    return NvmeModel.builder().size(16 * MIB);
  }

  private static NvmeOptions options() {
    return NvmeOptions.defaults()
        .withQueueDepth(16)
        .withCommandTimeout(DeviceRoute.patience(Duration.ofMillis(50)));
  }

  @ParameterizedTest
  @CsvSource({
    "512, 8192, POLL, 0",
    "512, 131072, POLL, 0",
    "512, 131072, INTERRUPT, 10000",
    "512, 4194304, POLL, 10000",
    "4096, 8192, POLL, 10000",
    "4096, 131072, INTERRUPT, 0",
    "4096, 8388608, POLL, 0",
  })
  void readsBackWhatWasWritten(
      int blockSize, int maxTransfer, Completion completion, int latencyNanos) {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    try (Setup setup =
            new Setup(
                model()
                    .blockSize(blockSize)
                    .maxTransfer(maxTransfer)
                    .latency(Duration.ofNanos(latencyNanos)),
                options().withCompletion(completion).withMaxTransferBytes(8 * MIB));
        DmaBuffer buffer = setup.device.dma().allocate(9 * MIB, 4096);
        Arena arena = Arena.ofConfined()) {
      NvmeDisk disk = setup.disk;
      assertThat(setup.controller.maxTransferBytes()).isEqualTo(maxTransfer);
      assertThat(disk.namespace().blockSize()).isEqualTo(blockSize);
      assertThat(disk.namespace().sizeBytes()).isEqualTo(16 * MIB);
      byte[] expected = new byte[16 * MIB];
      int blocks = expected.length / blockSize;
      for (int round = 0; round < 60; round++) {
        int most = 1 << random.nextInt(14);
        int length = Math.min(blockSize * (1 + random.nextInt(most)), 8 * MIB);
        int offset = blockSize * random.nextInt(blocks - length / blockSize + 1);
        int at = 4 * random.nextInt(1025);
        byte[] data = new byte[length];
        random.nextBytes(data);
        System.arraycopy(data, 0, expected, offset, length);
        switch (random.nextInt(3)) {
          case 0 -> {
            MemorySegment.copy(MemorySegment.ofArray(data), 0, buffer.segment(), at, length);
            disk.write(offset, buffer, at, length);
          }
          case 1 -> disk.write(offset, data);
          default -> {
            MemorySegment odd = arena.allocate(length + 1L).asSlice(1);
            disk.write(offset, odd.copyFrom(MemorySegment.ofArray(data)));
          }
        }

        length = Math.min(blockSize * (1 + random.nextInt(most)), 8 * MIB);
        offset = blockSize * random.nextInt(blocks - length / blockSize + 1);
        byte[] read = new byte[length];
        if (random.nextBoolean()) {
          disk.read(offset, buffer, at, length);
          buffer.copyOut(at, read);
        } else {
          disk.read(offset, read);
        }
        assertThat(Arrays.mismatch(read, Arrays.copyOfRange(expected, offset, offset + length)))
            .as("seed %d, round %d: offset %d, length %d", seed, round, offset, length)
            .isEqualTo(-1);
      }
      byte[] all = new byte[expected.length];
      disk.read(0, all);
      assertThat(Arrays.mismatch(all, expected)).as("seed %d", seed).isEqualTo(-1);
    }
  }

  @Test
  void oneCommandHasAListOfSeveralPages() {
    try (Setup setup =
            new Setup(
                model().maxTransfer(8 * MIB),
                options().withMaxTransferBytes(8 * MIB).withQueueDepth(1));
        DmaBuffer buffer = setup.device.dma().allocate(8 * MIB + 4096, 4096)) {
      byte[] data = new byte[8 * MIB];
      new Random(1).nextBytes(data);
      setup.disk.write(0, data);
      int[] status = {-1};
      try (NvmeQueuePair queue = setup.controller.createQueuePair()) {
        queue.submitRead(
            setup.disk.namespace(), 0, 8 * MIB / 512, buffer, 4092, (_, s) -> status[0] = s, 0);
        queue.ring();
        assertThat(queue.await(Duration.ofSeconds(1))).isEqualTo(1);
      }
      assertThat(status[0]).isZero();
      assertThat(buffer.segment().asSlice(4092, data.length).mismatch(MemorySegment.ofArray(data)))
          .isEqualTo(-1);
    }
  }

  @Test
  void nothingIsANoOp() {
    try (Setup setup = new Setup(model(), options())) {
      setup.disk.read(16 * MIB, new byte[0]);
      setup.disk.writeZeroes(512, 0);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {512, 4096})
  void writesZeroesAndDeallocates(int blockSize) {
    try (Setup setup = new Setup(model().size(64 * MIB).blockSize(blockSize), options())) {
      NvmeDisk disk = setup.disk;
      byte[] ones = new byte[64 * MIB];
      Arrays.fill(ones, (byte) 1);
      disk.write(0, ones);
      // In blocks of 512 bytes that is more than one command can name.
      disk.writeZeroes(blockSize, 48 * MIB);
      disk.flush();
      byte[] read = new byte[64 * MIB];
      disk.read(0, read);
      Arrays.fill(ones, blockSize, blockSize + 48 * MIB, (byte) 0);
      assertThat(Arrays.mismatch(read, ones)).isEqualTo(-1);

      // What the blocks read as is up to the controller; the others stay.
      disk.deallocate(50 * MIB, 2 * MIB);
      disk.read(0, read);
      Arrays.fill(read, 50 * MIB, 52 * MIB, (byte) 1);
      assertThat(Arrays.mismatch(read, ones)).isEqualTo(-1);
    }
  }

  @Test
  void checksRequestsBeforeAnythingIsSent() {
    try (Setup setup = new Setup(model().blockSize(4096), options());
        DmaBuffer buffer = setup.device.dma().allocate(MIB, 4096)) {
      NvmeDisk disk = setup.disk;
      assertThatIllegalArgumentException()
          .isThrownBy(() -> disk.read(512, new byte[4096]))
          .withMessage(
              "simulated:nvme: offset 512, length 4096 is not a multiple of the block:"
                  + " namespace 1 has blocks of 4096 bytes, and 16777216 bytes in all");
      assertThatIllegalArgumentException().isThrownBy(() -> disk.write(0, new byte[100]));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> disk.write(16 * MIB - 4096, new byte[8192]))
          .withMessage(
              "simulated:nvme: offset 16773120, length 8192 goes past the end:"
                  + " namespace 1 has blocks of 4096 bytes, and 16777216 bytes in all");
      assertThatIllegalArgumentException().isThrownBy(() -> disk.writeZeroes(-4096, 4096));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> disk.deallocate(Long.MAX_VALUE - 4095, 4096));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> disk.read(0, buffer, MIB - 4096, 8192))
          .withMessageContaining("offset 1044480, which must be a multiple of 4, and 8192 bytes");
      assertThatIllegalArgumentException().isThrownBy(() -> disk.read(0, buffer, 2, 4096));
      byte[] all = new byte[16 * MIB];
      disk.read(0, all);
      assertThat(Arrays.mismatch(all, new byte[16 * MIB])).isEqualTo(-1);
    }
  }

  @Test
  void anInterruptOfTheThreadDoesNotEndARequest() {
    try (Setup setup =
        new Setup(
            model().latency(Duration.ofMillis(1)),
            options().withCompletion(Completion.INTERRUPT))) {
      byte[] data = new byte[4 * MIB];
      new Random(2).nextBytes(data);
      Thread.currentThread().interrupt();
      setup.disk.write(0, data);
      assertThat(Thread.interrupted()).isTrue();
      byte[] read = new byte[data.length];
      setup.disk.read(0, read);
      assertThat(read).isEqualTo(data);
    }
  }

  @Test
  void namesTheFirstCommandThatFailed() {
    try (Rig rig = new Rig();
        NvmeController controller = rig.open();
        NvmeDisk disk = controller.openDisk(1)) {
      // 4 MiB in commands of 256 blocks, completed last first; those from the third on fail.
      ArrayDeque<ScriptedNvme.Command> held = new ArrayDeque<>();
      rig.model.script =
          command -> {
            if (command.isAdmin()) {
              command.execute();
              return;
            }
            held.push(command);
            if (held.size() == 8) {
              held.forEach(c -> c.complete(c.slba < 512 ? 0 : NvmeStatus.WRITE_FAULT.status()));
              held.clear();
            }
          };
      assertThatExceptionOfType(NvmeStatusException.class)
          .isThrownBy(() -> disk.write(0, new byte[4 * MIB]))
          .withMessage(
              "simulated:nvme: Write on namespace 1 at LBA 512: Write Fault (SCT 2h, SC 80h)")
          .satisfies(
              e -> {
                assertThat(e.lba()).isEqualTo(512);
                assertThat(e.opcode()).isEqualTo(NvmOpcode.WRITE);
                assertThat(e.namespaceId()).isEqualTo(1);
                assertThat(e.status()).contains(NvmeStatus.WRITE_FAULT);
              });
    }
  }

  @ParameterizedTest
  @CsvSource({"HOLD, COMMAND_ABORT_REQUESTED, 0", "DROP, COMMAND_ABORTED_DUE_TO_SQ_DELETION, 1"})
  void throwsWhenCommandsAreNotCompletedInTime(
      NvmeFault fault, NvmeStatus status, int queueResets) {
    for (Completion completion : Completion.values()) {
      try (Setup setup =
          new Setup(model().fault(fault).faultAfter(3), options().withCompletion(completion))) {
        assertThatExceptionOfType(NvmeStatusException.class)
            .isThrownBy(() -> setup.disk.write(0, new byte[4 * MIB]))
            .satisfies(e -> assertThat(e.status()).contains(status));
        assertThat(setup.controller.queueResets()).isEqualTo(queueResets);
        assertThat(setup.controller.resets()).isZero();
      }
    }
  }

  @Test
  void goesOnAfterACommandIsLost() {
    try (Setup setup = new Setup(model().fault(NvmeFault.DROP_ONCE).faultAfter(3), options())) {
      byte[] data = new byte[4 * MIB];
      new Random(3).nextBytes(data);
      assertThatExceptionOfType(NvmeStatusException.class)
          .isThrownBy(() -> setup.disk.write(0, data))
          .withMessage(
              "simulated:nvme: Write on namespace 1 at LBA 768: Command Aborted due to SQ Deletion"
                  + " (SCT 0h, SC 08h): it was not completed in time, and the queue was deleted;"
                  + " try again: the command may have taken effect, or not");
      setup.disk.write(0, data);
      byte[] read = new byte[data.length];
      setup.disk.read(0, read);
      assertThat(read).isEqualTo(data);
      assertThat(setup.controller.queueResets()).isEqualTo(1);
    }
  }

  @Test
  void resetsAControllerThatReportsAFatalError() {
    try (Setup setup = new Setup(model().fault(NvmeFault.FATAL).faultAfter(3), options())) {
      assertThatExceptionOfType(NvmeStatusException.class)
          .isThrownBy(() -> setup.disk.write(0, new byte[4 * MIB]))
          .withMessage(
              "simulated:nvme: Write on namespace 1 at LBA 768: Command Aborted By Host (SCT 3h, SC"
                  + " 71h): the controller was reset: it reported a fatal error (CSTS 0x3);"
                  + " try again: the command may have taken effect, or not");
      assertThat(setup.controller.resets()).isEqualTo(1);
    }
  }

  @Test
  void memoryThatCanTakeNothingIsRefused() throws InterruptedException {
    try (Setup setup = new Setup(model(), options());
        Arena arena = Arena.ofConfined()) {
      MemorySegment readOnly = MemorySegment.ofArray(new byte[512]).asReadOnly();
      for (int i = 0; i < 40; i++) {
        assertThatIllegalArgumentException().isThrownBy(() -> setup.disk.read(0, readOnly));
      }
      MemorySegment confined = arena.allocate(512);
      AtomicReference<Throwable> thrown = new AtomicReference<>();
      Thread.ofPlatform()
          .start(() -> thrown.set(catchThrowable(() -> setup.disk.read(0, confined))))
          .join();
      assertThat(thrown.get()).isInstanceOf(IllegalArgumentException.class);
      setup.disk.write(0, readOnly);
      setup.disk.read(0, confined);
    }
  }

  /** A clock that closes an arena while somebody waits. */
  private static final class ClosingTime implements TimeSource {
    private final TimeSource time;
    private @Nullable Arena next;

    ClosingTime(TimeSource time) {
      this.time = time;
    }

    @Override
    public long nanoTime() {
      return time.nanoTime();
    }

    @Override
    public void sleep(Duration duration) {
      time.sleep(duration);
    }

    @Override
    public void spin() {
      if (next != null) {
        next.close();
        next = null;
      }
      time.spin();
    }
  }

  @Test
  @SuppressWarnings("MustBeClosedChecker") // the clock closes it
  void memoryThatIsClosedMeanwhileEndsOnlyThatRead() {
    NvmeModel model = model().latency(Duration.ofMillis(1)).build();
    try (SimulatedBus bus = DeviceRoute.newBus();
        PciDevice device = DeviceRoute.chosen(bus.open(bus.plug("nvme", model)))) {
      ClosingTime time = new ClosingTime(bus.time());
      NvmeOptions options = options().withTime(time).withCompletion(Completion.POLL);
      try (NvmeController controller = NvmeController.open(device, options);
          NvmeDisk disk = controller.openDisk(1)) {
        for (int i = 0; i < 40; i++) {
          Arena arena = Arena.ofShared();
          MemorySegment target = arena.allocate(4 * MIB);
          time.next = arena;
          assertThatIllegalStateException().isThrownBy(() -> disk.read(0, target));
        }
        disk.read(0, new byte[4 * MIB]);
      }
    }
  }
}
