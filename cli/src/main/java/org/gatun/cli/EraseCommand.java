package org.gatun.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.gatun.pci.DeviceName;
import org.gatun.pci.spi.EraseMethod;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code gatun erase}. */
@Command(
    name = "erase",
    mixinStandardHelpOptions = true,
    description = {
      "Has a running broker erase a device that no guest has, and waits for the end of that. Any"
          + " guest may have it then, also if it was in quarantine because its policy says so.",
      "With --clear nothing is erased, and the next guest gets what is on it."
    })
final class EraseCommand implements Callable<Integer> {
  @Parameters(paramLabel = "DEVICE", description = "Like vfio:0000:00:04.0.")
  private DeviceName device;

  @Option(
      names = "--how",
      paramLabel = "METHOD",
      description =
          "format: an NVMe disk's namespaces. sanitize: all that it keeps of its users. Without it:"
              + " format.")
  private Optional<EraseMethod> how = Optional.empty();

  @Option(names = "--clear", description = "Erase nothing: leave what is there to the next guest.")
  private boolean clear;

  @Option(names = "--yes", description = "Yes, do it.")
  private boolean yes;

  @Mixin private final ControlOption control = new ControlOption();

  @Mixin private final Output output = new Output();

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    if (clear && how.isPresent()) {
      throw new ParameterException(
          spec.commandLine(), "--how says how to erase, and --clear not to: one of them");
    }
    EraseMethod method = how.orElse(EraseMethod.FORMAT);
    if (!yes) {
      throw new IllegalArgumentException(
          (clear
                      ? "this leaves what is on %s to the next guest, whoever that is"
                      : "this erases all data on %s (" + method.text() + ")")
                  .formatted(device)
              + ": say --yes if it may; nothing was done");
    }
    ObjectNode parameters = JsonNodeFactory.instance.objectNode().put("device", device.toString());
    if (clear) {
      control.call("Clear", parameters);
    } else {
      control.call("Erase", parameters.put("method", method.text()));
    }
    String done = clear ? "cleared" : "erased";
    output.print(
        Map.of("device", device.toString(), "done", done),
        out -> out.println(device + ": " + done));
    return ExitCode.OK;
  }
}
