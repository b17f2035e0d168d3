package org.gatun.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.Callable;
import org.gatun.pci.DeviceName;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code gatun revoke}. */
@Command(
    name = "revoke",
    mixinStandardHelpOptions = true,
    description =
        "Has a running broker take a device from its guest, now and when it starts again. The"
            + " broker keeps the device.")
final class RevokeCommand implements Callable<Integer> {
  @Parameters(paramLabel = "DEVICE", description = "Like vfio:0000:00:04.0.")
  private DeviceName device;

  @Option(
      names = "--deadline",
      paramLabel = "MILLISECONDS",
      defaultValue = "2000",
      description =
          "How long the guest may take to let go before the device is taken by force; 0 does not"
              + " ask. Without it: ${DEFAULT-VALUE}.")
  private long deadline;

  @Mixin private final ControlOption control = new ControlOption();

  @Mixin private final Output output = new Output();

  @Override
  public Integer call() throws IOException {
    String guest =
        control
            .call(
                "Revoke",
                JsonNodeFactory.instance
                    .objectNode()
                    .put("device", device.toString())
                    .put("deadlineMillis", deadline))
            .path("guest")
            .asText();
    output.print(
        Map.of("device", device.toString(), "guest", guest),
        out -> out.printf("%s: taken from %s%n", device, guest));
    return ExitCode.OK;
  }
}
