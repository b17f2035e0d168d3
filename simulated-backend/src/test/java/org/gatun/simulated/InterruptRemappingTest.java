package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Mmio;
import org.gatun.pci.Vector;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.spi.SeizedDevice;
import org.gatun.simulated.IommuFault.Kind;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Messages of interrupts, also such as no device was given. */
@NullMarked
class InterruptRemappingTest {
  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final ProbeModel model = new ProbeModel();
  private final ProbeModel otherModel = new ProbeModel();
  private final DeviceName name = bus.plug("probe", model);
  private final SeizedDevice device = bus.seize(name);
  private final SeizedDevice other = bus.seize(bus.plug("other", otherModel));
  private final Arena arena = Arena.ofShared();
  private final MemorySegment local = arena.allocate(16, 8);
  private final List<Long> heard = new ArrayList<>();

  InterruptRemappingTest() {
    for (SeizedDevice each : List.of(device, other)) {
      each.decode(true);
      each.busMaster(true);
    }
    device.onDmaFault(heard::add);
  }

  @AfterEach
  void close() {
    bus.close();
    arena.close();
  }

  @Test
  void eachVectorHasAMessageOfItsOwn() {
    List<Vector> vectors = device.interrupts().enable(Interrupts.Kind.MSIX, 3);
    other.interrupts().enable(Interrupts.Kind.MSIX, 3);
    Mmio table = table(device);
    List<Long> messages = new ArrayList<>();
    for (Mmio each : List.of(table, table(other))) {
      for (int i = 0; i < 3; i++) {
        messages.add(each.read64(16L * i) << 32 | each.read32(16L * i + 8));
      }
    }
    assertThat(messages).doesNotHaveDuplicates();
    assertThat(table.read32(0) >>> 20).isEqualTo(0xfee);

    int first = table.read32(0);
    table.write32(0, table.read32(16));
    table.write32(16, first);
    model.running().context.signal(0);
    assertThat(vectors.get(0).poll()).isFalse();
    assertThat(vectors.get(1).poll()).as("it says so itself").isTrue();
    assertThat(bus.iommu().faultCount()).isZero();
  }

  @Test
  void anothersMessageRaisesNothingAndIsAFault() {
    Vector mine = device.interrupts().enable(Interrupts.Kind.MSIX, 1).getFirst();
    Vector theirs = other.interrupts().enable(Interrupts.Kind.MSIX, 1).getFirst();
    int address = table(other).read32(0);
    table(device).write32(0, address);
    model.running().context.signal(0);
    assertThat(mine.poll()).isFalse();
    assertThat(theirs.poll()).isFalse();
    assertLastFault(address & 0xffff_ffffL);
    assertThat(heard).containsExactly(address & 0xffff_ffffL);

    otherModel.running().context.signal(0);
    assertThat(theirs.poll()).isTrue();
  }

  @Test
  void aMessageThatWasPointedElsewhereIsAFault() {
    Vector mine = device.interrupts().enable(Interrupts.Kind.MSIX, 1).getFirst();
    for (int address : new int[] {0, 0x1000, 0xfee0_0000}) {
      table(device).write32(0, address);
      model.running().context.signal(0);
      assertThat(mine.poll()).isFalse();
      assertLastFault(address & 0xffff_ffffL);
    }
  }

  @Test
  void msiHasAMessageAndCountsInItsData() {
    List<Vector> vectors = device.interrupts().enable(Interrupts.Kind.MSI, 4);
    int at = Capabilities.walk(device.config()).find(Capability.MSI).orElseThrow().offset();
    model.running().context.signal(3);
    assertThat(vectors.get(3).poll()).isTrue();

    device.config().write16(at + 0xc, 0x100);
    model.running().context.signal(3);
    assertThat(vectors.get(3).poll()).isFalse();
    assertLastFault(device.config().read32(at + 4) & 0xffff_ffffL);

    device.interrupts().disable();
    assertThat(device.config().read32(at + 4)).isZero();
  }

  /** What a guest makes of a device that writes what and where it is told. */
  @Test
  void aDmaWriteToWhereMessagesGoIsOne() {
    Vector mine = device.interrupts().enable(Interrupts.Kind.MSIX, 1).getFirst();
    Vector theirs = other.interrupts().enable(Interrupts.Kind.MSIX, 1).getFirst();
    long own = table(device).read32(0) & 0xffff_ffffL;
    long others = table(other).read32(0) & 0xffff_ffffL;
    DmaPort port = model.running().port;

    assertThat(port.write(own, local, 0, 4)).isTrue();
    assertThat(mine.poll()).isTrue();
    assertThat(port.write(others, local, 0, 4)).isFalse();
    assertThat(theirs.poll()).isFalse();
    assertLastFault(others);
    local.set(ValueLayout.JAVA_INT, 0, 0x41);
    assertThat(port.write(0xfee0_0000L, local, 0, 4)).as("a message of old").isFalse();
    assertLastFault(0xfee0_0000L);
    assertThat(port.write(own, local, 8, 8)).as("not of 32 bits").isFalse();
    assertLastFault(own);

    assertThat(port.read(own, local, 0, 4)).isFalse();
    assertThat(bus.iommu().faults().getLast().kind()).isEqualTo(Kind.NOT_MAPPED);
    device.interrupts().disable();
    local.set(ValueLayout.JAVA_INT, 0, 0);
    assertThat(port.write(own, local, 0, 4)).as("it was given back").isFalse();
    device.busMaster(false);
    long faults = bus.iommu().faultCount();
    assertThat(port.write(own, local, 0, 4)).isFalse();
    assertThat(bus.iommu().faultCount()).isEqualTo(faults);
  }

  private void assertLastFault(long address) {
    IommuFault fault = bus.iommu().faults().getLast();
    assertThat(fault.device()).isEqualTo(name);
    assertThat(fault.busAddress()).isEqualTo(address);
    assertThat(fault.direction()).isEqualTo(DmaDirection.FROM_DEVICE);
    assertThat(fault.kind()).isEqualTo(Kind.INTERRUPT);
  }

  private static Mmio table(SeizedDevice probe) {
    return probe.bar(0).orElseThrow().map(ProbeModel.TABLE, 0x100);
  }
}
