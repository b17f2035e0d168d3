package org.gatun.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeNamespace;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciException;
import org.gatun.pci.spi.Backends;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.PciBackend;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.NvmeRegisters;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code gatun nvme list}. */
@Command(
    name = "list",
    mixinStandardHelpOptions = true,
    description = {
      "Lists the NVMe controllers of this machine, with their namespaces; with arguments, those.",
      "A controller is reset, asked, and shut down. One that can't be opened, because its kernel"
          + " driver or somebody else has it, is left alone and listed with the reason; if it was"
          + " named, that is the exit status too."
    })
final class NvmeListCommand implements Callable<Integer> {
  @Parameters(
      paramLabel = "DEVICE",
      description = "Like vfio:0000:00:04.0 or vfio-user:/run/disk.sock.")
  private List<String> names = List.of(); // picocli calls one that it can't convert unmatched

  @Mixin private final Output output = new Output();
  @Spec private CommandSpec spec;

  /** A controller of the list. */
  private sealed interface Listed {
    Map<String, Object> json();
  }

  /** One that was asked. */
  private record Known(DeviceName name, IdentifyController identity, List<NvmeNamespace> namespaces)
      implements Listed {
    @Override
    public Map<String, Object> json() {
      Map<String, Object> json = new LinkedHashMap<>();
      json.put("device", name.toString());
      json.put("model", identity.modelNumber());
      json.put("serial", identity.serialNumber());
      json.put("firmware", identity.firmwareRevision());
      json.put("namespaces", namespaces.stream().map(NvmeIdentifyCommand::json).toList());
      return json;
    }
  }

  /** One that could not be asked. */
  private record Unknown(DeviceName name, PciException reason) implements Listed {
    @Override
    public Map<String, Object> json() {
      return Map.of("device", name.toString(), "problem", String.valueOf(reason.getMessage()));
    }
  }

  @Override
  public Integer call() {
    List<DeviceName> asked =
        names.isEmpty() ? scan() : names.stream().map(DeviceName::parse).toList();
    List<Listed> listed = new ArrayList<>();
    for (DeviceName name : asked) {
      listed.add(ask(name));
    }
    output.print(listed.stream().map(Listed::json).toList(), out -> print(listed, out));
    return names.isEmpty() ? ExitCode.OK : status(listed);
  }

  private static List<DeviceName> scan() {
    return Backends.installed().stream()
        .map(PciBackend::scan)
        .flatMap(List::stream)
        .filter(found -> found.pciClass().code() == NvmeRegisters.CLASS_CODE)
        .map(FoundDevice::name)
        .toList();
  }

  private Listed ask(DeviceName name) {
    Interruption interruption = Gatun.of(spec).interruption;
    try (HeldDevice held = HeldDevice.of(Backends.open(name), interruption)) {
      held.check();
      try (NvmeController controller = held.openNvme(NvmeOptions.defaults())) {
        return new Known(name, controller.identity(), controller.namespaces());
      }
    } catch (PciException e) {
      if (interruption.isRequested()) {
        throw e;
      }
      return new Unknown(name, e);
    }
  }

  /** That of the first one that could not be asked. */
  private static int status(List<Listed> listed) {
    return listed.stream()
        .flatMap(l -> l instanceof Unknown unknown ? Stream.of(unknown.reason) : Stream.empty())
        .findFirst()
        .map(Errors::status)
        .orElse(ExitCode.OK);
  }

  private static void print(List<Listed> listed, PrintWriter out) {
    Table table =
        new Table("DEVICE", "MODEL", "SERIAL", "NAMESPACE", "SIZE", "BLOCK SIZE", "FORMATS");
    for (Listed controller : listed) {
      switch (controller) {
        case Known known -> addRows(known, table);
        case Unknown unknown -> table.row(unknown.name, "?", "?", "?", "?", "?", "?");
      }
    }
    table.print(out);
    for (Listed controller : listed) {
      if (controller instanceof Unknown unknown) {
        out.println("! " + unknown.reason.getMessage());
      }
    }
  }

  private static void addRows(Known known, Table table) {
    String model = known.identity.modelNumber();
    String serial = known.identity.serialNumber();
    if (known.namespaces.isEmpty()) {
      table.row(known.name, model, serial, "-", "-", "-", "-");
    }
    for (NvmeNamespace namespace : known.namespaces) {
      table.row(
          known.name,
          model,
          serial,
          Integer.toUnsignedString(namespace.id()),
          new ByteSize(namespace.sizeBytes()).rounded(),
          namespace.blockSize(),
          NvmeFormat.text(namespace.identity()));
    }
  }
}
