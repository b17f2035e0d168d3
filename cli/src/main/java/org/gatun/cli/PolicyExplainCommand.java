package org.gatun.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import org.gatun.broker.config.BrokerConfig;
import org.gatun.broker.policy.ExplainedRange;
import org.gatun.broker.policy.PolicyExplanation;
import org.gatun.pci.DeviceName;
import org.gatun.pci.config.PciId;
import org.gatun.pci.spi.Backends;
import org.gatun.pci.spi.PciBackend;
import org.gatun.pci.spi.SeizedDevice;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code gatun policy explain}. */
@Command(
    name = "explain",
    mixinStandardHelpOptions = true,
    description = {
      "Shows a device's config space as a guest would see it, field by field: what it reads, which"
          + " bits it sees and which it may change in the hardware, what a write does, and which"
          + " rule says so.",
      "The device is opened, and reset, as for a grant; nobody may be using it."
    })
final class PolicyExplainCommand implements Callable<Integer> {
  @Parameters(paramLabel = "DEVICE", description = "Like vfio:0000:00:04.0 or simulated:nvme.")
  private DeviceName name;

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description = "The policy file; without one the built-in rules are explained.")
  private @Nullable Path file;

  @Mixin private final Output output = new Output();

  @Override
  public Integer call() throws IOException {
    BrokerConfig config = file == null ? BrokerConfig.EMPTY : BrokerConfig.read(file);
    PciBackend backend = Backends.of(name);
    DeviceName own = backend.nameOf(name);
    BrokerConfig named = config.named(n -> n.scheme().equals(own.scheme()) ? backend.nameOf(n) : n);
    List<ExplainedRange> ranges;
    try (SeizedDevice device = backend.seize(own)) {
      ranges = PolicyExplanation.of(device, named.request(own, PciId.of(device.config())).config());
    }
    output.print(
        ranges.stream().map(PolicyExplainCommand::json).toList(), out -> print(ranges, out));
    return ExitCode.OK;
  }

  private static void print(List<ExplainedRange> ranges, PrintWriter out) {
    Table table =
        new Table("OFFSET", "BYTES", "FIELD", "OF", "SEEN", "READ", "WRITE", "A WRITE", "RULE");
    for (ExplainedRange range : ranges) {
      table.row(
          "0x%03x".formatted(range.offset()),
          range.length(),
          range.name(),
          range.part(),
          range.value().isPresent() ? hex(range, range.value().getAsInt()) : "-",
          mask(range, range.readMask()),
          mask(range, range.writeMask()),
          range.write(),
          range.rule());
    }
    table.print(out);
  }

  private static String mask(ExplainedRange range, int mask) {
    if (range.value().isPresent()) {
      return hex(range, mask);
    }
    return mask == 0 ? "none" : "all";
  }

  private static String hex(ExplainedRange field, int value) {
    return ("%0" + 2 * field.length() + "x").formatted(value);
  }

  private static Map<String, @Nullable Object> json(ExplainedRange range) {
    OptionalInt value = range.value();
    Map<String, @Nullable Object> json = new LinkedHashMap<>();
    json.put("offset", range.offset());
    json.put("bytes", range.length());
    json.put("field", range.name());
    json.put("of", range.part());
    json.put("seen", value.isPresent() ? hex(range, value.getAsInt()) : null);
    json.put("readMask", mask(range, range.readMask()));
    json.put("writeMask", mask(range, range.writeMask()));
    json.put("write", range.write());
    json.put("rule", range.rule());
    return json;
  }
}
