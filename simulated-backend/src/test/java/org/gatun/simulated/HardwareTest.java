package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PortIo;
import org.gatun.pci.Vector;
import org.gatun.pci.config.BarRegister;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.spi.SeizedDevice;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a function does on writes to its registers, with nothing between it and the host. */
@NullMarked
class HardwareTest {
  private static final int EXPRESS_INITIATE_RESET = 1 << 15;

  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final DeviceName name = bus.plug("specimen", new SpecimenModel());
  private final HardwareConfig hardware = bus.hardware(name);
  private final PciDevice device = bus.open(name);
  private final ConfigSpace config = device.config();

  @AfterEach
  void close() {
    bus.close();
  }

  @Test
  void hasEachCapabilityOnceInSoundLists() {
    Capabilities found = Capabilities.walk(config);
    assertThat(found.faults()).isEmpty();
    assertThat(found.list())
        .filteredOn(c -> !c.extended())
        .extracting(Capability::id)
        .containsExactlyInAnyOrder(1, 3, 5, 9, 0x10, 0x11, 0x13);
    assertThat(found.list())
        .filteredOn(Capability::extended)
        .extracting(Capability::id)
        .containsExactlyInAnyOrder(
            1,
            3,
            0xb,
            0xd,
            0xf,
            0x10,
            0x13,
            0x15,
            0x17,
            0x18,
            0x1b,
            0x23,
            SpecimenModel.UNKNOWN_CAPABILITY);
  }

  @Test
  void barsHaveTheirKindAndSize() {
    assertThat(BarRegister.size(config))
        .extracting(b -> b.index() + (b.io() ? " io " : " ") + b.size())
        .containsExactly("0 65536", "1 256", "2 65536", "4 io 32");
    config.write32(ConfigRegisters.ROM, -1);
    assertThat(config.read32(ConfigRegisters.ROM)).isEqualTo(0xffff_0001);
  }

  /** The bits that it says can be written are those that writes change, and no others. */
  @Test
  void writesChangeWhatIsWritableAndNothingElse() {
    Random random = new Random(7);
    int resetAt = offset(Capability.PCI_EXPRESS) + 8;
    int afAt = offset(Capability.ADVANCED_FEATURES) + 4;
    int powerAt = offset(Capability.POWER_MANAGEMENT) + 4;
    int vpd = offset(Capability.VPD);
    long changed = 0;
    for (int i = 0; i < 60_000; i++) {
      int width = 1 << random.nextInt(3);
      int offset = random.nextInt(i % 2 == 0 ? 0x100 : 0x1000) & -width;
      int value = random.nextInt();
      if (reaches(offset, width, resetAt, 2)
          || reaches(offset, width, afAt, 1)
          || reaches(offset, width, powerAt, 2)
          || reaches(offset, width, vpd, 8)
          || reaches(offset, width, ConfigRegisters.COMMAND, 2)) {
        continue;
      }
      hardware.raiseAll();
      int before = hardware.read(offset, width);
      config.write(offset, width, value);
      int mask = (int) ((1L << (8 * width)) - 1);
      int difference = before ^ hardware.read(offset, width);
      assertThat(difference & ~hardware.writable(offset, width)).as("%x", offset).isZero();
      changed += Integer.bitCount(difference);
      config.write(offset, width, ~value & mask);
      assertThat(
              (difference | (before ^ hardware.read(offset, width)))
                  & hardware.writable(offset, width))
          .as("all bits of %x", offset)
          .isEqualTo(hardware.writable(offset, width));
    }
    assertThat(changed).isPositive();
    assertThat(Capabilities.walk(config).faults()).isEmpty();
  }

  @Test
  void gapsAreRegistersToo() {
    int end = offset(Capability.VENDOR_SPECIFIC) + 0x10;
    for (int offset : new int[] {end, 0xfc, 0x800, 0xffc}) {
      config.write32(offset, 0x1234_5678);
      assertThat(hardware.read32(offset)).isEqualTo(0x1234_5678);
    }
  }

  @Test
  void errorsAreClearedByWritingOnes() {
    hardware.raiseAll();
    int aer = extended(Capability.EXTENDED_AER) + 4;
    assertThat(config.read16(ConfigRegisters.STATUS)).isEqualTo(0xf910);
    assertThat(config.read32(aer)).isEqualTo(0x07ff_f030);
    config.write32(aer, 0x10);
    config.write16(ConfigRegisters.STATUS, 0x8000);
    assertThat(hardware.read32(aer)).isEqualTo(0x07ff_f020);
    assertThat(hardware.read16(ConfigRegisters.STATUS)).isEqualTo(0x7910);
    config.write32(aer, 0);
    assertThat(hardware.read32(aer)).isEqualTo(0x07ff_f020);
  }

