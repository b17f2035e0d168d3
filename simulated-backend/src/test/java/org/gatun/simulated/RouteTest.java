package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.Vector;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.simulated.CapabilityDescription.Register;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What passes between a host and a function, and what does not: power states, bridges, resets. */
@NullMarked
class RouteTest {
  private static final int BRIDGE_CONTROL = 0x3e;
  private static final int SECONDARY_STATUS = 0x1e;
  private static final int BUS_RESET = 1 << 6;
  private static final int MASTER_ABORT = 1 << 13;

  /** Device Status: Correctable, Non-Fatal, Unsupported Request. */
  private static final int READ_REFUSED = 0b1001;

  private static final int WRITE_REFUSED = 0b1010;

  /** Its registers are accessed as 32 bits, or not at all. */
  private record Strict() implements DeviceModel {
    @Override
    public FunctionDescription description() {
      return new FunctionDescription(
          new PciId(0x1234, 0x0002, 0, 0),
          new PciClass(0x088000),
          1,
          true,
          List.of(FunctionDescription.BarDescription.trapped(0, 0x1000, false)),
          new FunctionDescription.InterruptDescription(0, 0, Optional.empty()));
    }

    @Override
    public RunningModel start(ModelContext context) {
      return new RunningModel() {
        @Override
        public long read(int bar, long offset, int width) {
          if (width == 4) {
            return 1;
          }
          context.targetAbort(false);
          return -1;
        }

        @Override
        public void write(int bar, long offset, int width, long value) {
          if (width != 4) {
            context.targetAbort(true);
          }
        }

        @Override
        public void reset() {
          // It has no state.
        }

        @Override
        public void close() {
          // It holds nothing.
        }
      };
    }
  }

  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final DeviceName root = bus.plug("root", new RootPortModel());
  private final DeviceName top = bus.plugBehind(root, "switch", SwitchPortModel.upstream());
  private final DeviceName port = bus.plugBehind(top, "port", SwitchPortModel.downstream());
  private final ProbeModel model =
      new ProbeModel(
          StandardCapabilities.powerManagement(false), StandardCapabilities.expressEndpoint(true));
  private final DeviceName name = bus.plugBehind(port, "probe", model);
  private final PciDevice device = bus.open(name);
  private final Mmio mmio = device.bar(0).orElseThrow().map(0, 0x100);

  @AfterEach
  void close() {
    bus.close();
  }

  @Test
  void asleepItNeitherAnswersNorDoesDmaNorInterrupts() {
    ProbeModel.Running running = model.running();
    DmaBuffer buffer = device.dma().allocate(4096, 4096);
    Vector vector = device.interrupts().enable(Interrupts.Kind.MSI, 1).getFirst();
    int resets = running.resets.get();
    device.busMaster(true);
    mmio.write32(0, 0x1234);
    for (int state = 1; state <= 3; state++) {
      power(name, state);
      mmio.write32(0, 0);
      running.context.signal(0);
      assertThat(mmio.read32(0)).as("D%d", state).isEqualTo(-1);
      assertThat(running.port.writeLong(buffer.busAddress(), 1)).as("D%d", state).isFalse();
      assertThat(device.config().read16(ConfigRegisters.VENDOR_ID)).isEqualTo(0x1234);
      power(name, 0);
      assertThat(vector.poll()).as("D%d: a message is lost", state).isFalse();
      assertThat(mmio.read32(0)).as("D%d: no soft reset", state).isEqualTo(0x1234);
    }
    assertThat(running.port.writeLong(buffer.busAddress(), 1)).isTrue();
    assertThat(bus.iommu().faultCount()).isZero();
    assertThat(running.resets).hasValue(resets);
  }

  @Test
  void aPinIsHeardWhenItsFunctionIsAwake() {
    Vector vector = device.interrupts().enable(Interrupts.Kind.INTX, 1).getFirst();
    power(name, 3);
    model.running().context.setInterruptLine(true);
    assertThat(vector.poll()).isFalse();
    power(name, 0);
    assertThat(vector.poll()).isTrue();
  }

