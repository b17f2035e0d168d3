package org.gatun.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The command as it is shipped: on the module path, with native access for {@code
 * org.gatun.nativeaccess} alone. What class-path tests can't show: descriptors, services, opens.
 */
class ModulePathIT {
  @Test
  void findsAllBackends() throws Exception {
    ModulePathRun run = ModulePathRun.of(List.of(), "show", "nothing:there");
    assertThat(run.err())
        .isEqualToIgnoringNewLines(
            "gatun: nothing:there: there is no backend for 'nothing'; installed are: simulated,"
                + " sysfs, vfio, vfio-user");
    assertThat(run.status()).isEqualTo(ExitCode.UNAVAILABLE);
  }

  @Test
  void drivesADisk() throws Exception {
    ModulePathRun run =
        ModulePathRun.of(List.of(), "nvme", "identify", "--device", "simulated:nvme", "--json");
    assertThat(run.err()).isEmpty();
    assertThat(run.out()).contains("\"namespaces\"");
    assertThat(run.status()).isZero();
  }

  @Test
  void printsOneLineWhenAControllerFails() throws Exception {
    ModulePathRun run =
        ModulePathRun.of(
            List.of(),
            "nvme",
            "read",
            "--device",
            "simulated:nvme,fault=fatal",
            "--output",
            "/dev/null");
    assertThat(run.err().lines()).singleElement().asString().startsWith("gatun: simulated:nvme,");
    assertThat(run.status()).isEqualTo(ExitCode.FAILED);
  }

  @Test
  @Timeout(120)
  void grantsADiskToAnotherProcess(@TempDir Path folder) throws Exception {
    Path policy =
        Files.writeString(
            folder.resolve("policy.yaml"), "guests: [{name: g, devices: [simulated:nvme]}]");
    Path control = folder.resolve("control");
    Process broker =
        ModulePathRun.command(
                List.of(),
                "broker",
                "run",
                "--config",
                policy.toString(),
                "--directory",
                folder.toString(),
                "--state",
                folder.toString())
            .redirectErrorStream(true)
            .redirectOutput(folder.resolve("log").toFile())
            .start();
    try {
      while (!Files.exists(control)) {
        assertThat(broker.isAlive()).as(Files.readString(folder.resolve("log"))).isTrue();
        Thread.onSpinWait();
      }
      Path socket = folder.resolve("guests/g/slot-0.0.sock");
      ModulePathRun run =
          ModulePathRun.of(List.of(), "nvme", "identify", "--device", "vfio-user:" + socket);
      assertThat(run.err()).isEmpty();
      ModulePathRun guests =
          ModulePathRun.of(List.of(), "guests", "--control", control.toString(), "--json");
      assertThat(guests.err()).isEmpty();
      assertThat(guests.out()).contains("CONNECTED", "simulated:nvme");
    } finally {
      broker.destroy();
    }
    assertThat(broker.waitFor()).as(Files.readString(folder.resolve("log"))).isEqualTo(143);
  }
}
