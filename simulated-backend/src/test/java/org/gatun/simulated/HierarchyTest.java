package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.ResetUnavailableException;
import org.gatun.pci.config.BarRegister;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.spi.FoundDevice;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Root ports, switches and what is behind them, as firmware sets them up. */
@NullMarked
class HierarchyTest {
  /** What a bridge passes on: PCI-to-PCI Bridge Architecture Specification 1.2, 3.2.5. */
  private record Window(long first, long last) {
    boolean contains(long from, long to) {
      return from >= first && to <= last;
    }

    boolean isOpen() {
      return first <= last;
    }
  }

  private final SimulatedBus bus = SimulatedBus.virtualTime();

  @AfterEach
  void close() {
    bus.close();
  }

  @Test
  void aHostShowsItsBridge() {
    DeviceName host = bus.plug("host", new HostBridgeModel());
    bus.plug("edu");
    assertThat(bus.scan())
        .extracting(f -> f.address().orElseThrow() + " " + f.pciClass() + " " + f.hazards())
        .first()
        .isEqualTo("0000:00:00.0 060000 [missing-reset]");
    assertThat(bus.hardware(host).read8(ConfigRegisters.HEADER_TYPE)).isZero();
    try (PciDevice bridge = bus.open(host)) {
      assertThat(bridge.bar(0)).isEmpty();
      assertThatThrownBy(bridge::reset).isInstanceOf(ResetUnavailableException.class);
    }
  }

  @Test
  void aSwitchIsAnUpstreamPortWithDownstreamPortsBehind() {
    DeviceName root = bus.plug("root", new RootPortModel());
    DeviceName top = bus.plugBehind(root, "switch", SwitchPortModel.upstream());
    DeviceName left = bus.plugBehind(top, "left", SwitchPortModel.downstream());
    DeviceName right = bus.plugBehind(top, "right", SwitchPortModel.downstream());
    DeviceName one = bus.plugBehind(left, "one", new EduModel());
    DeviceName two = bus.plugBehind(right, "two", new EduModel());

    assertThat(bus.scan())
        .extracting(f -> f.address().orElseThrow() + " " + f.name().text())
        .containsExactly(
            "0000:00:00.0 root",
            "0000:01:00.0 switch",
            "0000:02:00.0 left",
            "0000:02:01.0 right",
            "0000:03:00.0 one",
            "0000:04:00.0 two");
    assertThat(List.of(type(root), type(top), type(left))).containsExactly(4, 5, 6);
    assertThat(buses(root)).containsExactly(0, 1, 4);
    assertThat(buses(top)).containsExactly(1, 2, 4);
    assertThat(buses(left)).containsExactly(2, 3, 3);
    assertThat(buses(right)).containsExactly(2, 4, 4);
    assertThat(List.of(group(root), group(top), group(left), group(one), group(two)))
        .doesNotHaveDuplicates();
    assertThat(Capabilities.walk(bus.hardware(top)).faults()).isEmpty();
    try (PciDevice edu = bus.open(one)) {
      edu.reset();
    }
  }

