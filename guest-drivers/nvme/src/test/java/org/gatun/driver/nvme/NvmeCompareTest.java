package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciException;
import org.gatun.specs.nvme.DatasetManagementRange;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.NvmCommand;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeStatus;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Compare, Verify, and ranges of Dataset Management, on the scripted controller. */
class NvmeCompareTest {
  private static final int BLOCK = 512;

  private static Rig rig(int oncs) {
    return new Rig(
        model -> {
          model.identity.setOncs(oncs);
          model.addNamespace(1, 16384, 9, 0);
        });
  }

  private static byte[] random(int length) {
    byte[] data = new byte[length];
    new Random(length).nextBytes(data);
    return data;
  }

  @ParameterizedTest
  @ValueSource(ints = {BLOCK, 8192, 300 << 10})
  void comparesWithWhatIsThere(int length) {
    try (Rig rig = rig(IdentifyController.ONCS_COMPARE);
        NvmeController controller = rig.open();
        NvmeDisk disk = controller.openDisk(1);
        DmaBuffer buffer = rig.allocate(length + 4L)) {
      byte[] data = random(length);
      disk.write(BLOCK, data);
      buffer.copyIn(4, data);
      assertThat(disk.compare(BLOCK, data)).isTrue();
      assertThat(disk.compare(BLOCK, buffer, 4, length)).isTrue();

      data[length - 1] ^= 1;
      buffer.copyIn(4, data);
      assertThat(disk.compare(BLOCK, data)).isFalse();
      assertThat(disk.compare(BLOCK, buffer, 4, length)).isFalse();
    }
  }

  @Test
  void anotherFailureThanADifferenceIsThrown() {
    try (Rig rig = rig(IdentifyController.ONCS_COMPARE | IdentifyController.ONCS_VERIFY);
        NvmeController controller = rig.open();
        NvmeDisk disk = controller.openDisk(1)) {
      rig.model.script =
          command -> {
            if (command.isIo()) {
              command.complete(NvmeStatus.UNRECOVERED_READ_ERROR);
            } else {
              command.execute();
            }
          };
      assertThatExceptionOfType(NvmeStatusException.class)
          .isThrownBy(() -> disk.compare(0, new byte[BLOCK]))
          .withMessageStartingWith("simulated:nvme: Compare on namespace 1 at LBA 0: Unrecovered");
      assertThatExceptionOfType(NvmeStatusException.class)
          .isThrownBy(() -> disk.verify(BLOCK, BLOCK))
          .withMessageStartingWith("simulated:nvme: Verify on namespace 1 at LBA 1: Unrecovered");
    }
  }

  @Test
  void verifiesEachBlockOnce() {
    try (Rig rig = rig(IdentifyController.ONCS_VERIFY);
        NvmeController controller = rig.open();
        NvmeDisk disk = controller.openDisk(1)) {
      List<Long> blocks = new ArrayList<>();
      rig.model.script =
          command -> {
            if (command.opcode == NvmOpcode.VERIFY && command.isIo()) {
              for (int i = 0; i < NvmCommand.blocks(command.dword12); i++) {
                blocks.add(command.slba + i);
              }
            }
            command.execute();
          };
      disk.verify(3 * BLOCK, 1000 * BLOCK);
      Collections.sort(blocks);
      assertThat(blocks).isEqualTo(IntStream.range(3, 1003).mapToObj(i -> (long) i).toList());
    }
  }

  @Test
  void whatTheControllerDoesNotHaveIsRefused() {
    try (Rig rig = rig(0);
        NvmeController controller = rig.open();
        NvmeDisk disk = controller.openDisk(1)) {
      assertThatExceptionOfType(PciException.class)
          .isThrownBy(() -> disk.compare(0, new byte[BLOCK]))
          .withMessage(
              "simulated:nvme: the controller does not have Compare (ONCS); read the blocks, and"
                  + " compare them");
      assertThatExceptionOfType(PciException.class)
          .isThrownBy(() -> disk.verify(0, BLOCK))
          .withMessage(
              "simulated:nvme: the controller does not have Verify (ONCS); read the blocks");
      assertThatExceptionOfType(PciException.class)
          .isThrownBy(() -> disk.deallocate(List.of(new NvmeDisk.Range(0, BLOCK))))
          .withMessageContaining("Dataset Management");
    }
  }

  @Test
  void deallocatesUpTo256RangesWithEachCommand() {
    try (Rig rig = rig(IdentifyController.ONCS_DATASET_MANAGEMENT);
        NvmeController controller = rig.open();
        NvmeDisk disk = controller.openDisk(1)) {
      List<Integer> counts = new ArrayList<>();
      List<DatasetManagementRange> seen = new ArrayList<>();
      rig.model.script =
          command -> {
            if (command.isIo()) {
              assertThat(command.dword11).isEqualTo(NvmCommand.DEALLOCATE);
              int count = NvmCommand.ranges(command.dword10);
              counts.add(count);
              var list = command.receive((long) count * DatasetManagementRange.SIZE);
              IntStream.range(0, count)
                  .mapToObj(i -> DatasetManagementRange.read(list, i))
                  .forEach(seen::add);
            }
            command.execute();
          };
      List<NvmeDisk.Range> ranges =
          IntStream.range(0, 300)
              .mapToObj(i -> new NvmeDisk.Range((long) i * 4 * BLOCK, (1L + i % 3) * BLOCK))
              .toList();
      disk.deallocate(ranges);
      assertThat(counts).containsExactly(256, 44);
      assertThat(seen)
          .isEqualTo(
              ranges.stream()
                  .map(
                      range ->
                          new DatasetManagementRange(
                              0, range.length() / BLOCK, range.offset() / BLOCK))
                  .toList());

      counts.clear();
      disk.deallocate(List.of());
      disk.deallocate(List.of(new NvmeDisk.Range(0, 0)));
      assertThatIllegalArgumentException()
          .isThrownBy(
              () ->
                  disk.deallocate(
                      List.of(new NvmeDisk.Range(0, BLOCK), new NvmeDisk.Range(1, BLOCK))))
          .withMessageContaining("is not a multiple of the block");
      assertThat(counts).isEmpty();
    }
  }

  @Test
  void numbersOfRangesAndBlocksThatAreNoneAreRefused() {
    try (Rig rig =
            rig(IdentifyController.ONCS_DATASET_MANAGEMENT | IdentifyController.ONCS_VERIFY);
        NvmeController controller = rig.open();
        NvmeQueuePair queue = controller.createQueuePair()) {
      NvmeNamespace namespace = controller.namespace(1);
      DatasetManagementRange range = new DatasetManagementRange(0, 1, 0);
      for (List<DatasetManagementRange> ranges :
          List.of(
              List.<DatasetManagementRange>of(),
              Collections.nCopies(257, range),
              List.of(range, new DatasetManagementRange(0, 0, 0)))) {
        assertThatIllegalArgumentException()
            .isThrownBy(() -> queue.submitDeallocate(namespace, ranges, (_, _) -> {}, 0));
      }
      for (int blocks : new int[] {0, 65537}) {
        assertThatIllegalArgumentException()
            .isThrownBy(() -> queue.submitVerify(namespace, 0, blocks, (_, _) -> {}, 0))
            .withMessage("Verify takes 1 to 65536 blocks, not " + blocks);
      }
      assertThat(queue.inFlight()).isZero();
    }
  }
}