  @Test
  void aPowerStateThatItLacksIsNotTaken() {
    Register noD1OrD2 = new Register(2, 2, 0x0003, 0, 0);
    Register control = new Register(4, 2, 8, 3, 0);
    CapabilityDescription power =
        new CapabilityDescription(
            Capability.POWER_MANAGEMENT, 0, false, 8, List.of(noD1OrD2, control));
    DeviceName simple = bus.plug("simple", new ProbeModel(power));
    for (int state = 1; state <= 2; state++) {
      power(simple, state);
      assertThat(bus.hardware(simple).read16(powerAt(simple))).isEqualTo(8);
    }
    power(simple, 3);
    power(simple, 1);
    assertThat(bus.hardware(simple).read16(powerAt(simple))).isEqualTo(8 | 3);
  }

  @Test
  void whatNobodyClaimsReadsAsOnesAndEachOnTheWayShowsIt() {
    mmio.write32(0, 0x1234);
    bus.hardware(name).write16(ConfigRegisters.COMMAND, 0);
    assertThat(mmio.read32(0)).isEqualTo(-1);
    assertThat(deviceStatus(name)).isEqualTo(READ_REFUSED);
    for (DeviceName bridge : List.of(root, top, port)) {
      assertThat(bus.hardware(bridge).read16(SECONDARY_STATUS)).isEqualTo(MASTER_ABORT);
      bus.hardware(bridge).write16(SECONDARY_STATUS, MASTER_ABORT);
      assertThat(deviceStatus(bridge)).isZero();
    }
    clearStatus(name);

    mmio.write32(0, 0);
    assertThat(deviceStatus(name)).isEqualTo(WRITE_REFUSED);
    assertThat(bus.hardware(root).read16(SECONDARY_STATUS)).as("nothing comes back").isZero();

    bus.hardware(name).write16(ConfigRegisters.COMMAND, ConfigRegisters.COMMAND_MEMORY);
    assertThat(mmio.read32(0)).isEqualTo(0x1234);
  }

  @Test
  void whatADeviceAbortsReadsAsOnesToo() {
    DeviceName strict = bus.plugBehind(port, "strict", new Strict());
    try (PciDevice opened = bus.open(strict);
        Mmio registers = opened.bar(0).orElseThrow().map(0, 0x1000)) {
      assertThat(registers.read32(0)).isEqualTo(1);
      assertThat(opened.config().read16(ConfigRegisters.STATUS) & 0xf900).isZero();

      assertThat(registers.read16(0)).isEqualTo(0xffff);
      assertThat(opened.config().read16(ConfigRegisters.STATUS) & 0xf900).isEqualTo(1 << 11);
      for (DeviceName bridge : List.of(root, top, port)) {
        assertThat(bus.hardware(bridge).read16(SECONDARY_STATUS)).isEqualTo(1 << 12);
        bus.hardware(bridge).write16(SECONDARY_STATUS, 1 << 12);
      }
      opened.config().write16(ConfigRegisters.STATUS, 1 << 11);
      registers.write16(0, (short) 5);
      assertThat(opened.config().read16(ConfigRegisters.STATUS) & 0xf900).isEqualTo(1 << 11);
      assertThat(bus.hardware(root).read16(SECONDARY_STATUS)).as("nothing comes back").isZero();
    }
  }

  @Test
  void aBridgePassesOnWhatItsCommandRegisterLetsIt() {
    ProbeModel.Running running = model.running();
    DmaBuffer buffer = device.dma().allocate(4096, 4096);
    Vector vector = device.interrupts().enable(Interrupts.Kind.MSI, 1).getFirst();
    device.busMaster(true);
    mmio.write32(0, 0x1234);

    bus.hardware(top).write16(ConfigRegisters.COMMAND, ConfigRegisters.COMMAND_BUS_MASTER);
    assertThat(mmio.read32(0)).isEqualTo(-1);
    assertThat(deviceStatus(top)).isEqualTo(READ_REFUSED);
    assertThat(deviceStatus(name)).isZero();
    assertThat(deviceStatus(port)).isZero();
    assertThat(bus.hardware(root).read16(SECONDARY_STATUS)).isEqualTo(MASTER_ABORT);
    assertThat(running.port.writeLong(buffer.busAddress(), 1)).isTrue();

    bus.hardware(top).write16(ConfigRegisters.COMMAND, ConfigRegisters.COMMAND_MEMORY);
    assertThat(mmio.read32(0)).isEqualTo(0x1234);
    assertThat(running.port.writeLong(buffer.busAddress(), 2)).isFalse();
    running.context.signal(0);
    assertThat(vector.poll()).isFalse();

    bus.hardware(top).write16(ConfigRegisters.COMMAND, 7);
    running.context.signal(0);
    assertThat(vector.poll()).isTrue();
    assertThat(buffer.getLongAcquire(0)).isEqualTo(1);
  }

