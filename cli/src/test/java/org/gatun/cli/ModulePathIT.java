package org.gatun.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * The command as it is shipped: on the module path, with native access for {@code
 * org.gatun.nativeaccess} alone. What class-path tests can't show: descriptors, services, opens.
 */
class ModulePathIT {
  private static final Path MODULES = Path.of(System.getProperty("basedir", ""), "target/modules");

  @Test
  void findsAllBackends() throws Exception {
    Run run = gatun(List.of(), "show", "nothing:there");
    assertThat(run.err)
        .isEqualToIgnoringNewLines(
            "gatun: nothing:there: there is no backend for 'nothing'; installed are: simulated,"
                + " sysfs, vfio, vfio-user");
    assertThat(run.status).isEqualTo(ExitCode.UNAVAILABLE);
  }

  @Test
  void drivesADisk() throws Exception {
    Run run = gatun(List.of(), "nvme", "identify", "--device", "simulated:nvme", "--json");
    assertThat(run.err).isEmpty();
    assertThat(run.out).contains("\"namespaces\"");
    assertThat(run.status).isZero();
  }

  @Test
  void printsOneLineWhenAControllerFails() throws Exception {
    Run run =
        gatun(
            List.of(),
            "nvme",
            "read",
            "--device",
            "simulated:nvme,fault=fatal",
            "--output",
            "/dev/null");
    assertThat(run.err.lines()).singleElement().asString().startsWith("gatun: simulated:nvme,");
    assertThat(run.status).isEqualTo(ExitCode.FAILED);
  }

  private record Run(int status, String out, String err) {}

  private static Run gatun(List<String> options, String... args)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin/java").toString());
    command.addAll(options);
    command.add("--enable-native-access=org.gatun.nativeaccess,com.sun.jna");
    command.add("--illegal-native-access=deny");
    command.addAll(
        List.of("--module-path", MODULES.toString(), "--add-modules", "ALL-MODULE-PATH"));
    command.addAll(List.of("--module", "org.gatun.cli/org.gatun.cli.Gatun"));
    command.addAll(List.of(args));
    Process process = new ProcessBuilder(command).start();
    process.getOutputStream().close();
    // Both are short: neither fills its pipe while the other is read.
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Run(process.waitFor(), out, err);
  }
}
