package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import org.gatun.pci.DmaBuffer;
import org.gatun.simulated.RawNvme.Queue;
import org.gatun.specs.nvme.DatasetManagementRange;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.NvmCommand;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.Sgl;
import org.gatun.specs.nvme.SubmissionEntry;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Scatter gather lists (Base 4.1.2) of a host that makes them by hand, well and badly. */
@NullMarked
class NvmeScatterGatherTest {
  private static final int PAGE = 4096;
  private static final int LENGTH_INVALID = NvmeStatus.DATA_SGL_LENGTH_INVALID.status();
  private static final int TYPE_INVALID = NvmeStatus.SGL_DESCRIPTOR_TYPE_INVALID.status();
  private static final int SEGMENT_INVALID = NvmeStatus.INVALID_SGL_SEGMENT_DESCRIPTOR.status();
  private static final int NUMBER_INVALID = NvmeStatus.INVALID_NUMBER_OF_SGL_DESCRIPTORS.status();
  private static final int TRANSFER_ERROR = NvmeStatus.DATA_TRANSFER_ERROR.status();

  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final RawNvme nvme =
      new RawNvme(bus.open(bus.plug("nvme", NvmeModel.builder().size(1 << 20).build())));
  private final DmaBuffer data = nvme.device.dma().allocate(16L * PAGE, PAGE);
  private final DmaBuffer list = nvme.device.dma().allocate(2L * PAGE, PAGE);
  private final Queue queue;
  private int listed;

  NvmeScatterGatherTest() {
    nvme.enable();
    queue = nvme.createQueue(1);
  }

  @AfterEach
  void close() {
    bus.close();
  }

  private int run(int opcode, long lba, int blocks, long address, long half) {
    int dword0 = SubmissionEntry.withPsdt(SubmissionEntry.dword0(opcode, 7), 1);
    queue.putDword0(dword0, 1, address, half, (int) lba, 0, NvmCommand.dword12(blocks, 0));
    queue.ring();
    return queue.take().code();
  }

  private int runBlock(int opcode, int blocks, long address, long length) {
    return run(opcode, 0, blocks, address, Sgl.secondHalf(Sgl.DATA_BLOCK, length));
  }

  /** Runs a command of the descriptors that were listed, as the last segment. */
  private int runList(int opcode, int blocks) {
    long half = Sgl.secondHalf(Sgl.LAST_SEGMENT, (long) listed * Sgl.SIZE);
    listed = 0;
    return run(opcode, 0, blocks, list.busAddress(), half);
  }

  /** Puts a descriptor next to the last one. */
  private void add(int type, long address, long length) {
    list.putLong((long) listed * Sgl.SIZE, address);
    list.putLong((long) listed * Sgl.SIZE + Sgl.SECOND_HALF, Sgl.secondHalf(type, length));
    listed++;
  }

  private byte[] random(int length) {
    byte[] bytes = new byte[length];
    new Random(length).nextBytes(bytes);
    return bytes;
  }

  private byte[] bytes(int offset, int length) {
    byte[] bytes = new byte[length];
    data.copyOut(offset, bytes);
    return bytes;
  }

  @Test
  void saysThatItHasThem() {
    assertThat(nvme.identifyController(data).sgls())
        .isEqualTo(IdentifyController.SGLS_UNALIGNED | IdentifyController.SGLS_BIT_BUCKET);
    RawNvme without =
        new RawNvme(
            bus.open(bus.plug("without", NvmeModel.builder().scatterGather(false).build())));
    without.enable();
    DmaBuffer page = without.device.dma().allocate(PAGE, PAGE);
    assertThat(without.identifyController(page).sgls()).isZero();
    Queue other = without.createQueue(1);
    int dword0 = SubmissionEntry.withPsdt(SubmissionEntry.dword0(NvmOpcode.READ, 7), 1);
    other.putDword0(dword0, 1, page.busAddress(), Sgl.secondHalf(Sgl.DATA_BLOCK, 512), 0, 0, 0);
    other.ring();
    assertThat(other.take().code()).isEqualTo(NvmeStatus.INVALID_FIELD_IN_COMMAND.status());
  }

  /** At any byte, and across pages. */
  @Test
  void oneBlockOfDataNeedsNoList() {
    byte[] written = random(3 * PAGE);
    data.copyIn(4093, written);
    long address = data.busAddress() + 4093;
    assertThat(runBlock(NvmOpcode.WRITE, 24, address, written.length)).isZero();
    assertThat(runBlock(NvmOpcode.COMPARE, 24, address, written.length)).isZero();
    assertThat(runBlock(NvmOpcode.READ, 24, data.busAddress() + 8 * PAGE + 1, written.length))
        .isZero();
    assertThat(bytes(8 * PAGE + 1, written.length)).isEqualTo(written);
    assertThat(data.getByteAcquire(8 * PAGE)).isZero();
    assertThat(data.getByteAcquire(11 * PAGE + 1)).isZero();
    assertThat(bus.iommu().faults()).isEmpty();
  }