  @Test
  void behindABridgeThatIsAsleepThereIsNothing() {
    power(port, 3);
    assertThat(device.config().read16(ConfigRegisters.VENDOR_ID)).isEqualTo(0xffff);
    device.config().write16(ConfigRegisters.COMMAND, 0);
    assertThat(mmio.read32(0)).isEqualTo(-1);
    power(port, 0);
    assertThat(device.config().read16(ConfigRegisters.VENDOR_ID)).isEqualTo(0x1234);
    assertThat(device.config().read16(ConfigRegisters.COMMAND)).isEqualTo(2);
  }

  @Test
  void aBusResetResetsAllThatIsBehind() {
    DeviceName neighbour = bus.plug("neighbour", new SpecimenModel());
    bus.hardware(neighbour).write8(ConfigRegisters.INTERRUPT_LINE, 7);
    bus.hardware(name).write8(ConfigRegisters.INTERRUPT_LINE, 7);
    device.busMaster(true);
    int resets = model.running().resets.get();

    bus.hardware(root).write16(BRIDGE_CONTROL, BUS_RESET);
    assertThat(mmio.read32(0)).as("while it is held").isEqualTo(-1);
    assertThat(device.config().read32(0)).isEqualTo(-1);
    bus.hardware(root).write16(BRIDGE_CONTROL, 0);

    assertThat(mmio.read32(0)).isZero();
    assertThat(model.running().resets).hasValue(resets + 1);
    assertThat(bus.hardware(name).read8(ConfigRegisters.INTERRUPT_LINE)).isZero();
    assertThat(bus.hardware(name).read16(ConfigRegisters.COMMAND)).isEqualTo(2);
    assertThat(bus.hardware(neighbour).read8(ConfigRegisters.INTERRUPT_LINE)).isEqualTo(7);
    assertThat(bus.hardware(top).read32(0x18) & 0xff_ffff).isEqualTo(0x03_02_01);
  }

  @Test
  void aReadOfItsOwnThatNobodyAnswersIsAMasterAbort() {
    device.busMaster(true);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment local = arena.allocate(8);
      assertThat(model.running().port.write(0x1000, local, 0, 8)).isFalse();
      assertThat(device.config().read16(ConfigRegisters.STATUS) & MASTER_ABORT).isZero();
      assertThat(model.running().port.read(0x1000, local, 0, 8)).isFalse();
    }
    assertThat(device.config().read16(ConfigRegisters.STATUS) & MASTER_ABORT).isNotZero();
    device.config().write16(ConfigRegisters.STATUS, MASTER_ABORT);
    assertThat(device.config().read16(ConfigRegisters.STATUS) & MASTER_ABORT).isZero();
  }

  private void power(DeviceName function, int state) {
    bus.hardware(function).write16(powerAt(function), state);
  }

  private int powerAt(DeviceName function) {
    return Capabilities.walk(bus.hardware(function))
            .find(Capability.POWER_MANAGEMENT)
            .orElseThrow()
            .offset()
        + 4;
  }

  private int deviceStatus(DeviceName function) {
    return bus.hardware(function).read16(statusAt(function));
  }

  private void clearStatus(DeviceName function) {
    bus.hardware(function).write16(statusAt(function), 0xf);
  }

  private int statusAt(DeviceName function) {
    return Capabilities.walk(bus.hardware(function))
            .find(Capability.PCI_EXPRESS)
            .orElseThrow()
            .offset()
        + 0xa;
  }
}
