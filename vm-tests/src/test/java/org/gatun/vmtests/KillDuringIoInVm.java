package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.lang.ProcessBuilder.Redirect;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeDisk;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.vmtests.VfioDevices.Taken;
import org.gatun.vmtests.inside.Inside;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Kills a program in the middle of NVMe I/O: for {@link KillDuringIoTest}. */
@InVm
class KillDuringIoInVm {
  static final String KILLS = "gatun.kills";
  static final String SEED = "gatun.seed";

  private static final int LONGEST_LIFE_MILLIS = 300;

  @RegisterExtension final VfioDevices devices = new VfioDevices();

  @TestFactory
  Stream<DynamicTest> theNextStartWorks() {
    long seed = Long.parseLong(Inside.property(SEED));
    int kills = Integer.parseInt(Inside.property(KILLS));
    Random random = new Random(seed);
    DiskPattern pattern = new DiskPattern(seed);
    Taken taken = devices.device("disk", "nvme").bind();
    keep(taken, pattern, true);
    return Stream.iterate(1, i -> i + 1)
        .limit(kills)
        .map(
            i -> {
              int life = random.nextInt(LONGEST_LIFE_MILLIS);
              long seedOfVictim = random.nextLong();
              return DynamicTest.dynamicTest(
                  "kill %d, after %d ms".formatted(i, life),
                  () -> {
                    kill(taken, seedOfVictim, life);
                    assertThat(taken.holders()).isEmpty();
                    taken.checkAtRest();
                    keep(taken, pattern, false);
                  });
            });
  }

  /** Starts I/O, and kills it after a while. */
  private static void kill(Taken taken, long seed, int life) throws Exception {
    Process victim =
        new ProcessBuilder(
                List.of(
                    Path.of(System.getProperty("java.home"), "bin/java").toString(),
                    "-XX:TieredStopAtLevel=1",
                    "-XX:+UseSerialGC",
                    "-Xshare:auto",
                    "--enable-native-access=ALL-UNNAMED",
                    "-cp",
                    System.getProperty("java.class.path"),
                    EndlessIo.class.getName(),
                    taken.name().toString(),
                    String.valueOf(KillDuringIoTest.DISK_SIZE - DiskPattern.CHUNK),
                    String.valueOf(seed)))
            .redirectError(Redirect.INHERIT)
            .start();
    try (BufferedReader output = victim.inputReader()) {
      assertThat(output.readLine()).isEqualTo(EndlessIo.GOING);
      taken.markInUse();
      Thread.sleep(life);
      assertThat(victim.isAlive()).as("the victim was at it to the end").isTrue();
    } finally {
      // SIGKILL.
      victim.destroyForcibly();
      victim.waitFor();
    }
  }

  /** The next start: opens the disk, and writes or checks what it holds at its end. */
  private static void keep(Taken taken, DiskPattern pattern, boolean write) {
    try (PciDevice device = taken.open()) {
      assertThat(
              device.config().read16(ConfigRegisters.COMMAND) & ConfigRegisters.COMMAND_BUS_MASTER)
          .as("bus master when opened")
          .isZero();
      try (NvmeController controller = NvmeController.open(device, NvmeOptions.defaults());
          NvmeDisk disk = controller.openDisk(1)) {
        assertThat(controller.identity().serialNumber()).isEqualTo("disk");
        long end = disk.namespace().sizeBytes() - DiskPattern.CHUNK;
        if (write) {
          disk.write(end, pattern.at(end));
        }
        byte[] read = new byte[DiskPattern.CHUNK];
        disk.read(end, read);
        pattern.check(end, ByteBuffer.wrap(read));
      }
    }
  }
}