  @Test
  void onlyDownstreamPortsAreBehindAnUpstreamOne() {
    DeviceName root = bus.plug("root", new RootPortModel());
    DeviceName top = bus.plugBehind(root, "switch", SwitchPortModel.upstream());
    assertThatIllegalArgumentException()
        .isThrownBy(() -> bus.plugBehind(top, "edu", new EduModel()))
        .withMessageContaining("simulated:edu");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> bus.plugBehind(root, "port", SwitchPortModel.downstream()));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new SwitchPortModel(PortKind.ROOT, true))
        .withMessageContaining("kind");
    assertThat(bus.scan()).hasSize(2);
  }

  /** Between its ports without Access Control Services, a switch passes on past the IOMMU. */
  @Test
  void downstreamPortsWithoutAccessControlAreOneGroup() {
    DeviceName root = bus.plug("root", new RootPortModel());
    DeviceName top = bus.plugBehind(root, "switch", SwitchPortModel.upstream());
    DeviceName left = bus.plugBehind(top, "left", new SwitchPortModel(PortKind.DOWNSTREAM, false));
    DeviceName right =
        bus.plugBehind(top, "right", new SwitchPortModel(PortKind.DOWNSTREAM, false));
    DeviceName apart = bus.plugBehind(top, "apart", SwitchPortModel.downstream());
    DeviceName one = bus.plugBehind(left, "one", new EduModel());
    DeviceName two = bus.plugBehind(right, "two", new EduModel());
    DeviceName three = bus.plugBehind(apart, "three", new EduModel());

    assertThat(List.of(group(right), group(one), group(two))).containsOnly(group(left));
    assertThat(List.of(group(root), group(top), group(left), group(apart), group(three)))
        .doesNotHaveDuplicates();
  }

  @Test
  void busesAreNumberedDepthFirstInWhateverOrderTheyArePluggedIn() {
    DeviceName first = bus.plug("first", new RootPortModel());
    DeviceName second = bus.plug("second", new RootPortModel());
    bus.plugBehind(second, "edu", new EduModel());
    bus.plugBehind(first, "inner", new RootPortModel());

    assertThat(buses(first)).containsExactly(0, 1, 2);
    assertThat(buses(second)).containsExactly(0, 3, 3);
    assertThat(bus.scan())
        .extracting(f -> f.address().orElseThrow().toString())
        .containsExactly("0000:00:00.0", "0000:00:01.0", "0000:01:00.0", "0000:03:00.0");
  }

  @Test
  void aBridgePassesOnWhatIsBehindItAndItsNeighbourDoesNot() {
    List<DeviceName> roots = new ArrayList<>();
    List<List<DeviceName>> behind = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      DeviceName root = bus.plug("root" + i, new RootPortModel());
      DeviceName top = bus.plugBehind(root, "switch" + i, SwitchPortModel.upstream());
      DeviceName left = bus.plugBehind(top, "left" + i, SwitchPortModel.downstream());
      DeviceName device = bus.plugBehind(left, "device" + i, new SpecimenModel());
      bus.plugBeside(device, "beside" + i, new ProbeModel());
      bus.plug("other" + i, new SpecimenModel());
      roots.add(root);
      behind.add(List.of(root, top, left, device));
    }
    for (int i = 0; i < 3; i++) {
      List<DeviceName> path = behind.get(i);
      for (int kind = 0; kind < 3; kind++) {
        Window outer = windows(path.getFirst()).get(kind);
        assertThat(outer.isOpen()).isTrue();
        for (DeviceName bridge : path.subList(1, 3)) {
          Window inner = windows(bridge).get(kind);
          assertThat(outer.contains(inner.first(), inner.last()))
              .as("%s %d", bridge, kind)
              .isTrue();
        }
        for (DeviceName neighbour : roots) {
          Window theirs = windows(neighbour).get(kind);
          assertThat(neighbour.equals(path.getFirst()))
              .isEqualTo(theirs.first() <= outer.last() && outer.first() <= theirs.last());
        }
      }
      for (String name : List.of("device" + i, "beside" + i)) {
        for (DeviceName bridge : path.subList(0, 3)) {
          assertPassedOn(bridge, DeviceName.parse("simulated:" + name), true);
        }
      }
      for (DeviceName bridge : roots) {
        assertPassedOn(bridge, DeviceName.parse("simulated:other" + i), false);
      }
    }
  }

  /** PCI Express 5.0, 7.5.3.4: no packet is larger than whoever may get it can. */
  @Test
  void allOfATreeHaveThePayloadThatEachCan() {
    DeviceName root = bus.plug("root", new RootPortModel());
    DeviceName one = bus.plugBehind(root, "one", new SpecimenModel());
    DeviceName alone = bus.plug("alone", new SpecimenModel());
    assertThat(List.of(payload(root), payload(one), payload(alone))).containsExactly(512, 512, 128);
    DeviceName two =
        bus.plugBehind(
            root, "two", new ProbeModel(StandardCapabilities.expressEndpoint(true, 256)));
    assertThat(List.of(payload(root), payload(one), payload(two))).containsOnly(256);
    try (PciDevice device = bus.open(one)) {
      device.reset();
      assertThat(payload(one)).as("after a reset").isEqualTo(256);
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> StandardCapabilities.expressEndpoint(true, 200))
        .withMessageContaining("maxPayload");
  }

  @Test
  void placesAreGivenBack() {
    long[] before = null;
    for (int i = 0; i < 200; i++) {
      DeviceName root = bus.plug("root", new RootPortModel());
      DeviceName device = bus.plugBehind(root, "device", new SpecimenModel());
      long[] addresses =
          BarRegister.decode(bus.hardware(device)).stream()
              .mapToLong(BarRegister::address)
              .toArray();
      assertThat(before == null ? addresses : before).isEqualTo(addresses);
      before = addresses;
      bus.unplug(root);
    }
  }

  private void assertPassedOn(DeviceName bridge, DeviceName device, boolean expected) {
    List<Window> windows = windows(bridge);
    for (BarRegister bar : BarRegister.size(bus.hardware(device))) {
      Window window = windows.get(bar.io() ? 0 : bar.prefetchable() && bar.wide() ? 2 : 1);
      assertThat(window.contains(bar.address(), bar.address() + bar.size() - 1))
          .as("%s of %s through %s", bar, device, bridge)
          .isEqualTo(expected);
    }
  }

  /** Ports, memory, prefetchable memory. */
  private List<Window> windows(DeviceName bridge) {
    ConfigSpace config = bus.hardware(bridge);
    long upperBase = (config.read32(0x28) & 0xffff_ffffL) << 32;
    long upperLimit = (config.read32(0x2c) & 0xffff_ffffL) << 32;
    return List.of(
        new Window((config.read8(0x1c) & 0xf0L) << 8, (config.read8(0x1d) & 0xf0L) << 8 | 0xfff),
        new Window(
            (config.read16(0x20) & 0xfff0L) << 16, (config.read16(0x22) & 0xfff0L) << 16 | 0xfffff),
        new Window(
            upperBase | (config.read16(0x24) & 0xfff0L) << 16,
            upperLimit | (config.read16(0x26) & 0xfff0L) << 16 | 0xfffff));
  }

  private List<Integer> buses(DeviceName bridge) {
    int numbers = bus.hardware(bridge).read32(0x18);
    return List.of(numbers & 0xff, numbers >>> 8 & 0xff, numbers >>> 16 & 0xff);
  }

  private int type(DeviceName port) {
    ConfigSpace config = bus.hardware(port);
    int at = Capabilities.walk(config).find(Capability.PCI_EXPRESS).orElseThrow().offset();
    return config.read16(at + 2) >>> 4 & 0xf;
  }

  private int payload(DeviceName function) {
    ConfigSpace config = bus.hardware(function);
    int at = Capabilities.walk(config).find(Capability.PCI_EXPRESS).orElseThrow().offset();
    return 128 << (config.read16(at + 8) >>> 5 & 7);
  }

  private int group(DeviceName name) {
    return bus.scan().stream()
        .filter(f -> f.name().equals(name))
        .findFirst()
        .flatMap(FoundDevice::iommuGroup)
        .orElseThrow();
  }
}
