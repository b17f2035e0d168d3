package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.Vector;
import org.gatun.pci.config.BarRegister;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.SeizedDevice;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.FunctionDescription.InterruptDescription;
import org.gatun.simulated.FunctionDescription.Msix;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Virtual functions: PCI Express Base Specification 5.0, 9. */
@NullMarked
class SingleRootTest {
  private static final int TOTAL = 4;
  private static final int ENABLE = 1;
  private static final int MEMORY = 1 << 3;

  /** How long software waits after it has set VF Enable. */
  private static final Duration APPEAR = Duration.ofMillis(100);

  private static final FunctionDescription EACH =
      new FunctionDescription(
          new PciId(0x1234, 0x5679, 0x9abc, 0x0001),
          new PciClass(0x080000),
          3,
          true,
          List.of(BarDescription.trapped(0, 0x4000, true)),
          new InterruptDescription(0, 0, Optional.of(new Msix(2, 0, 0x2000, 0x3000))));

  /** The registers of a {@link ProbeModel} behind another description. */
  private record Described(ProbeModel probe, FunctionDescription description)
      implements DeviceModel {
    @Override
    public RunningModel start(ModelContext context) {
      return probe.start(context);
    }
  }

  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final List<ProbeModel> virtual =
      IntStream.range(0, TOTAL).mapToObj(_ -> new ProbeModel()).toList();
  private final DeviceModel model =
      new Described(
          new ProbeModel(),
          new ProbeModel()
              .description()
              .withVirtualFunctions(
                  new VirtualFunctions(TOTAL, n -> new Described(virtual.get(n), EACH))));
  private final DeviceName port = bus.plug("port", new RootPortModel());
  private final DeviceName physical = bus.plugBehind(port, "card", model);
  private final HardwareConfig config = bus.hardware(physical);
  private final int at =
      Capabilities.walk(config).findExtended(Capability.EXTENDED_SRIOV).orElseThrow().offset();

  @AfterEach
  void close() {
    bus.close();
  }

  @Test
  void theCapabilitySaysHowManyThereCanBe() {
    assertThat(Capabilities.walk(config).faults()).isEmpty();
    assertThat(config.read16(at + 0xc)).isEqualTo(TOTAL);
    assertThat(config.read16(at + 0xe)).isEqualTo(TOTAL);
    assertThat(config.read16(at + 0x14)).as("First VF Offset").isEqualTo(0x80);
    assertThat(config.read16(at + 0x16)).as("VF Stride").isEqualTo(1);
    assertThat(config.read16(at + 0x1a)).isEqualTo(0x5679);
    int address = config.read32(at + 0x24);
    config.write32(at + 0x24, -1);
    assertThat(config.read32(at + 0x24)).as("VF BAR 0: 16 KiB, wide").isEqualTo(-0x4000 | 4);
    config.write32(at + 0x24, address);
  }