  @Test
  void aSelfTestIsSeenToRun() {
    config.write8(ConfigRegisters.BIST, 0x75);
    assertThat(hardware.read8(ConfigRegisters.BIST)).isEqualTo(0xc5);
  }

  @Test
  void functionLevelResetsAreMadeByWrites() {
    int express = offset(Capability.PCI_EXPRESS) + 8;
    int advanced = offset(Capability.ADVANCED_FEATURES) + 4;
    Mmio mmio = bar(0).map(0, 0x100);
    Map<Integer, Runnable> resets = new HashMap<>();
    resets.put(1, () -> config.write16(express, EXPRESS_INITIATE_RESET));
    resets.put(2, () -> config.write8(express + 1, EXPRESS_INITIATE_RESET >>> 8));
    resets.put(3, () -> config.write8(advanced, 1));
    resets.forEach(
        (number, reset) -> {
          device.busMaster(true);
          Vector vector = device.interrupts().enable(Interrupts.Kind.MSIX, 1).getFirst();
          mmio.write32(0x40, 0x1234);
          config.write8(ConfigRegisters.INTERRUPT_LINE, 9);
          reset.run();
          assertThat(mmio.read32(0x40)).as("reset %d", number).isZero();
          assertThat(config.read8(ConfigRegisters.INTERRUPT_LINE)).isZero();
          assertThat(hardware.read16(ConfigRegisters.COMMAND)).isEqualTo(3);
          assertThat(hardware.read16(express)).isEqualTo(0x2810);
          assertThatThrownBy(vector::poll).isInstanceOf(DeviceGoneException.class);
        });
  }

  @Test
  void aResetByAWriteDoesNotEndTheFence() {
    device.close();
    try (SeizedDevice seized = bus.seize(name)) {
      PortIo ports = seized.bar(SpecimenModel.PORTS).orElseThrow().ports();
      seized.config().write16(offset(Capability.PCI_EXPRESS) + 8, EXPRESS_INITIATE_RESET);
      assertThat(hardware.read16(ConfigRegisters.COMMAND)).isZero();
      seized.config().write16(ConfigRegisters.COMMAND, 3);
      assertThat(hardware.read16(ConfigRegisters.COMMAND)).isZero();
      hardware.write16(ConfigRegisters.COMMAND, 3);
      assertThat(ports.read8(0)).isEqualTo(0xff);
      seized.decode(true);
      assertThat(ports.read8(0)).isZero();
    }
  }

  @Test
  void asleepItDoesNothingAndWakesUpReset() {
    int power = offset(Capability.POWER_MANAGEMENT) + 4;
    device.busMaster(true);
    Mmio mmio = bar(0).map(0, 0x100);
    PortIo ports = bar(SpecimenModel.PORTS).ports();
    DmaBuffer buffer = device.dma().allocate(4096, 4096);
    mmio.write64(SpecimenModel.DMA_ADDRESS, buffer.busAddress());
    mmio.write32(SpecimenModel.DMA_LENGTH, 8);
    mmio.write32(0x40, 0x1234);

    config.write16(power, 3);
    assertThat(mmio.read32(0x40)).isEqualTo(-1);
    assertThat(ports.read8(0)).isEqualTo(0xff);
    config.write16(power, 1);
    assertThat(mmio.read32(0x40)).as("D1").isEqualTo(-1);
    config.write16(power, 0);
    assertThat(mmio.read32(0x40)).as("from D1").isEqualTo(0x1234);
    config.write16(power, 3);
    config.write16(power, 0);
    assertThat(mmio.read32(0x40)).as("from D3").isZero();
    assertThat(hardware.read16(ConfigRegisters.COMMAND) & ConfigRegisters.COMMAND_BUS_MASTER)
        .isZero();
  }

  @Test
  void vitalProductDataIsReadAndWrittenThroughItsWindow() {
    int vpd = offset(Capability.VPD);
    config.write16(vpd + 2, 8);
    assertThat(config.read16(vpd + 2)).isEqualTo(0x8008);
    assertThat(config.read32(vpd + 4)).isEqualTo(0x0b0a0908);

    config.write32(vpd + 4, 0x5555_aaaa);
    config.write16(vpd + 2, 0x8008);
    assertThat(config.read16(vpd + 2)).isEqualTo(8);
    device.reset();
    config.write16(vpd + 2, 8);
    assertThat(config.read32(vpd + 4)).as("it is kept").isEqualTo(0x5555_aaaa);

    config.write16(vpd + 2, 0x7ffc);
    assertThat(config.read32(vpd + 4)).as("past the end").isZero();
    config.write16(vpd + 2, 0xfffc);
  }

