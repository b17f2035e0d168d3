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

/** {@code gatun grant}. */
@Command(
    name = "grant",
    mixinStandardHelpOptions = true,
    description =
        "Has a running broker grant a device to a guest of its policy file, now and when it starts"
            + " again.")
final class GrantCommand implements Callable<Integer> {
  @Parameters(paramLabel = "DEVICE", description = "Like vfio:0000:00:04.0.")
  private DeviceName device;

  @Option(
      names = "--guest",
      required = true,
      paramLabel = "NAME",
      description = "Who gets it; 'gatun guests' shows who there is.")
  private String guest;

  @Mixin private final ControlOption control = new ControlOption();

  @Mixin private final Output output = new Output();

  @Override
  public Integer call() throws IOException {
    String granted =
        control
            .call(
                "Grant",
                JsonNodeFactory.instance
                    .objectNode()
                    .put("device", device.toString())
                    .put("guest", guest))
            .path("device")
            .asText();
    output.print(
        Map.of("device", granted, "guest", guest),
        out -> out.printf("%s: granted to %s%n", granted, guest));
    return ExitCode.OK;
  }
}
