package org.gatun.vmtests;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.gatun.driver.nvme.Completion;
import org.gatun.hostile.DiskLoad;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.vfio.VfioBackend;

/**
 * What a guest of {@link GuestIoInVm} does, with no broker: reads a disk through VFIO, in a JVM of
 * its own. Arguments: the device's name, how many reads, how many in flight, and how it learns that
 * they are complete.
 */
final class InProcessLoad {
  /** As much as a guest has there. */
  static final String HEAP = "64M";

  private static final Pattern RESULT = Pattern.compile("(\\d+) reads in (\\d+) ns");

  private InProcessLoad() {}

  static void main(String[] arguments) {
    try (PciDevice device = new VfioBackend().open(DeviceName.parse(arguments[0]))) {
      DiskLoad.measure(
          device,
          Long.parseLong(arguments[1]),
          Integer.parseInt(arguments[2]),
          Completion.valueOf(arguments[3]),
          () -> {});
    }
  }

  /**
   * Runs it, with the options of a guest's JVM.
   *
   * @return reads a second
   */
  static double run(DeviceName device, long reads, int depth, Completion completion)
      throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "-XX:+DisableAttachMechanism",
                "-XX:-UsePerfData",
                "-XX:+UseSerialGC",
                "-XX:-UseContainerSupport",
                "-Xshare:auto",
                "-Xmx" + HEAP,
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                InProcessLoad.class.getName(),
                device.toString(),
                Long.toString(reads),
                Integer.toString(depth),
                completion.name())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try {
      return rate(new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
    } finally {
      process.destroyForcibly();
      process.waitFor();
    }
  }

  /**
   * Reads a second, from what {@link DiskLoad#measure} prints.
   *
   * @throws AssertionError if it has printed no result
   */
  static double rate(String output) {
    Matcher result = RESULT.matcher(output);
    if (!result.find()) {
      throw new AssertionError("no result in '" + output + "'");
    }
    return Long.parseLong(result.group(1)) * 1e9 / Long.parseLong(result.group(2));
  }
}
