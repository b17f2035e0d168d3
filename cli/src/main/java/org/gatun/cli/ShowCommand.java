package org.gatun.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.PciAddress;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.pci.config.PciIds;
import org.gatun.pci.spi.Backends;
import org.gatun.pci.spi.Hazard;
import org.gatun.vfio.SysfsBackend;
import org.gatun.vfio.VfioBackend;
import org.gatun.vfio.sysfs.DriverBinding;
import org.gatun.vfio.sysfs.IommuGroup;
import org.gatun.vfio.sysfs.Sysfs;
import org.gatun.vfio.sysfs.SysfsDevice;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code gatun show}. */
@Command(
    name = "show",
    mixinStandardHelpOptions = true,
    description = {
      "Shows a device: ids, BARs, capabilities, and for a real one its driver, IOMMU group and"
          + " hazards: what a grant must accept by its name.",
      "A real device is only looked at, through sysfs, which shows the capabilities to root alone."
    })
final class ShowCommand implements Runnable {
  @Parameters(paramLabel = "DEVICE", description = "Like vfio:0000:00:04.0 or simulated:nvme.")
  private DeviceName name;

  @Mixin private final Output output = new Output();

  /** A line of the table of BARs. */
  private record BarLine(int index, String kind, boolean prefetchable, long size) {
    Map<String, Object> json() {
      Map<String, Object> json = new LinkedHashMap<>();
      json.put("index", index);
      json.put("kind", kind);
      json.put("prefetchable", prefetchable);
      json.put("size", size);
      return json;
    }
  }

  /**
   * What is shown.
   *
   * @param facts by name, in order
   */
  private record Shown(
      PciId id,
      PciClass pciClass,
      Map<String, Object> facts,
      List<Hazard> hazards,
      List<BarLine> bars,
      Capabilities capabilities) {}

  @Override
  public void run() {
    Shown shown =
        switch (name.scheme()) {
          case VfioBackend.SCHEME -> lookAt(PciAddress.parse(name.text()));
          case SysfsBackend.SCHEME -> lookAt(SysfsBackend.address(name));
          default -> open(name);
        };
    output.print(json(shown), out -> print(shown, out));
  }

  private Shown lookAt(PciAddress address) {
    SysfsDevice device =
        Sysfs.ofThisMachine()
            .device(address)
            .orElseThrow(
                () ->
                    new DeviceUnavailableException(
                        name, "there is no such device", "'gatun list' shows what is there", null));
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("driver", device.driver().orElse("none"));
    new DriverBinding().formerDriver(address).ifPresent(d -> facts.put("formerDriver", d));
    facts.put("iommuGroup", device.iommuGroup().map(ShowCommand::group).orElse("none"));
    facts.put("resetMethods", String.join(", ", device.resetMethods()));
    device.numaNode().ifPresent(node -> facts.put("numaNode", node));
    List<BarLine> bars =
        device.resources().stream()
            .map(r -> new BarLine(r.index(), r.io() ? "I/O" : "memory", r.prefetchable(), r.size()))
            .toList();
    ConfigSpace config = device.config();
    Capabilities capabilities =
        config.size() >= 256
            ? Capabilities.walk(config)
            : new Capabilities(List.of(), List.of("only root can read the capabilities"));
    List<Hazard> hazards = device.hazards().stream().sorted().toList();
    return new Shown(device.id(), device.pciClass(), facts, hazards, bars, capabilities);
  }

  private static String group(IommuGroup group) {
    return group.number()
        + group.members().stream()
            .map(m -> m.address() + m.driver().map(d -> " (" + d + ")").orElse(""))
            .collect(Collectors.joining(", ", ": ", group.isViable() ? "" : "; not viable"));
  }

  private static Shown open(DeviceName name) {
    try (PciDevice device = Backends.open(name)) {
      List<BarLine> bars = new ArrayList<>();
      for (Bar bar : device.bars()) {
        bars.add(
            new BarLine(
                bar.index(),
                bar.kind() == Bar.Kind.IO ? "I/O" : "memory",
                bar.prefetchable(),
                bar.size()));
      }
      return new Shown(
          device.id(),
          device.pciClass(),
          new LinkedHashMap<>(),
          List.of(),
          bars,
          Capabilities.walk(device.config()));
    }
  }

  private Map<String, Object> json(Shown shown) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("device", name.toString());
    json.put("vendor", "%04x".formatted(shown.id.vendor()));
    json.put("id", "%04x".formatted(shown.id.device()));
    json.put("class", shown.pciClass.toString());
    json.putAll(shown.facts);
    json.put(
        "hazards",
        shown.hazards.stream()
            .map(hazard -> Map.of("name", hazard.text(), "meaning", hazard.meaning()))
            .toList());
    json.put("bars", shown.bars.stream().map(BarLine::json).toList());
    json.put(
        "capabilities",
        shown.capabilities.list().stream()
            .map(
                c ->
                    Map.of(
                        "id",
                        c.id(),
                        "offset",
                        c.offset(),
                        "extended",
                        c.extended(),
                        "name",
                        c.name()))
            .toList());
    json.put("faults", shown.capabilities.faults());
    return json;
  }

  private void print(Shown shown, PrintWriter out) {
    PciIds ids = PciIds.installed();
    out.println(name);
    Table head = new Table();
    head.row("  id", shown.id + "  " + ids.describe(shown.id));
    head.row("  class", shown.pciClass + ids.pciClass(shown.pciClass).map("  "::concat).orElse(""));
    shown.facts.forEach((fact, value) -> head.row("  " + heading(fact), value));
    shown.hazards.forEach(hazard -> head.row("  hazard", hazard + ": " + hazard.meaning()));
    head.print(out);
    out.println();
    Table bars = new Table("BAR", "KIND", "SIZE", "PREFETCHABLE");
    shown.bars.forEach(
        b -> bars.row(b.index, b.kind, new ByteSize(b.size), b.prefetchable ? "yes" : "no"));
    bars.print(out);
    out.println();
    Table capabilities = new Table("OFFSET", "CAPABILITY");
    shown
        .capabilities
        .list()
        .forEach(
            c ->
                capabilities.row(
                    (c.extended() ? "0x%03x" : "0x%02x").formatted(c.offset()), c.name()));
    capabilities.print(out);
    shown.capabilities.faults().forEach(fault -> out.println("! " + fault));
  }

  /** {@code iommuGroup} becomes {@code iommu group}. */
  private static String heading(String fact) {
    return fact.replaceAll("([A-Z])", " $1").toLowerCase(Locale.ROOT);
  }
}