  @Test
  void maskedMsiVectorsPend() {
    device.busMaster(true);
    int msi = offset(Capability.MSI);
    Mmio mmio = bar(0).map(0, 0x100);
    List<Vector> vectors = device.interrupts().enable(Interrupts.Kind.MSI, 8);
    vectors.get(5).mask(true);
    assertThat(hardware.read32(msi + 0x10)).isEqualTo(1 << 5);

    mmio.write32(SpecimenModel.INTERRUPT, 5);
    mmio.write32(SpecimenModel.INTERRUPT, 6);
    assertThat(vectors.get(5).poll()).isFalse();
    assertThat(vectors.get(6).poll()).isTrue();
    assertThat(hardware.read32(msi + 0x14)).isEqualTo(1 << 5);

    vectors.get(5).mask(false);
    assertThat(vectors.get(5).poll()).isTrue();
    assertThat(hardware.read32(msi + 0x14)).isZero();

    vectors.get(5).mask(true);
    mmio.write32(SpecimenModel.INTERRUPT, 5);
    device.busMaster(false);
    vectors.get(5).mask(false);
    assertThat(vectors.get(5).poll()).as("without bus master").isFalse();
    device.busMaster(true);
    assertThat(vectors.get(5).poll()).isTrue();

    config.write32(msi + 0x10, 0xff);
    mmio.write32(SpecimenModel.INTERRUPT, 0);
    assertThat(vectors.getFirst().poll()).as("masked in config space").isFalse();
    config.write32(msi + 0x10, 0);
    assertThat(vectors.getFirst().poll()).isTrue();

    vectors.getFirst().mask(true);
    mmio.write32(SpecimenModel.INTERRUPT, 0);
    device.interrupts().disable();
    assertThat(hardware.read32(msi + 0x10)).isZero();
    assertThat(hardware.read32(msi + 0x14)).isZero();
  }

  @Test
  void portsAnswerInTheirWidthsWhileDecodeIsOn() {
    Bar bar = bar(SpecimenModel.PORTS);
    assertThat(bar.kind()).isEqualTo(Bar.Kind.IO);
    assertThat(bar.ranges()).isEmpty();
    assertThatIllegalArgumentException().isThrownBy(() -> bar.map(0, 4));
    PortIo ports = bar.ports();
    assertThat(ports.size()).isEqualTo(32);
    ports.write32(4, 0xfedc_ba98);
    assertThat(ports.read32(4)).isEqualTo(0xfedc_ba98);
    assertThat(ports.read16(6)).isEqualTo(0xfedc);
    ports.write8(7, 0x17);
    assertThat(ports.read8(7)).isEqualTo(0x17);
    assertThatIllegalArgumentException().isThrownBy(() -> ports.read32(2));
    assertThatThrownBy(() -> ports.read16(32)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> ports.write8(-1, 0)).isInstanceOf(IndexOutOfBoundsException.class);

    config.write16(ConfigRegisters.COMMAND, ConfigRegisters.COMMAND_MEMORY);
    assertThat(ports.read32(4)).isEqualTo(-1);
    ports.write32(4, 0);
    config.write16(ConfigRegisters.COMMAND, ConfigRegisters.COMMAND_IO);
    assertThat(ports.read32(4)).isEqualTo(0x17dc_ba98);
    device.close();
    assertThatThrownBy(() -> ports.read8(0)).isInstanceOf(DeviceGoneException.class);
  }

  @Test
  void movesDataUntilItIsTold() {
    device.busMaster(true);
    Mmio mmio = bar(0).map(0, 0x100);
    Mmio memory = bar(SpecimenModel.MEMORY).map(0, 0x1000);
    DmaBuffer buffer = device.dma().allocate(4096, 4096);
    mmio.write32(SpecimenModel.DMA_ADDRESS, (int) buffer.busAddress());
    mmio.write32(SpecimenModel.DMA_ADDRESS + 4, (int) (buffer.busAddress() >>> 32));
    mmio.write32(SpecimenModel.DMA_LENGTH, 8);
    memory.write64(0, 0x1122_3344_5566_7788L);
    mmio.write32(SpecimenModel.DMA_COMMAND, SpecimenModel.DMA_WRITE | SpecimenModel.DMA_REPEAT);
    assertThat(buffer.getLongAcquire(0)).isEqualTo(0x1122_3344_5566_7788L);
    memory.write64(0, 5);
    bus.time().sleep(Duration.ofMillis(1));
    assertThat(buffer.getLongAcquire(0)).isEqualTo(5);
    assertThat(mmio.read16(SpecimenModel.DMA_STATUS)).isGreaterThan(100);
    buffer.close();
    bus.time().sleep(Duration.ofMillis(1));
    assertThat(bus.iommu().faultCount()).isPositive();
    device.reset();
    device.busMaster(true);
    long faults = bus.iommu().faultCount();
    bus.time().sleep(Duration.ofMillis(1));
    assertThat(bus.iommu().faultCount()).isEqualTo(faults);
  }

