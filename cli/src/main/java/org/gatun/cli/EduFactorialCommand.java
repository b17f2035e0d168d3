package org.gatun.cli;

import java.util.Map;
import org.gatun.driver.edu.Completion;
import org.gatun.driver.edu.EduDevice;
import org.gatun.driver.edu.EduOptions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code gatun edu factorial}. */
@Command(
    name = "factorial",
    mixinStandardHelpOptions = true,
    description = "Has the device compute N!, modulo 2^32.")
final class EduFactorialCommand implements Runnable {
  @Mixin private final DeviceOption device = new DeviceOption();

  @Parameters(paramLabel = "N", description = "0 or more.")
  private int n;

  @Option(
      names = "--completion",
      paramLabel = "HOW",
      defaultValue = "poll",
      description = "${COMPLETION-CANDIDATES}; default: ${DEFAULT-VALUE}.")
  private Completion completion;

  @Mixin private final Output output = new Output();
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    EduOptions options = EduOptions.defaults().withCompletion(completion);
    try (HeldDevice held = device.open(spec);
        EduDevice edu = EduDevice.open(held.device(), options.withTime(held.time()))) {
      long factorial = Integer.toUnsignedLong(edu.factorial(n));
      output.print(
          Map.of("n", n, "factorial", factorial), out -> out.printf("%d! = %d%n", n, factorial));
    }
  }
}
