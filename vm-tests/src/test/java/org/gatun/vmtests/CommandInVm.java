package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeDisk;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.vmtests.inside.Command;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Other ways to the same data: for {@link CommandTest}. */
@InVm
class CommandInVm {
  private static final int BUFFER = 4 << 20;
  private static final int TIMES = 50;

  @RegisterExtension final VfioDevices devices = new VfioDevices();

  @Test
  void computesAFactorial() throws Exception {
    String name = devices.device("edu").bind().name().toString();

    assertThat(
            GatunCommand.run("edu", "factorial", "--device", name, "10").expectSuccess().output())
        .contains("3628800");
  }

  /** A child has copies of all descriptors until it executes its program. */
  @Test
  void opensADeviceAgainWhileProcessesAreStarted() throws Exception {
    VfioDevices.Taken edu = devices.device("edu").bind();
    AtomicBoolean ends = new AtomicBoolean();
    FutureTask<Integer> starts =
        new FutureTask<>(
            () -> {
              int count = 0;
              for (; !ends.get(); count++) {
                Command.run("true").expectSuccess();
              }
              return count;
            });
    Thread.ofPlatform().start(starts);
    try {
      for (int i = 0; i < TIMES; i++) {
        edu.open().close();
      }
    } finally {
      ends.set(true);
    }
    assertThat(starts.get()).as("processes that were started meanwhile").isPositive();
  }

  @Test
  void readsADiskThroughJna() throws Exception {
    String name = devices.device("disk", "nvme").bind().name().toString();
    Path copy = Files.createTempFile("disk", ".img");

    GatunCommand.runThroughJna(
            "nvme",
            "read",
            "--device",
            name,
            "--offset",
            "2M",
            "--length",
            "1M",
            "--output",
            copy.toString())
        .expectSuccess();

    new DiskPattern(CommandTest.SEED).check(2 << 20, ByteBuffer.wrap(Files.readAllBytes(copy)));
  }

  @Test
  void readsADiskIntoHugePages() throws Exception {
    Command.run("sysctl", "vm.nr_hugepages=8").expectSuccess();
    try (PciDevice device = devices.device("disk", "nvme").open();
        NvmeController controller = NvmeController.open(device, NvmeOptions.defaults());
        NvmeDisk disk = controller.openDisk(1)) {
      int free = freeHugePages();
      try (DmaBuffer buffer = device.dma().allocate(BUFFER, 4096)) {
        assertThat(freeHugePages()).as("free huge pages").isEqualTo(free - BUFFER / (2 << 20));
        disk.read(0, buffer, 0, BUFFER);
        DiskPattern pattern = new DiskPattern(CommandTest.SEED);
        for (int offset = 0; offset < BUFFER; offset += DiskPattern.CHUNK) {
          pattern.check(offset, buffer.segment().asSlice(offset, DiskPattern.CHUNK).asByteBuffer());
        }
      }
      assertThat(freeHugePages()).isEqualTo(free);
    } finally {
      Command.run("sysctl", "vm.nr_hugepages=0").expectSuccess();
    }
  }

  private static int freeHugePages() throws Exception {
    Matcher matcher =
        Pattern.compile("HugePages_Free: +([0-9]+)")
            .matcher(Files.readString(Path.of("/proc/meminfo")));
    assertThat(matcher.find()).isTrue();
    return Integer.parseInt(matcher.group(1));
  }
}
