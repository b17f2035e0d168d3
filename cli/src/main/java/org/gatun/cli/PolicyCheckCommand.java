package org.gatun.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.DeviceRequest.BarPart;
import org.gatun.broker.config.BrokerConfig;
import org.gatun.broker.config.DevicePolicy;
import org.gatun.broker.config.GuestConfig;
import org.gatun.broker.config.OnRelease;
import org.gatun.broker.policy.ConfigLayout;
import org.gatun.broker.policy.ConfigPolicy;
import org.gatun.broker.policy.DeviceSnapshot;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciException;
import org.gatun.pci.config.PciId;
import org.gatun.pci.spi.Backends;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.Hazard;
import org.gatun.pci.spi.PciBackend;
import org.gatun.pci.spi.SeizedDevice;
import org.gatun.vfio.sysfs.DriverBinding;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code gatun policy check}. */
@Command(
    name = "check",
    mixinStandardHelpOptions = true,
    description = {
      "Reads a policy file, and shows what each guest would get.",
      "What is wrong with the file is one line each, at line and field, and exit status 2. What"
          + " would keep this machine from granting it is a warning. No real device is touched: how"
          + " quirks fit one is seen by 'gatun policy explain'."
    })
final class PolicyCheckCommand implements Callable<Integer> {
  @Parameters(paramLabel = "FILE", description = "The policy file.")
  private Path file;

  @Mixin private final Output output = new Output();

  @Spec private CommandSpec spec;

  /**
   * A device of a guest's; the id is that of the device that is there, if one is, and so is what is
   * usual on release.
   */
  private record Line(
      GuestConfig guest,
      DeviceRequest request,
      Optional<PciId> id,
      Optional<DevicePolicy> policy,
      Optional<OnRelease> onRelease) {
    Map<String, @Nullable Object> json() {
      Map<String, @Nullable Object> json = new LinkedHashMap<>();
      json.put("guest", guest.name());
      json.put("device", request.device().toString());
      json.put("id", id.map(PciId::toString).orElse(null));
      json.put("policy", policy.map(p -> p.match().toString()).orElse(null));
      json.put("config", PolicyCheckCommand.config(request.config()));
      json.put("bars", PolicyCheckCommand.bars(request.bars()));
      json.put("vectors", request.vectors());
      json.put("accepted", request.accepted().stream().map(Hazard::text).sorted().toList());
      json.put("onRelease", onRelease.map(OnRelease::text).orElse(null));
      json.put("dmaBytes", guest.quota().dmaBytes());
      json.put("dmaMappings", guest.quota().dmaMappings());
      return json;
    }
  }

  @Override
  public Integer call() throws IOException {
    BrokerConfig config = BrokerConfig.read(file);
    Map<DeviceName, FoundDevice> found = find(config);
    List<Line> lines = new ArrayList<>();
    List<String> warnings = new ArrayList<>();
    for (GuestConfig guest : config.guests()) {
      for (DeviceName device : guest.devices()) {
        lines.add(line(config, guest, device, Optional.ofNullable(found.get(device)), warnings));
      }
    }
    warnAboutGroups(config, found, warnings);
    warnAboutUnused(config, warnings);
    output.print(lines.stream().map(Line::json).toList(), out -> print(config, lines, out));
    PrintWriter err = spec.commandLine().getErr();
    warnings.forEach(warning -> err.println("warning: " + warning));
    return ExitCode.OK;
  }

  private static Map<DeviceName, FoundDevice> find(BrokerConfig config) {
    List<String> schemes = Backends.installed().stream().map(PciBackend::scheme).toList();
    Map<DeviceName, FoundDevice> found = new HashMap<>();
    for (GuestConfig guest : config.guests()) {
      for (DeviceName device : guest.devices()) {
        if (schemes.contains(device.scheme())) {
          Backends.of(device).find(device).ifPresent(f -> found.put(device, f));
        }
      }
    }
    return found;
  }

  private Line line(
      BrokerConfig config,
      GuestConfig guest,
      DeviceName device,
      Optional<FoundDevice> found,
      List<String> warnings) {
    if (found.isPresent()) {
      PciId id = found.get().id();
      DeviceRequest request = config.request(device, id);
      warnAbout(found.get(), request, warnings);
      OnRelease onRelease = config.onRelease(device, id, found.get().pciClass());
      return new Line(
          guest, request, Optional.of(id), config.policy(device, id), Optional.of(onRelease));
    }
    // Made up by its name, or not there.
    try (SeizedDevice made = Backends.of(device).seize(device)) {
      PciId id = PciId.of(made.config());
      DeviceRequest request = config.request(device, id);
      checkFit(made, request);
      OnRelease onRelease = config.onRelease(device, id, made.pciClass());
      return new Line(
          guest, request, Optional.of(id), config.policy(device, id), Optional.of(onRelease));
    } catch (PciException e) {
      warnings.add("guest %s: %s".formatted(guest.name(), e.getMessage()));
      PciId unknown = new PciId(0, 0, 0, 0);
      Optional<DevicePolicy> policy = config.policy(device, unknown);
      return new Line(
          guest,
          config.request(device, unknown),
          Optional.empty(),
          policy,
          policy.flatMap(DevicePolicy::onRelease));
    }
  }