  @Test
  void piecesAreGatheredAndScattered() {
    byte[] written = random(1024);
    data.copyIn(0, written);
    add(Sgl.DATA_BLOCK, data.busAddress(), 1);
    add(Sgl.DATA_BLOCK, 0x7000_0000, 0); // of no length: the address is nobody's business
    add(Sgl.DATA_BLOCK, data.busAddress() + 1, 1000);
    add(Sgl.DATA_BLOCK, data.busAddress() + 1001, 23);
    assertThat(runList(NvmOpcode.WRITE, 2)).isZero();
    add(Sgl.DATA_BLOCK, data.busAddress() + PAGE + 24, 1000);
    add(Sgl.DATA_BLOCK, data.busAddress() + PAGE, 24);
    assertThat(runList(NvmOpcode.READ, 2)).isZero();
    assertThat(bytes(PAGE + 24, 1000)).isEqualTo(Arrays.copyOf(written, 1000));
    assertThat(bytes(PAGE, 24)).isEqualTo(Arrays.copyOfRange(written, 1000, 1024));
  }

  @Test
  void segmentsAreFollowed() {
    byte[] written = random(512);
    data.copyIn(0, written);
    assertThat(runBlock(NvmOpcode.WRITE, 1, data.busAddress(), 512)).isZero();
    long out = data.busAddress() + PAGE;
    add(Sgl.DATA_BLOCK, out, 100);
    add(Sgl.SEGMENT, list.busAddress() + PAGE, 2 * Sgl.SIZE);
    listed = PAGE / Sgl.SIZE;
    add(Sgl.DATA_BLOCK, out + 100, 100);
    add(Sgl.LAST_SEGMENT, list.busAddress() + 2L * Sgl.SIZE, Sgl.SIZE);
    listed = 2;
    add(Sgl.DATA_BLOCK, out + 200, 312);
    int status =
        run(NvmOpcode.READ, 0, 1, list.busAddress(), Sgl.secondHalf(Sgl.SEGMENT, 2 * Sgl.SIZE));
    assertThat(status).isZero();
    assertThat(bytes(PAGE, 512)).isEqualTo(written);
  }

  @Test
  void aBitBucketDropsWhatIsRead() {
    byte[] written = random(1024);
    data.copyIn(0, written);
    assertThat(runBlock(NvmOpcode.WRITE, 2, data.busAddress(), 1024)).isZero();
    add(Sgl.BIT_BUCKET, 0x7000_0000, 1000);
    add(Sgl.DATA_BLOCK, data.busAddress() + PAGE, 24);
    assertThat(runList(NvmOpcode.READ, 2)).isZero();
    assertThat(bytes(PAGE, 24)).isEqualTo(Arrays.copyOfRange(written, 1000, 1024));

    add(Sgl.BIT_BUCKET, 0, 1000);
    add(Sgl.DATA_BLOCK, data.busAddress(), 1024);
    assertThat(runList(NvmOpcode.COMPARE, 2)).as("of what is sent it takes nothing").isZero();
    add(Sgl.BIT_BUCKET, 0, 1025);
    assertThat(runList(NvmOpcode.READ, 2)).isEqualTo(LENGTH_INVALID);
    assertThat(bus.iommu().faults()).isEmpty();
  }

  @Test
  void rangesOfDatasetManagementComeBySgl() {
    data.putLong(PAGE, -1);
    assertThat(runBlock(NvmOpcode.WRITE, 1, data.busAddress() + PAGE, 512)).isZero();
    new DatasetManagementRange(0, 1, 0).write(data.segment(), 0);
    int dword0 =
        SubmissionEntry.withPsdt(SubmissionEntry.dword0(NvmOpcode.DATASET_MANAGEMENT, 7), 1);
    queue.putDword0(
        dword0,
        1,
        data.busAddress(),
        Sgl.secondHalf(Sgl.DATA_BLOCK, DatasetManagementRange.SIZE),
        NvmCommand.rangesDword10(1),
        NvmCommand.DEALLOCATE,
        0);
    queue.ring();
    assertThat(queue.take().code()).isZero();
    assertThat(runBlock(NvmOpcode.READ, 1, data.busAddress() + PAGE, 512)).isZero();
    assertThat(data.getLongAcquire(PAGE)).isZero();
  }

