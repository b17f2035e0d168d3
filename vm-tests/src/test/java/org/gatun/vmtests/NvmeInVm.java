package org.gatun.vmtests;

import static java.nio.file.StandardOpenOption.TRUNCATE_EXISTING;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Locale;
import org.gatun.driver.nvme.Completion;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeDisk;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.vmtests.VfioDevices.Taken;
import org.gatun.vmtests.inside.Command;
import org.gatun.vmtests.inside.Inside;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Gatun and Linux read what the other, or the host, wrote to an NVMe disk: for {@link NvmeTest}.
 * The first bytes of each disk are an ext4 file system from the host, and its last ones are
 * overwritten here.
 */
@InVm
class NvmeInVm {
  static final String FILE = "greeting";
  static final String GREETING = "from the host";

  /** Properties with the SHA-256 of each disk, by its id. */
  static final String SHA_256 = "test.sha256.";

  /** The id of the disk that the command has. */
  static final String COMMAND = "command";

  /** The rest of a disk is written. */
  private static final long KEPT = 64 << 20;

  private static final long COMMAND_WRITTEN = 32 << 20;
  private static final int BUFFER = 4 << 20;

  @RegisterExtension final VfioDevices devices = new VfioDevices();

  @ParameterizedTest
  @CsvSource({"POLL, 512", "INTERRUPT, 512", "POLL, 4096", "INTERRUPT, 4096"})
  void readsWhatLinuxMadeAndWritesWhatLinuxReads(Completion completion, int blockSize)
      throws Exception {
    String id = completion.name().toLowerCase(Locale.ROOT) + "-" + blockSize;
    Taken taken = devices.device(id, "nvme");
    checkFileSystem(taken);
    DiskPattern pattern = new DiskPattern(id.hashCode());

    long size;
    try (PciDevice device = taken.open();
        NvmeController controller =
            NvmeController.open(device, NvmeOptions.defaults().withCompletion(completion));
        NvmeDisk disk = controller.openDisk(1)) {
      assertThat(disk.namespace().blockSize()).isEqualTo(blockSize);
      assertThat(isMsixOn(taken)).isEqualTo(completion == Completion.INTERRUPT);
      size = disk.namespace().sizeBytes();
      assertThat(sha256(device, disk)).isEqualTo(Inside.property(SHA_256 + id));
      for (long offset = KEPT; offset < size; offset += DiskPattern.CHUNK) {
        disk.write(offset, pattern.at(offset));
      }
      disk.flush();
    }
    taken.giveBack();

    checkThatLinuxReads(taken.blockDevice(), size, size - KEPT, pattern);
  }

  @Test
  void theCommandDoesTheSame() throws Exception {
    Taken taken = devices.device(COMMAND, "nvme");
    String address = taken.address().toString();
    String name = taken.name().toString();
    checkFileSystem(taken);
    DiskPattern pattern = new DiskPattern(COMMAND.hashCode());
    long size;

    assertThat(GatunCommand.run("bind", address).expectSuccess().output())
        .contains("bound to vfio-pci, formerly nvme");
    Path copy = Files.createTempFile("disk", ".img");
    try {
      GatunCommand.Running read =
          GatunCommand.start("nvme", "read", "--device", name, "--output", copy.toString());
      taken.markInUse();
      read.end().expectSuccess();
      size = Files.size(copy);
      assertThat(Command.run("sha256sum", copy.toString()).expectSuccess())
          .startsWith(Inside.property(SHA_256 + COMMAND));
      try (FileChannel input = FileChannel.open(copy, TRUNCATE_EXISTING, WRITE)) {
        for (long offset = size - COMMAND_WRITTEN; offset < size; offset += DiskPattern.CHUNK) {
          input.write(ByteBuffer.wrap(pattern.at(offset)));
        }
      }
      GatunCommand.run(
              "nvme",
              "write",
              "--device",
              name,
              "--input",
              copy.toString(),
              "--offset",
              String.valueOf(size - COMMAND_WRITTEN),
              "--completion",
              "interrupt",
              "--yes")
          .expectSuccess();
    } finally {
      Files.delete(copy);
    }
    taken.checkAtRest();
    assertThat(GatunCommand.run("unbind", address).expectSuccess().output())
        .contains("bound to nvme");

    checkThatLinuxReads(taken.blockDevice(), size, COMMAND_WRITTEN, pattern);
  }

  /** Linux, before Gatun: reads a file, and meanwhile the disk is not to be had. */
  private static void checkFileSystem(Taken taken) throws Exception {
    Path mountPoint = Files.createTempDirectory("disk");
    Command.run("mount", "-o", "ro,noload", taken.blockDevice().toString(), mountPoint.toString())
        .expectSuccess();
    try {
      assertThat(mountPoint.resolve(FILE)).hasContent(GREETING);
      assertThatExceptionOfType(DeviceUnavailableException.class)
          .isThrownBy(taken::bind)
          .withMessageContaining(mountPoint.toString());
    } finally {
      Command.run("umount", mountPoint.toString()).expectSuccess();
    }
  }

  private static boolean isMsixOn(Taken taken) {
    ConfigSpace config = taken.sysfs().config();
    Capability msix = Capabilities.walk(config).find(Capability.MSIX).orElseThrow();
    return config.read16(msix.offset() + 2) >>> 15 == 1;
  }

  private static String sha256(PciDevice device, NvmeDisk disk) throws Exception {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    long size = disk.namespace().sizeBytes();
    try (DmaBuffer buffer = device.dma().allocate(BUFFER, 4096)) {
      for (long offset = 0; offset < size; offset += BUFFER) {
        long length = Math.min(BUFFER, size - offset);
        disk.read(offset, buffer, 0, length);
        digest.update(buffer.segment().asSlice(0, length).asByteBuffer());
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  private static void checkThatLinuxReads(Path disk, long size, long written, DiskPattern pattern)
      throws IOException {
    ByteBuffer chunk = ByteBuffer.allocateDirect(DiskPattern.CHUNK);
    try (FileChannel channel = FileChannel.open(disk)) {
      assertThat(channel.size()).isEqualTo(size);
      for (long offset = size - written; offset < size; offset += DiskPattern.CHUNK) {
        chunk.clear();
        int got;
        do {
          got = channel.read(chunk, offset + chunk.position());
        } while (got > 0 && chunk.hasRemaining());
        pattern.check(offset, chunk.flip());
      }
    }
  }
}