  private void checkFit(SeizedDevice device, DeviceRequest request) {
    try {
      ConfigLayout.of(DeviceSnapshot.of(device), request.config());
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "%s: %s: %s".formatted(file, request.device(), e.getMessage()), e);
    }
  }

  private static void warnAbout(FoundDevice found, DeviceRequest request, List<String> warnings) {
    if (found.name().scheme().equals("vfio")
        && !found.driver().equals(Optional.of(DriverBinding.VFIO_PCI))) {
      warnings.add(
          "%s: it is bound to %s; 'gatun bind %s' takes it from there"
              .formatted(found.name(), found.driver().orElse("no driver"), found.name().text()));
    }
    for (Hazard hazard : Hazard.values()) {
      if (found.hazards().contains(hazard) && !request.accepted().contains(hazard)) {
        warnings.add(
            "%s: it will be refused: %s; 'accept: [%s]' in its policy would accept that"
                .formatted(found.name(), hazard.meaning(), hazard.text()));
      }
    }
  }

  private static void warnAboutGroups(
      BrokerConfig config, Map<DeviceName, FoundDevice> found, List<String> warnings) {
    Map<Integer, String> owners = new HashMap<>();
    for (GuestConfig guest : config.guests()) {
      for (DeviceName device : guest.devices()) {
        Optional<Integer> group =
            Optional.ofNullable(found.get(device)).flatMap(FoundDevice::iommuGroup);
        if (group.isEmpty()) {
          continue;
        }
        String owner = owners.putIfAbsent(group.get(), guest.name());
        if (owner != null && !owner.equals(guest.name())) {
          warnings.add(
              "%s: it will be refused to guest %s: guest %s has others of IOMMU group %d, which goes"
                      .formatted(device, guest.name(), owner, group.get())
                  + " to one guest or to none");
        }
      }
    }
  }

  private static void warnAboutUnused(BrokerConfig config, List<String> warnings) {
    for (DevicePolicy policy : config.policies()) {
      if (policy.match() instanceof DevicePolicy.Match.Named named
          && config.guests().stream().noneMatch(g -> g.devices().contains(named.device()))) {
        warnings.add("%s: it has a policy, and no guest gets it".formatted(named.device()));
      }
    }
  }

  private static void print(BrokerConfig config, List<Line> lines, PrintWriter out) {
    if (config.guests().isEmpty()) {
      out.println("No guests.");
    }
    for (GuestConfig guest : config.guests()) {
      out.printf(
          "guest %s: DMA memory of %s in %d buffers at most%n",
          guest.name(), new ByteSize(guest.quota().dmaBytes()), guest.quota().dmaMappings());
      Table table =
          new Table(
              "  DEVICE",
              "ID",
              "POLICY",
              "CONFIG SPACE",
              "BARS",
              "VECTORS",
              "ACCEPTED",
              "ON RELEASE");
      for (Line line : lines) {
        if (line.guest.equals(guest)) {
          DeviceRequest request = line.request;
          table.row(
              "  " + request.device(),
              line.id.map(PciId::toString).orElse("-"),
              line.policy.map(p -> p.match().toString()).orElse("-"),
              config(request.config()),
              bars(request.bars()),
              request.vectors() == DeviceRequest.ALL_VECTORS ? "all" : request.vectors(),
              request.accepted().isEmpty()
                  ? "-"
                  : request.accepted().stream()
                      .map(Hazard::text)
                      .sorted()
                      .collect(Collectors.joining(", ")),
              line.onRelease.map(OnRelease::text).orElse("-"));
        }
      }
      table.print(out);
    }
  }

  private static String config(ConfigPolicy policy) {
    String differences =
        Stream.of(
                policy.permissive() ? Stream.of("permissive") : Stream.<String>empty(),
                policy.allowInterruptControl()
                    ? Stream.of("allow-interrupt-control")
                    : Stream.<String>empty(),
                policy.show().stream().sorted().map("show "::concat),
                policy.quirks().stream().map(quirk -> "quirk " + quirk))
            .flatMap(s -> s)
            .collect(Collectors.joining(", "));
    return differences.isEmpty() ? "built-in rules" : differences;
  }

  private static String bars(Map<Integer, List<BarPart>> bars) {
    if (bars.isEmpty()) {
      return "all";
    }
    return bars.keySet().stream()
            .sorted()
            .map(index -> index + ": " + parts(bars.getOrDefault(index, List.of())))
            .collect(Collectors.joining("; "))
        + "; others whole";
  }

  private static String parts(List<BarPart> parts) {
    return parts.isEmpty()
        ? "none"
        : parts.stream()
            .map(p -> "0x%x-0x%x".formatted(p.offset(), p.offset() + p.length() - 1))
            .collect(Collectors.joining(" "));
  }
}
