package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;
import org.gatun.pci.DmaBuffer;
import org.gatun.simulated.RawNvme.Queue;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.Cns;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.IdentifyNvmController;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeStatus;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Compare and Verify (NVM 3.2.1, 3.2.5). */
@NullMarked
class NvmeCompareTest {
  private static final int PAGE = 4096;
  private static final int BLOCKS = 8192;

  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private RawNvme nvme = start("memory", NvmeModel.builder().size(BLOCKS * 512L).build());
  private Queue queue = nvme.createQueue(1);
  private DmaBuffer data = nvme.device.dma().allocate(4 * PAGE, PAGE);

  @AfterEach
  void close() {
    bus.close();
  }

  private RawNvme start(String name, NvmeModel model) {
    RawNvme started = new RawNvme(bus.open(bus.plug(name, model)));
    started.enable();
    return started;
  }

  /** Two pages of data, without a list. */
  private int run(int opcode, long lba, int blocks) {
    return queue.io(opcode, lba, blocks, data.busAddress(), data.busAddress() + PAGE).code();
  }

  @Test
  void saysThatItHasThem() {
    int expected = IdentifyController.ONCS_COMPARE | IdentifyController.ONCS_VERIFY;
    assertThat(nvme.identifyController(data).oncs() & expected).isEqualTo(expected);
    assertThat(nvme.identify(Cns.COMMAND_SET_CONTROLLER, 0, data)).isZero();
    assertThat(new IdentifyNvmController(data.segment()).verifySizeLimit())
        .as("as MDTS")
        .isEqualTo(7);
    int dword10 = AdminCommand.identifyDword10(Cns.COMMAND_SET_CONTROLLER);
    assertThat(
            nvme.admin
                .run(AdminOpcode.IDENTIFY, 0, data.busAddress(), 0, dword10, 2 << 24, 0)
                .code())
        .as("zoned namespaces")
        .isEqualTo(NvmeStatus.INVALID_FIELD_IN_COMMAND.status());
  }

  @Test
  void findsEachByteThatDiffers() {
    byte[] random = new byte[2 * PAGE];
    new Random(5).nextBytes(random);
    data.copyIn(0, random);
    assertThat(run(NvmOpcode.WRITE, 9, 16)).isZero();

    assertThat(run(NvmOpcode.COMPARE, 9, 16)).isZero();
    for (int at : new int[] {0, 1, 2047, 2048, PAGE - 1, PAGE, 2 * PAGE - 1}) {
      data.putByte(at, (byte) ~random[at]);
      assertThat(run(NvmOpcode.COMPARE, 9, 16))
          .as("byte %d", at)
          .isEqualTo(NvmeStatus.COMPARE_FAILURE.status());
      data.putByte(at, random[at]);
    }
    assertThat(run(NvmOpcode.COMPARE, 9, 16)).as("a failure is forgotten").isZero();
    assertThat(run(NvmOpcode.COMPARE, 10, 16)).isEqualTo(NvmeStatus.COMPARE_FAILURE.status());
    data.segment().fill((byte) 0);
    assertThat(run(NvmOpcode.COMPARE, 4096, 16)).as("never written").isZero();
    assertThat(bus.iommu().faults()).isEmpty();
  }

  @Test
  void leavesTheBlocksAsTheyAre() {
    data.segment().fill((byte) 1);
    run(NvmOpcode.WRITE, 0, 16);
    data.segment().fill((byte) 2);
    run(NvmOpcode.COMPARE, 0, 16);
    assertThat(run(NvmOpcode.VERIFY, 0, 16)).isZero();
    assertThat(data.getByteAcquire(0)).as("no data come").isEqualTo((byte) 2);
    run(NvmOpcode.READ, 0, 16);
    assertThat(data.getByteAcquire(0)).isEqualTo((byte) 1);
    assertThat(data.getByteAcquire(2 * PAGE - 1)).isEqualTo((byte) 1);
  }

  @Test
  void checkWhatTheyAreAskedFor() {
    for (int opcode : new int[] {NvmOpcode.COMPARE, NvmOpcode.VERIFY}) {
      assertThat(run(opcode, BLOCKS - 15, 16)).isEqualTo(NvmeStatus.LBA_OUT_OF_RANGE.status());
      assertThat(run(opcode, -1, 1)).isEqualTo(NvmeStatus.LBA_OUT_OF_RANGE.status());
      assertThat(run(opcode, 0, 1025)).isEqualTo(NvmeStatus.INVALID_FIELD_IN_COMMAND.status());
    }
    assertThat(queue.io(NvmOpcode.COMPARE, 0, 1, 0x7000_0000, 0).code())
        .isEqualTo(NvmeStatus.DATA_TRANSFER_ERROR.status());
    assertThat(queue.io(NvmOpcode.VERIFY, BLOCKS - 1024, 1024, 0x7000_0000, 0).code()).isZero();
  }

  /** The mapping of what is gone faults: in each command as an error of its own. */
  @Test
  void aFileThatIsCutShortIsAnError(@TempDir Path folder) throws IOException {
    Path image = Files.write(folder.resolve("disk.img"), new byte[1 << 20]);
    nvme = start("file", NvmeModel.builder().file(image).build());
    queue = nvme.createQueue(1);
    data = nvme.device.dma().allocate(4 * PAGE, PAGE);
    int[] opcodes = {NvmOpcode.READ, NvmOpcode.WRITE, NvmOpcode.COMPARE, NvmOpcode.VERIFY};
    for (int opcode : opcodes) {
      assertThat(run(opcode, 1024, 16)).isZero();
    }
    try (FileChannel channel = FileChannel.open(image, StandardOpenOption.WRITE)) {
      channel.truncate(PAGE);
    }
    for (int opcode : opcodes) {
      assertThat(run(opcode, 1024, 16))
          .as(NvmOpcode.name(opcode))
          .isEqualTo(NvmeStatus.INTERNAL_ERROR.status());
      assertThat(run(opcode, 0, 8)).as("what is left").isZero();
    }
  }
}
