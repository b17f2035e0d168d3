package org.gatun.cli;

import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.config.PciIds;
import org.gatun.pci.spi.Backends;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.Hazard;
import org.gatun.pci.spi.PciBackend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code gatun list}. */
@Command(
    name = "list",
    mixinStandardHelpOptions = true,
    description = {
      "Lists the PCI devices of this machine. Needs no privileges, touches none.",
      "With arguments it lists those devices: what serves a vfio-user device is asked.",
      "Marks those that no IOMMU confines: unprotected-dma. 'gatun show' tells the other hazards."
    })
final class ListCommand implements Runnable {
  @Parameters(
      paramLabel = "DEVICE",
      description = "Like vfio:0000:00:04.0 or vfio-user:/run/disk.sock.")
  private List<DeviceName> names = List.of();

  @Mixin private final Output output = new Output();

  @Override
  public void run() {
    List<FoundDevice> found =
        names.isEmpty()
            ? Backends.installed().stream().map(PciBackend::scan).flatMap(List::stream).toList()
            : names.stream().map(ListCommand::find).toList();
    PciIds ids = PciIds.installed();
    output.print(
        found.stream().map(d -> json(d, ids)).toList(), out -> printTable(found, ids, out));
  }

  private static FoundDevice find(DeviceName name) {
    return Backends.of(name)
        .find(name)
        .orElseThrow(
            () ->
                new DeviceUnavailableException(
                    name,
                    "there is no such device to be listed",
                    "'gatun list' shows what is there; 'gatun show' also what is made up",
                    null));
  }

  static void printTable(List<FoundDevice> found, PciIds ids, PrintWriter out) {
    Table table = new Table("DEVICE", "ID", "CLASS", "DRIVER", "GROUP", "HAZARD", "NAME");
    for (FoundDevice device : found) {
      table.row(
          device.name(),
          device.id(),
          ids.pciClass(device.pciClass()).orElse(device.pciClass().toString()),
          device.driver().orElse("-"),
          device.iommuGroup().map(String::valueOf).orElse("-"),
          device.hazards().contains(Hazard.UNPROTECTED_DMA) ? Hazard.UNPROTECTED_DMA : "-",
          ids.describe(device.id()));
    }
    table.print(out);
  }

  private static Map<String, Object> json(FoundDevice device, PciIds ids) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("device", device.name().toString());
    json.put("address", device.address().map(Object::toString).orElse(null));
    json.put("vendor", "%04x".formatted(device.id().vendor()));
    json.put("id", "%04x".formatted(device.id().device()));
    json.put("class", device.pciClass().toString());
    json.put("className", ids.pciClass(device.pciClass()).orElse(null));
    json.put("name", ids.describe(device.id()));
    json.put("driver", device.driver().orElse(null));
    json.put("iommuGroup", device.iommuGroup().orElse(null));
    json.put("hazards", device.hazards().stream().sorted().map(Hazard::text).toList());
    return json;
  }
}
