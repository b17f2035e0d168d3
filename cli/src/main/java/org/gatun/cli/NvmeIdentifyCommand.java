package org.gatun.cli;

import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeNamespace;
import org.gatun.driver.nvme.NvmeOptions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code gatun nvme identify}. */
@Command(
    name = "identify",
    mixinStandardHelpOptions = true,
    description = "Shows what an NVMe controller says of itself and of its namespaces.")
final class NvmeIdentifyCommand implements Runnable {
  @Mixin private final DeviceOption device = new DeviceOption();
  @Mixin private final Output output = new Output();
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    try (HeldDevice held = device.open(spec);
        NvmeController controller = held.openNvme(NvmeOptions.defaults())) {
      output.print(json(controller), out -> print(controller, out));
    }
  }

  private static Map<String, Object> json(NvmeController controller) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("device", controller.name().toString());
    json.put("model", controller.identity().modelNumber());
    json.put("serial", controller.identity().serialNumber());
    json.put("firmware", controller.identity().firmwareRevision());
    json.put("maxTransferBytes", controller.maxTransferBytes());
    json.put("maxQueuePairs", controller.maxQueuePairs());
    json.put("maxQueueDepth", controller.maxQueueDepth());
    json.put(
        "namespaces", controller.namespaces().stream().map(NvmeIdentifyCommand::json).toList());
    return json;
  }

  static Map<String, Object> json(NvmeNamespace namespace) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("id", Integer.toUnsignedLong(namespace.id()));
    json.put("sizeBytes", namespace.sizeBytes());
    json.put("blockSize", namespace.blockSize());
    json.put("blocks", namespace.blocks());
    json.put(
        "formats",
        NvmeFormat.of(namespace.identity()).stream()
            .map(f -> Map.of("blockSize", f.blockSize(), "metadataSize", f.metadataSize()))
            .toList());
    return json;
  }

  static void print(NvmeController controller, PrintWriter out) {
    Table head = new Table();
    head.row("model", controller.identity().modelNumber());
    head.row("serial", controller.identity().serialNumber());
    head.row("firmware", controller.identity().firmwareRevision());
    head.row("largest transfer", new ByteSize(controller.maxTransferBytes()));
    head.row("I/O queue pairs", controller.maxQueuePairs());
    head.row("commands a queue", controller.maxQueueDepth());
    head.print(out);
    out.println();
    List<NvmeNamespace> namespaces = controller.namespaces();
    Table table = new Table("NAMESPACE", "SIZE", "BLOCK SIZE", "BLOCKS", "FORMATS");
    namespaces.forEach(
        n ->
            table.row(
                Integer.toUnsignedString(n.id()),
                new ByteSize(n.sizeBytes()),
                n.blockSize(),
                n.blocks(),
                NvmeFormat.text(n.identity())));
    table.print(out);
  }
}
