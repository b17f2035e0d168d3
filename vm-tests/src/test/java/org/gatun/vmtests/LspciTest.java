package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Collectors;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.simulated.EduModel;
import org.gatun.simulated.HostBridgeModel;
import org.gatun.simulated.NetworkEnd;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.RootPortModel;
import org.gatun.simulated.SerialEnd;
import org.gatun.simulated.SerialModel;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.SpecimenModel;
import org.gatun.simulated.SwitchPortModel;
import org.gatun.simulated.VirtioBlockModel;
import org.gatun.simulated.VirtioEntropyModel;
import org.gatun.simulated.VirtioNetworkModel;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What lspci makes of the config space of each model. */
class LspciTest {
  private static final int LINE = 16;

  @TempDir Path directory;

  @BeforeEach
  void lspci() {
    VmRun.requireProgram(System.getenv(), "lspci", "install Debian's pciutils");
  }

  @Test
  void eachModelShowsWhatItIs() throws Exception {
    String shown = show("-vvv");
    // What this version of it makes of the window in config space of each, as of QEMU's devices.
    assertThat(shown.replace("VirtIO: <unknown>", "VirtIO: window"))
        .contains(
            "00:00.0 Host bridge: Red Hat, Inc. QEMU PCIe Host bridge",
            "00:02.0 PCI bridge:",
            "Bus: primary=00, secondary=01, subordinate=03",
            "Express (v2) Root Port (Slot+)",
            "Express (v2) Upstream Port",
            "Express (v2) Downstream Port (Slot+)",
            "SltSta:",
            "NVM Express Controller (prog-if 02 [NVM Express])",
            "MSI-X: Enable- Count=17",
            "Device 1234:11e8",
            "MSI: Enable- Count=1/1 Maskable- 64bit+",
            "16550A Adapter",
            "I/O ports at",
            "Virtio 1.0 block device",
            "Virtio 1.0 network device",
            "Virtio 1.0 RNG",
            "VirtIO: CommonCfg",
            "VirtIO: Notify",
            "Device 1234:5bec",
            "Power Management version 3",
            "Advanced Error Reporting",
            "Access Control Services",
            "Single Root I/O Virtualization",
            "Device Serial Number 01-23-45-67-89-ab-cd-ef",
            "Latency Tolerance Reporting")
        .doesNotContain(
            "<chain", "looped", "!!!", "invalid", "Unknown header", "access denied", "<unknown");
  }

  @Test
  void theTreeIsTheOneThatWasPluggedIn() throws Exception {
    assertThat(show("-t").lines().map(String::stripTrailing))
        .anyMatch(line -> line.contains("-[01-03]----00.0-[02-03]----00.0-[03]----00.0"));
  }

  private String show(String option) throws IOException, InterruptedException {
    Path dump = directory.resolve("dump");
    Files.writeString(dump, dump());
    Path problems = directory.resolve("problems");
    Process lspci =
        new ProcessBuilder("lspci", "-F", dump.toString(), option)
            .redirectError(problems.toFile())
            .start();
    String shown = new String(lspci.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(lspci.waitFor()).isZero();
    // It looks for the modules of this machine's kernel, which may have none.
    assertThat(Files.readAllLines(problems)).filteredOn(p -> !p.contains("libkmod")).isEmpty();
    return shown;
  }

  private static String dump() {
    try (SimulatedBus bus = SimulatedBus.virtualTime()) {
      bus.plug("host", new HostBridgeModel());
      bus.plug("specimen", new SpecimenModel());
      DeviceName root = bus.plug("root", new RootPortModel());
      DeviceName top = bus.plugBehind(root, "top", SwitchPortModel.upstream());
      DeviceName down = bus.plugBehind(top, "down", SwitchPortModel.downstream());
      bus.plugBehind(down, "disk", new NvmeModel());
      bus.plug("edu", new EduModel());
      bus.plug("serial", new SerialModel(SerialEnd.unconnected()));
      bus.plug("block", VirtioBlockModel.DEFAULT);
      bus.plug("card", new VirtioNetworkModel(NetworkEnd.unconnected()));
      bus.plug("random", new VirtioEntropyModel(1));
      return bus.scan().stream().map(found -> dump(bus, found)).collect(Collectors.joining("\n"));
    }
  }

  /** As {@code lspci -xxxx} prints it. */
  private static String dump(SimulatedBus bus, FoundDevice found) {
    StringBuilder text = new StringBuilder();
    text.append(found.address().orElseThrow().toString().substring("0000:".length()));
    text.append(" a device\n");
    try (PciDevice device = bus.open(found.name())) {
      ConfigSpace config = device.config();
      for (int offset = 0; offset < config.size(); offset += LINE) {
        text.append("%02x:".formatted(offset));
        for (int i = 0; i < LINE; i++) {
          text.append(" %02x".formatted(config.read8(offset + i)));
        }
        text.append('\n');
      }
    }
    return text.toString();
  }
}