  @Test
  void asManyAppearAsAreAskedFor() {
    config.write16(at + 0x10, 3);
    config.write16(at + 8, ENABLE | MEMORY);
    assertThat(names()).as("not at once").containsExactly("port", "card");
    bus.time().sleep(APPEAR);
    assertThat(names()).containsExactly("port", "card", "card/vf0", "card/vf1", "card/vf2");
    FoundDevice found = bus.scan().getLast();
    assertThat(found.address().orElseThrow()).hasToString("0000:01:10.2");
    assertThat(found.id()).isEqualTo(EACH.id());
    assertThat(found.hazards()).isEmpty();
    assertThat(bus.scan()).extracting(f -> f.iommuGroup().orElseThrow()).doesNotHaveDuplicates();

    config.write16(at + 0x10, 1);
    assertThat(config.read16(at + 0x10)).as("while they are there").isEqualTo(3);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> bus.plugBeside(found.name(), "beside", new EduModel()));
  }

  @Test
  void moreThanThereCanBeAreNone() {
    config.write16(at + 0x10, TOTAL + 1);
    config.write16(at + 8, ENABLE | MEMORY);
    bus.time().sleep(APPEAR);
    assertThat(names()).containsExactly("port", "card");
  }

  @Test
  void eachIsAFunctionOfItsOwn() {
    enable(2);
    try (PciDevice one = bus.open(name(0));
        PciDevice two = bus.open(name(1))) {
      Mmio first = one.bar(0).orElseThrow().map(0, 0x100);
      Mmio second = two.bar(0).orElseThrow().map(0, 0x100);
      first.write32(0, 1);
      second.write32(0, 2);
      assertThat(first.read32(0)).isEqualTo(1);

      Vector vector = one.interrupts().enable(Interrupts.Kind.MSIX, 2).getLast();
      DmaBuffer buffer = one.dma().allocate(4096, 4096);
      one.busMaster(true);
      two.busMaster(true);
      ProbeModel.Running running = virtual.get(0).running();
      assertThat(running.port.writeLong(buffer.busAddress(), 7)).isTrue();
      running.context.signal(1);
      assertThat(vector.poll()).isTrue();
      assertThat(virtual.get(1).running().port.writeLong(buffer.busAddress(), 8))
          .as("its address space is another")
          .isFalse();
      assertThat(buffer.getLongAcquire(0)).isEqualTo(7);

      int resets = running.resets.get();
      int others = virtual.get(1).running().resets.get();
      one.reset();
      assertThat(running.resets).hasValue(resets + 1);
      assertThat(virtual.get(1).running().resets).hasValue(others);
    }
  }

  /** The hardware lacks ids, BARs and the memory bit; who opens it sees what VFIO shows instead. */
  @Test
  void itsHeaderIsTheKernels() {
    enable(2);
    HardwareConfig hardware = bus.hardware(name(1));
    assertThat(hardware.read32(0)).isEqualTo(-1);
    assertThat(hardware.writable(ConfigRegisters.COMMAND, 2)).isEqualTo(4);
    assertThat(hardware.read32(ConfigRegisters.BAR0)).isZero();
    assertThat(hardware.read8(ConfigRegisters.HEADER_TYPE)).isZero();
    try (PciDevice device = bus.open(name(1))) {
      assertThat(device.id()).isEqualTo(EACH.id());
      assertThat(device.config().read16(ConfigRegisters.COMMAND)).isEqualTo(2);
      BarRegister bar = BarRegister.size(device.config()).getFirst();
      assertThat(bar.size()).isEqualTo(0x4000);
      long base = (config.read32(at + 0x24) & 0xffff_fff0L) | (long) config.read32(at + 0x28) << 32;
      assertThat(bar.address()).isEqualTo(base + 0x4000);
      device.config().write16(ConfigRegisters.COMMAND, 0xffff);
      assertThat(hardware.read16(ConfigRegisters.COMMAND)).isEqualTo(4);
      assertThat(device.config().read16(ConfigRegisters.COMMAND)).isEqualTo(6);
    }
  }

  @Test
  void theirMemoryIsThePhysicalFunctionsToTurnOff() {
    enable(1);
    try (PciDevice device = bus.open(name(0))) {
      Mmio mmio = device.bar(0).orElseThrow().map(0, 0x100);
      mmio.write32(0, 0x1234);
      config.write16(at + 8, ENABLE);
      assertThat(mmio.read32(0)).isEqualTo(-1);
      device.config().write16(ConfigRegisters.COMMAND, 0);
      config.write16(at + 8, ENABLE | MEMORY);
      assertThat(mmio.read32(0)).isEqualTo(0x1234);
    }
  }

  @Test
  void whoSeizesOneHasItFenced() {
    enable(1);
    try (SeizedDevice device = bus.seize(name(0))) {
      device.decode(true);
      Mmio mmio = device.bar(0).orElseThrow().map(0, 0x100);
      mmio.write32(0, 0x1234);
      assertThat(mmio.read32(0)).isEqualTo(0x1234);
      device.decode(false);
      assertThatThrownBy(() -> device.bar(0).orElseThrow().map(0, 0x100))
          .isInstanceOf(DeviceGoneException.class);
    }
  }

  /** All that a driver reads is ones before it hears why. */
  @Test
  void disabledTheyAreGone() {
    enable(2);
    PciDevice device = bus.open(name(0));
    Mmio mmio = device.bar(0).orElseThrow().map(0, 0x100);
    device.busMaster(true);
    DmaBuffer buffer = device.dma().allocate(4096, 4096);
    List<String> causes = new ArrayList<>();
    device.onDetach(listener(causes));

    config.write16(at + 8, 0);
    assertThat(mmio.read32(0)).isEqualTo(-1);
    assertThat(device.config().read32(0)).isEqualTo(-1);
    assertThat(virtual.get(0).running().port.writeLong(buffer.busAddress(), 1)).isFalse();
    assertThat(causes).isEmpty();

    bus.time().sleep(Duration.ofMillis(1));
    assertThat(causes).hasSize(1);
    assertThatThrownBy(() -> mmio.read32(0)).isInstanceOf(DeviceGoneException.class);
    assertThat(names()).containsExactly("port", "card");
    assertThat(virtual.get(0).running().closed).isTrue();
    assertThatThrownBy(() -> bus.open(name(0))).isInstanceOf(DeviceUnavailableException.class);
    device.close();

    enable(1);
    try (PciDevice again = bus.open(name(0))) {
      assertThat(again.bar(0).orElseThrow().map(0, 0x100).read32(0)).isZero();
    }
  }

  @Test
  void onceMoreEnabledTheyAreOthers() {
    enable(2);
    PciDevice device = bus.open(name(0));
    List<String> causes = new ArrayList<>();
    device.onDetach(listener(causes));
    config.write16(at + 8, 0);
    config.write16(at + 0x10, 3);
    config.write16(at + 8, ENABLE | MEMORY);
    bus.time().sleep(APPEAR);
    assertThat(causes).hasSize(1);
    assertThat(names()).containsExactly("port", "card", "card/vf0", "card/vf1", "card/vf2");
  }

  @Test
  void aResetOfThePhysicalFunctionEndsThem() {
    enable(2);
    try (PciDevice device = bus.open(physical)) {
      device.reset();
      bus.time().sleep(APPEAR);
      assertThat(names()).containsExactly("port", "card");
    }
    enable(2);
    bus.unplug(physical);
    assertThat(names()).containsExactly("port");
    DeviceName again = bus.plugBehind(port, "card", model);
    assertThat(bus.hardware(again).read16(at + 8)).isZero();
  }

  @Test
  void twoCardsOnOneBusHaveRoomForTheirs() {
    DeviceName second = bus.plugBehind(port, "second", model);
    enable(TOTAL);
    bus.hardware(second).write16(at + 0x10, TOTAL);
    bus.hardware(second).write16(at + 8, ENABLE | MEMORY);
    bus.time().sleep(APPEAR);
    assertThat(names()).hasSize(3 + 2 * TOTAL);
    assertThat(bus.scan()).extracting(f -> f.address().orElseThrow()).doesNotHaveDuplicates();
  }

  @Test
  void whatNoVirtualFunctionIsIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new VirtualFunctions(0, _ -> new Described(new ProbeModel(), EACH)))
        .withMessageContaining("total");
    InterruptDescription pin = new InterruptDescription(1, 0, Optional.empty());
    InterruptDescription none = new InterruptDescription(0, 0, Optional.empty());
    assertRefused(List.of(), pin, true, "interrupt pin");
    assertRefused(List.of(), none, false, "function level reset");
    assertRefused(List.of(BarDescription.trapped(3, 0x100, false)), none, true, "BAR 3");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                new FunctionDescription(
                    EACH.id(),
                    EACH.pciClass(),
                    1,
                    List.of(),
                    0,
                    none,
                    List.of(),
                    Set.of(),
                    Optional.of(
                        new VirtualFunctions(1, _ -> new Described(new ProbeModel(), EACH)))))
        .withMessageContaining("virtualFunctions");
  }

  private static void assertRefused(
      List<BarDescription> bars, InterruptDescription interrupts, boolean express, String part) {
    FunctionDescription each =
        new FunctionDescription(EACH.id(), EACH.pciClass(), 1, express, bars, interrupts);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new VirtualFunctions(1, _ -> new Described(new ProbeModel(), each)))
        .withMessageContaining(part);
  }

  private void enable(int count) {
    config.write16(at + 0x10, count);
    config.write16(at + 8, ENABLE | MEMORY);
    bus.time().sleep(APPEAR);
  }

  private DeviceName name(int number) {
    return DeviceName.parse(physical + "/vf" + number);
  }

  private List<String> names() {
    return bus.scan().stream().map(f -> f.name().text()).toList();
  }

  private static DetachListener listener(List<String> causes) {
    return new DetachListener() {
      @Override
      public void requested(Duration deadline) {
        throw new AssertionError("nobody asked");
      }

      @Override
      public void gone(String cause) {
        causes.add(cause);
      }
    };
  }
}
