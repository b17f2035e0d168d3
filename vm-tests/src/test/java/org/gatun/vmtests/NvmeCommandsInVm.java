package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.gatun.driver.nvme.Completion;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeDisk;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.vmtests.VfioDevices.Taken;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Transfers whose PRP lists have several pages, Write Zeroes and Deallocate, on QEMU's controller:
 * for {@link NvmeCommandsTest}. A copy in memory is what the disk must hold, all of it, also where
 * no command should have reached; at the end Linux reads the disk.
 */
@InVm
class NvmeCommandsInVm {
  static final int MDTS = 10;

  private static final int LONGEST = 4096 << MDTS;
  private static final int MIB = 1 << 20;

  /** DLFEAT, bits 2 to 0: deallocated blocks read as zeroes (NVM 4.1.5.1). */
  private static final int DEALLOCATED_READS_ZEROES = 1;

  @RegisterExtension final VfioDevices devices = new VfioDevices();

  @ParameterizedTest
  @CsvSource({"512, POLL", "4096, INTERRUPT"})
  void linuxReadsWhatTheCommandsLeft(int blockSize, Completion completion) throws Exception {
    Taken taken = devices.device("disk-" + blockSize, "nvme");
    byte[] expected = new byte[NvmeCommandsTest.DISK_SIZE];
    new Random(blockSize).nextBytes(expected);
    NvmeOptions options =
        NvmeOptions.defaults()
            .withCompletion(completion)
            .withQueueDepth(8)
            .withMaxTransferBytes(LONGEST);

    try (PciDevice device = taken.open();
        NvmeController controller = NvmeController.open(device, options);
        NvmeDisk disk = controller.openDisk(1);
        DmaBuffer buffer = device.dma().allocate(LONGEST + 2 * 4096, 4096)) {
      assertThat(disk.namespace().blockSize()).isEqualTo(blockSize);
      assertThat(disk.namespace().maxTransferBlocks()).isEqualTo(LONGEST / blockSize);
      for (int offset = 0; offset < expected.length; offset += LONGEST) {
        buffer.copyIn(0, Arrays.copyOfRange(expected, offset, offset + LONGEST));
        disk.write(offset, buffer, 0, LONGEST);
      }
      transfer(disk, buffer, expected);
      zero(disk, expected);
      deallocate(disk, buffer, expected);
      disk.flush();
    }
    taken.giveBack();

    try (FileChannel linux = FileChannel.open(taken.blockDevice())) {
      ByteBuffer actual = ByteBuffer.allocate(expected.length);
      while (actual.hasRemaining() && linux.read(actual) > 0) {
        // On to the end.
      }
      assertThat(linux.size()).isEqualTo(expected.length);
      assertThat(actual.flip().mismatch(ByteBuffer.wrap(expected)))
          .as("first byte that differs")
          .isEqualTo(-1);
    }
  }

  /** One command each: a page of a PRP list has 512 entries, and the last one may be a link. */
  private static void transfer(NvmeDisk disk, DmaBuffer buffer, byte[] expected) {
    Random random = new Random(1);
    int block = disk.namespace().blockSize();
    for (int pages : List.of(512, 513, 514, 515, 1023, 1024)) {
      // A buffer that begins in a page touches one more.
      for (int bufferOffset : pages < 1024 ? List.of(0, 4, 3072) : List.of(0)) {
        int length = pages * 4096 - (block < 4096 && bufferOffset > 0 ? block : 0);
        int offset = random.nextInt((expected.length - length) / block) * block;
        byte[] data = new byte[length];
        random.nextBytes(data);

        buffer.copyIn(bufferOffset, data);
        disk.write(offset, buffer, bufferOffset, length);
        System.arraycopy(data, 0, expected, offset, length);

        byte[] read = new byte[LONGEST + 2 * 4096];
        Arrays.fill(read, (byte) 0xa5);
        buffer.copyIn(0, read);
        System.arraycopy(data, 0, read, bufferOffset, length);
        disk.read(offset, buffer, bufferOffset, length);
        check(buffer, read, "%d pages at %d in the buffer".formatted(pages, bufferOffset));
      }
    }
  }

  private static void zero(NvmeDisk disk, byte[] expected) {
    int block = disk.namespace().blockSize();
    zero(disk, MIB + block, block, expected);
    // With blocks of 512 bytes it takes a second command.
    zero(disk, 3 * MIB + block, 33 * MIB + 3 * block, expected);
  }

  private static void zero(NvmeDisk disk, int offset, int length, byte[] expected) {
    disk.writeZeroes(offset, length);
    Arrays.fill(expected, offset, offset + length, (byte) 0);
  }

  private static void deallocate(NvmeDisk disk, DmaBuffer buffer, byte[] expected) {
    assertThat(disk.namespace().identity().dlfeat() & 7).isEqualTo(DEALLOCATED_READS_ZEROES);
    int block = disk.namespace().blockSize();
    int offset = 48 * MIB + block;
    int length = 2 * MIB + block;

    disk.deallocate(offset, length);
    Arrays.fill(expected, offset, offset + length, (byte) 0);

    disk.read(offset - MIB, buffer, 0, LONGEST);
    check(
        buffer,
        Arrays.copyOfRange(expected, offset - MIB, offset - MIB + LONGEST),
        "what was deallocated, and beside it");
  }

  private static void check(DmaBuffer buffer, byte[] expected, String what) {
    byte[] actual = new byte[expected.length];
    buffer.copyOut(0, actual);
    assertThat(Arrays.mismatch(actual, expected)).as("first wrong byte: " + what).isEqualTo(-1);
  }
}