  @Test
  void aResetLeavesNothingBehind() {
    for (long[] place :
        new long[][] {
          {0, SpecimenModel.DIRECT}, {0, SpecimenModel.MSIX_TABLE + 0x1000}, {1, 0}, {2, 0x8000}
        }) {
      Mmio direct = bar((int) place[0]).map(place[1], 0x100);
      assertThat(direct.isDirect()).isTrue();
      direct.write32(0, 1);
      device.reset();
      assertThat(direct.read32(0)).isZero();
    }
  }

  @Test
  void itsPinIsALevel() {
    Mmio mmio = bar(0).map(0, 0x100);
    Vector vector = device.interrupts().enable(Interrupts.Kind.INTX, 1).getFirst();
    mmio.write32(SpecimenModel.INTERRUPT, 0);
    assertThat(vector.poll()).isTrue();
    vector.mask(false);
    assertThat(vector.poll()).as("still there").isTrue();
    mmio.write32(SpecimenModel.INTERRUPT_RELEASE, 0);
    vector.mask(false);
    assertThat(vector.poll()).isFalse();
  }

  @Test
  void aLyingDeviceGoesOnLyingAfterAReset() {
    int first = config.read8(ConfigRegisters.CAPABILITIES_POINTER);
    hardware.poke(first + 1, 1, first);
    hardware.poke(ConfigRegisters.VENDOR_ID, 2, 0x6666);
    hardware.poke(ConfigRegisters.BAR0, 4, 0xffff_0000);
    device.reset();
    assertThat(Capabilities.walk(config).faults()).isNotEmpty();
    assertThat(config.read16(ConfigRegisters.VENDOR_ID)).isEqualTo(0x6666);
    assertThat(config.read32(ConfigRegisters.BAR0)).isEqualTo(0xffff_0000);
    assertThat(device.interrupts().enable(Interrupts.Kind.MSI, 1)).hasSize(1);
  }

  @Test
  void theHardwareIsThereWhoeverHasIt() {
    device.close();
    hardware.write8(ConfigRegisters.INTERRUPT_LINE, 7);
    assertThat(hardware.read8(ConfigRegisters.INTERRUPT_LINE)).isEqualTo(7);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> bus.hardware(DeviceName.parse("simulated:other")));
    assertThatIllegalArgumentException().isThrownBy(() -> hardware.poke(1, 2, 0));
    assertThatIllegalArgumentException().isThrownBy(() -> hardware.writable(4096, 1));
  }

  /** An interrupt closes a file that is just being mapped, for all who come later. */
  @Test
  void whoIsInterruptedMapsRegistersAllTheSame() {
    Thread.currentThread().interrupt();
    Mmio first = bar(0).map(SpecimenModel.DIRECT, 0x100);
    assertThat(Thread.interrupted()).as("still interrupted").isTrue();
    first.write32(8, 0x1234_5678);

    assertThat(bar(0).map(SpecimenModel.DIRECT, 0x100).read32(8)).isEqualTo(0x1234_5678);
  }

  @Test
  void whatIsBehindABarIsSeenWithoutDecode() {
    Mmio mmio = bar(0).map(0, 0x1000);
    mmio.write32(0x40, 0x8765_4321);
    bar(0).map(SpecimenModel.DIRECT, 0x100).write32(8, 0x1234_5678);
    bar(0).map(SpecimenModel.MSIX_TABLE, 0x1000).write32(0x14, 0x55);
    bar(SpecimenModel.PORTS).ports().write8(3, 9);
    config.write16(ConfigRegisters.COMMAND, 0);
    assertThat(bus.peek(name, 0, 0x40, 4)).isEqualTo(0x8765_4321L);
    assertThat(bus.peek(name, 0, SpecimenModel.DIRECT + 8, 8)).isEqualTo(0x1234_5678L);
    assertThat(bus.peek(name, 0, SpecimenModel.DIRECT + 10, 2)).isEqualTo(0x1234L);
    assertThat(bus.peek(name, 0, SpecimenModel.MSIX_TABLE + 0x14, 4)).isEqualTo(0x55);
    assertThat(bus.peek(name, SpecimenModel.PORTS, 3, 1)).isEqualTo(9);
    for (long[] access :
        new long[][] {{0, 2, 4}, {0, 0, 3}, {1, 0x100, 1}, {1, -4, 4}, {5, 0, 1}}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> bus.peek(name, (int) access[0], access[1], (int) access[2]));
    }
  }

  private static boolean reaches(int offset, int width, int start, int length) {
    return offset < start + length && start < offset + width;
  }

  private int offset(int id) {
    return Capabilities.walk(hardware).find(id).orElseThrow().offset();
  }

  private int extended(int id) {
    return Capabilities.walk(hardware).findExtended(id).orElseThrow().offset();
  }

  private Bar bar(int index) {
    return device.bar(index).orElseThrow();
  }
}