  @Test
  void theLengthHasToBeThatOfTheBlocks() {
    for (long length : new long[] {0, 511, 513, 1024, 0xffff_ffffL}) {
      assertThat(runBlock(NvmOpcode.READ, 1, data.busAddress(), length))
          .as("%d bytes", length)
          .isEqualTo(LENGTH_INVALID);
    }
    add(Sgl.DATA_BLOCK, data.busAddress(), 512);
    add(Sgl.DATA_BLOCK, data.busAddress(), 1);
    assertThat(runList(NvmOpcode.READ, 1)).as("more behind the end").isEqualTo(LENGTH_INVALID);
    add(Sgl.DATA_BLOCK, data.busAddress(), 512);
    add(Sgl.DATA_BLOCK, data.busAddress(), 0);
    assertThat(runList(NvmOpcode.READ, 1)).as("nothing behind the end").isZero();
  }

  @Test
  void typesThatThereAreNotAreRefused() {
    for (long kind : new long[] {0x01, 0x11, 0x40, 0x50, 0xf0, 0xff, 0x21, 0x3f}) {
      assertThat(run(NvmOpcode.READ, 0, 1, data.busAddress(), kind << 56 | 512))
          .as("type and subtype %x", kind)
          .isEqualTo(TYPE_INVALID);
      list.putLong(0, data.busAddress());
      list.putLong(8, kind << 56 | 512);
      listed = 1;
      assertThat(runList(NvmOpcode.READ, 1)).as("in a list").isEqualTo(TYPE_INVALID);
    }
    assertThat(bus.iommu().faults()).isEmpty();
  }

  @Test
  void segmentsHaveToBeWhatTheySay() {
    long here = list.busAddress();
    for (long length : new long[] {0, 8, 15, 24, 0xffff_ffffL}) {
      for (int type : new int[] {Sgl.SEGMENT, Sgl.LAST_SEGMENT}) {
        assertThat(run(NvmOpcode.READ, 0, 1, here, Sgl.secondHalf(type, length)))
            .as("%d bytes", length)
            .isEqualTo(SEGMENT_INVALID);
      }
    }
    assertThat(run(NvmOpcode.READ, 0, 1, here + 4, Sgl.secondHalf(Sgl.SEGMENT, 16)))
        .as("not aligned")
        .isEqualTo(SEGMENT_INVALID);
    add(Sgl.SEGMENT, here, Sgl.SIZE);
    assertThat(runList(NvmOpcode.READ, 1)).as("after the last").isEqualTo(SEGMENT_INVALID);
    add(Sgl.SEGMENT, here, Sgl.SIZE);
    add(Sgl.DATA_BLOCK, data.busAddress(), 512);
    assertThat(runList(NvmOpcode.READ, 1)).as("not at the end").isEqualTo(NUMBER_INVALID);
  }

  @Test
  void aChainThatDoesNotEndIsRefused() {
    long here = list.busAddress();
    add(Sgl.SEGMENT, here, Sgl.SIZE);
    assertThat(run(NvmOpcode.READ, 0, 1, here, Sgl.secondHalf(Sgl.SEGMENT, Sgl.SIZE)))
        .isEqualTo(NUMBER_INVALID);
    list.segment().fill((byte) 0);
    listed = PAGE / Sgl.SIZE - 1;
    add(Sgl.SEGMENT, here, PAGE);
    assertThat(run(NvmOpcode.READ, 0, 1, here, Sgl.secondHalf(Sgl.SEGMENT, PAGE)))
        .as("of blocks without data")
        .isEqualTo(NUMBER_INVALID);
  }

  @Test
  void whatIsNotMappedIsAnError() {
    assertThat(runBlock(NvmOpcode.READ, 1, 0x7000_0000, 512)).isEqualTo(TRANSFER_ERROR);
    assertThat(runBlock(NvmOpcode.WRITE, 1, -1, 512)).isEqualTo(TRANSFER_ERROR);
    long half = Sgl.secondHalf(Sgl.LAST_SEGMENT, 0xffff_fff0L);
    assertThat(run(NvmOpcode.READ, 0, 1, 0x7000_0000, half)).isEqualTo(TRANSFER_ERROR);
    assertThat(run(NvmOpcode.READ, 0, 1, -16, half)).isEqualTo(TRANSFER_ERROR);
    assertThat(bus.iommu().faults()).hasSize(4);
  }

  @Test
  void adminCommandsHaveNone() {
    int dword0 = SubmissionEntry.withPsdt(SubmissionEntry.dword0(6, 7), 1);
    nvme.admin.putDword0(
        dword0, 0, data.busAddress(), Sgl.secondHalf(Sgl.DATA_BLOCK, PAGE), 1, 0, 0);
    nvme.admin.ring();
    assertThat(nvme.admin.take().code()).isEqualTo(NvmeStatus.INVALID_FIELD_IN_COMMAND.status());
  }
}
