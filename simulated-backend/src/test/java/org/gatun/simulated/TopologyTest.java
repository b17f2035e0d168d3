package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNoException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Set;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.DmaException;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.ResetUnavailableException;
import org.gatun.pci.config.BarRegister;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.Hazard;
import org.gatun.specs.edu.EduRegisters;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Slots, bridges, IOMMU groups, and what a scan says against a device. */
@NullMarked
class TopologyTest {
  private static final long PAGE = 4096;

  private final SimulatedBus bus = SimulatedBus.virtualTime();

  @AfterEach
  void close() {
    bus.close();
  }

  @Test
  void ordinaryDevicesAreAloneAndSound() {
    DeviceName nvme = bus.plug("nvme");
    DeviceName edu = bus.plug("edu");
    assertThat(List.of(group(nvme), group(edu))).doesNotHaveDuplicates();
    assertThat(bus.scan()).allMatch(f -> f.hazards().isEmpty());
  }

  @Test
  void functionsOfOneDeviceShareItsSlot() {
    DeviceName first = bus.plug("first", new SpecimenModel());
    assertThat(isMultiFunction(first)).isFalse();
    DeviceName second = bus.plugBeside(first, "second", new SpecimenModel());
    DeviceName third = bus.plugBeside(second, "third", new SpecimenModel());
    DeviceName other = bus.plug("other", new SpecimenModel());
    assertThat(addresses())
        .containsExactly("0000:00:00.0", "0000:00:00.1", "0000:00:00.2", "0000:00:01.0");
    assertThat(List.of(first, second, third)).allMatch(this::isMultiFunction);
    assertThat(isMultiFunction(other)).isFalse();
    try (PciDevice device = bus.open(second)) {
      device.reset();
      assertThat(isMultiFunction(second)).as("after a reset").isTrue();
    }
    bus.unplug(second);
    bus.unplug(third);
    assertThat(isMultiFunction(first)).isFalse();
    for (int i = 1; i < 8; i++) {
      bus.plugBeside(first, "more" + i, new SpecimenModel());
    }
    assertThatIllegalStateException()
        .isThrownBy(() -> bus.plugBeside(first, "ninth", new SpecimenModel()));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> bus.plugBeside(third, "tenth", new SpecimenModel()));
  }

  @Test
  void functionsWithoutAccessControlAreOneGroup() {
    DeviceName first = bus.plug("first", SpecimenModel.withoutAcs());
    assertThat(hazards(first)).isEmpty();
    DeviceName second = bus.plugBeside(first, "second", SpecimenModel.withoutAcs());
    DeviceName isolated = bus.plugBeside(first, "isolated", new SpecimenModel());
    assertThat(group(second)).isEqualTo(group(first));
    assertThat(group(isolated)).isNotEqualTo(group(first));
    assertThat(hazards(first)).containsExactly(Hazard.MISSING_ACS);
    assertThat(hazards(second)).containsExactly(Hazard.MISSING_ACS);
    assertThat(hazards(isolated)).isEmpty();
  }

  @Test
  void whatIsBelowABridgeWithoutAccessControlIsOneGroup() {
    DeviceName port = bus.plug("port", new RootPortModel(false));
    DeviceName one = bus.plugBehind(port, "one", new EduModel());
    assertThat(group(one)).isEqualTo(group(port));
    assertThat(hazards(one)).as("a bridge does not count").isEmpty();
    DeviceName two = bus.plugBehind(port, "two", new SpecimenModel());
    assertThat(group(two)).isEqualTo(group(port));
    assertThat(hazards(one)).containsExactly(Hazard.MISSING_ACS);
    assertThat(hazards(port)).contains(Hazard.MISSING_ACS);

    DeviceName inner = bus.plugBehind(port, "inner", new RootPortModel());
    DeviceName deep = bus.plugBehind(inner, "deep", new SpecimenModel());
    assertThat(group(deep)).as("not isolated all the way up").isEqualTo(group(inner));
    assertThat(group(inner)).isEqualTo(group(port));
  }

  @Test
  void withAccessControlEachIsAlone() {
    DeviceName port = bus.plug("port", new RootPortModel());
    DeviceName one = bus.plugBehind(port, "one", new EduModel());
    DeviceName two = bus.plugBehind(port, "two", new EduModel());
    assertThat(List.of(group(port), group(one), group(two))).doesNotHaveDuplicates();
    assertThat(addresses()).containsExactly("0000:00:00.0", "0000:01:00.0", "0000:01:01.0");
  }

  @Test
  void bridgesHaveATypeOneHeader() {
    bus.plug("other", new RootPortModel());
    DeviceName port = bus.plug("port", new RootPortModel());
    DeviceName inner = bus.plugBehind(port, "inner", new RootPortModel());
    HardwareConfig config = bus.hardware(port);
    assertThat(config.read8(ConfigRegisters.HEADER_TYPE)).isEqualTo(1);
    assertThat(config.read32(0x18) & 0xff_ffff).as("bus numbers").isEqualTo(0x03_02_00);
    assertThat(bus.hardware(inner).read32(0x18) & 0xff_ffff).isEqualTo(0x03_03_02);
    assertThat(Capabilities.walk(config).faults()).isEmpty();
    assertThat(Capabilities.walk(config).find(Capability.PCI_EXPRESS)).isPresent();
    assertThat(BarRegister.decode(config)).isEmpty();
    for (int[] register :
        new int[][] {
          {0x18, 4, -1},
          {0x1c, 2, 0xf0f0},
          {0x20, 4, 0xfff0_fff0},
          {0x24, 4, 0xfff0_fff0},
          {0x28, 4, -1},
          {0x2c, 4, -1},
          {0x30, 4, -1},
          {0x38, 4, 0xffff_f801},
          {0x3e, 2, 0xfff}
        }) {
      int offset = register[0];
      int width = register[1];
      config.write(offset, width, -1);
      int ones = config.read(offset, width);
      config.write(offset, width, 0);
      assertThat(ones ^ config.read(offset, width)).as("%x", offset).isEqualTo(register[2]);
    }
    try (PciDevice opened = bus.open(port)) {
      assertThat(opened.bars()).isEmpty();
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> bus.plugBehind(bus.plug("edu"), "more", new EduModel()));
  }

  @Test
  void aBridgeIsPulledOutWithWhatIsBehindIt() {
    DeviceName port = bus.plug("port", new RootPortModel());
    DeviceName inner = bus.plugBehind(port, "inner", new RootPortModel());
    DeviceName device = bus.plugBehind(inner, "edu", new EduModel());
    PciDevice opened = bus.open(device);
    bus.unplug(port);
    assertThat(bus.scan()).isEmpty();
    assertThatThrownBy(opened::reset).hasMessageContaining("simulated:edu");
  }

  @Test
  void devicesOfAGroupShareOneAddressSpace() {
    DeviceName first = bus.plug("first", SpecimenModel.withoutAcs());
    DeviceName second = bus.plugBeside(first, "second", SpecimenModel.withoutAcs());
    try (Arena arena = Arena.ofShared();
        PciDevice one = bus.open(first);
        PciDevice two = bus.open(second)) {
      MemorySegment memory = arena.allocate(2 * PAGE, PAGE);
      MemorySegment page = memory.asSlice(0, PAGE);
      DmaBuffer mine = one.dma().mapAt(0x200000, page, DmaDirection.BIDIRECTIONAL);
      DmaBuffer same = two.dma().mapAt(0x200000, page, DmaDirection.BIDIRECTIONAL);
      assertThatThrownBy(
              () -> two.dma().mapAt(0x200000, memory.asSlice(PAGE), DmaDirection.BIDIRECTIONAL))
          .isInstanceOf(DmaException.class)
          .hasMessageContaining("simulated:second");
      assertThat(two.dma().allocate(PAGE, PAGE).busAddress()).isNotEqualTo(0x200000);

      one.busMaster(true);
      assertThat(writes(one)).isTrue();
      assertThat(writes(two)).as("its own switch is off").isFalse();
      assertThat(bus.iommu().faultCount()).isZero();
      two.busMaster(true);
      assertThat(writes(two)).isTrue();

      mine.close();
      assertThat(writes(one)).as("as long as the other has it").isTrue();
      same.close();
      assertThat(writes(one)).isFalse();
      assertThat(writes(two)).isFalse();
      assertThat(bus.iommu().faults())
          .extracting(IommuFault::device)
          .containsExactly(first, second);
      assertThat(memory.get(ValueLayout.JAVA_BYTE, PAGE)).isZero();
    }
  }

  @Test
  void aDeviceWithoutResetSaysSoAndKeepsWhatWasDoneToIt() {
    DeviceName name = bus.plug("edu", EduModel.withoutReset());
    assertThat(hazards(name)).containsExactly(Hazard.MISSING_RESET);
    try (PciDevice edu = bus.open(name)) {
      Mmio mmio = edu.bar(0).orElseThrow().map(0, 0x100);
      edu.busMaster(true);
      edu.interrupts().enable(Interrupts.Kind.MSI, 1);
      mmio.write32(EduRegisters.LIVENESS, 5);
      assertThatThrownBy(edu::reset)
          .isInstanceOf(ResetUnavailableException.class)
          .hasMessageContaining("behind a root port");
      assertThat(edu.usage()).isEqualTo(new PciDevice.Usage(1, 0, 0, 1));
      assertThat(bus.hardware(name).read16(ConfigRegisters.COMMAND) & 4).isEqualTo(4);
      assertThat(mmio.read32(EduRegisters.LIVENESS)).isEqualTo(~5);
    }
    assertThat(bus.hardware(name).read16(ConfigRegisters.COMMAND)).isEqualTo(2);
    try (PciDevice edu = bus.open(name)) {
      Mmio mmio = edu.bar(0).orElseThrow().map(0, 0x100);
      assertThat(mmio.read32(EduRegisters.LIVENESS)).isEqualTo(~5);
    }
  }

  @Test
  void aSlotIsResetOnlyWithASingleDeviceInIt() {
    DeviceName port = bus.plug("port", new RootPortModel());
    DeviceName one = bus.plugBehind(port, "one", EduModel.withoutReset());
    PciDevice opened = bus.open(one);
    opened.reset();
    DeviceName two = bus.plugBehind(port, "two", new SpecimenModel());
    assertThatThrownBy(opened::reset).isInstanceOf(ResetUnavailableException.class);
    assertThat(hazards(one)).containsExactly(Hazard.MISSING_RESET);
    assertThat(hazards(two)).as("it resets itself").isEmpty();
    bus.unplug(two);
    opened.reset();

    DeviceName edu = bus.plug("edu", new EduModel());
    assertThat(hazards(edu)).isEmpty();
    bus.plugBeside(edu, "sibling", new EduModel());
    assertThat(hazards(edu)).containsExactlyInAnyOrder(Hazard.MISSING_RESET, Hazard.MISSING_ACS);
  }

  @Test
  void aBridgeIsNotResetWithWhatIsBehindIt() {
    DeviceName root = bus.plug("root", new RootPortModel());
    DeviceName top = bus.plugBehind(root, "top", SwitchPortModel.upstream());
    DeviceName left = bus.plugBehind(top, "left", SwitchPortModel.downstream());
    try (PciDevice port = bus.open(top)) {
      assertThatThrownBy(port::reset).isInstanceOf(ResetUnavailableException.class);
      bus.unplug(left);
      assertThatNoException().isThrownBy(port::reset);
    }
  }

  @Test
  void aMachineCanLackProtection() {
    DeviceName edu = bus.plug("edu");
    bus.pretend(Set.of(Hazard.UNPROTECTED_DMA, Hazard.UNSAFE_INTERRUPTS));
    assertThat(hazards(edu))
        .containsExactlyInAnyOrder(Hazard.UNPROTECTED_DMA, Hazard.UNSAFE_INTERRUPTS);
    assertThat(found(edu).iommuGroup()).isEmpty();
    bus.pretend(Set.of());
    assertThat(hazards(edu)).isEmpty();
    assertThatIllegalArgumentException().isThrownBy(() -> bus.pretend(Set.of(Hazard.MISSING_ACS)));
  }

  /** Whether the specimen reaches a byte at 0x200000. */
  private static boolean writes(PciDevice specimen) {
    try (Mmio mmio = specimen.bar(0).orElseThrow().map(0, 0x100)) {
      int before = mmio.read16(SpecimenModel.DMA_STATUS);
      mmio.write64(SpecimenModel.DMA_ADDRESS, 0x200000);
      mmio.write32(SpecimenModel.DMA_LENGTH, 1);
      mmio.write32(SpecimenModel.DMA_COMMAND, SpecimenModel.DMA_WRITE);
      return mmio.read16(SpecimenModel.DMA_STATUS) != before;
    }
  }

  private boolean isMultiFunction(DeviceName name) {
    return bus.hardware(name).read8(ConfigRegisters.HEADER_TYPE) == 0x80;
  }

  private List<String> addresses() {
    return bus.scan().stream().map(f -> f.address().orElseThrow().toString()).toList();
  }

  private FoundDevice found(DeviceName name) {
    return bus.scan().stream().filter(f -> f.name().equals(name)).findFirst().orElseThrow();
  }

  private int group(DeviceName name) {
    return found(name).iommuGroup().orElseThrow();
  }

  private Set<Hazard> hazards(DeviceName name) {
    return found(name).hazards();
  }
}
