package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.Vector;
import org.gatun.pci.config.BarRegister;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.specs.edu.EduRegisters;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

@NullMarked
class EduModelTest {
  private static final Duration LONG = Duration.ofSeconds(1);

  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final PciDevice edu = bus.open(bus.plug("edu", new EduModel()));
  private final Mmio registers = edu.bar(0).orElseThrow().map(0, EduRegisters.BAR_SIZE);

  @AfterEach
  void close() {
    bus.close();
  }

  @Test
  void isWhatQemuShows() {
    assertThat(edu.id().toString()).isEqualTo("1234:11e8");
    assertThat(edu.config().size()).isEqualTo(256);
    assertThat(Capabilities.walk(edu.config()).faults()).isEmpty();
    assertThat(Capabilities.walk(edu.config()).list())
        .extracting(Capability::id)
        .containsExactly(Capability.MSI);
    assertThat(BarRegister.size(edu.config()))
        .singleElement()
        .returns(1L << 20, BarRegister::size)
        .returns(false, BarRegister::wide)
        .returns(false, BarRegister::prefetchable);
    assertThat(registers.read32(EduRegisters.IDENTIFICATION)).isEqualTo(0x010000ed);
  }

  @Test
  void livenessIsInverted() {
    registers.write32(EduRegisters.LIVENESS, 0x12345678);
    assertThat(registers.read32(EduRegisters.LIVENESS)).isEqualTo(~0x12345678);
  }

  @ParameterizedTest
  @CsvSource({"0, 1", "1, 1", "5, 120", "13, 1932053504", "33, -2147483648", "34, 0", "-1, 0"})
  void computesFactorials(int n, int expected) {
    registers.write32(EduRegisters.FACTORIAL, n);
    assertThat(registers.read32(EduRegisters.STATUS)).isEqualTo(EduRegisters.STATUS_COMPUTING);

    registers.write32(EduRegisters.FACTORIAL, 7); // ignored while it computes
    bus.time().sleep(LONG);

    assertThat(registers.read32(EduRegisters.STATUS)).isZero();
    assertThat(registers.read32(EduRegisters.FACTORIAL)).isEqualTo(expected);
  }

  @Test
  void factorialFollowsItsDefinition() {
    for (int n = 0; n <= 40; n++) {
      int expected = 1;
      for (int i = 2; i <= n; i++) {
        expected *= i;
      }
      registers.write32(EduRegisters.FACTORIAL, n);
      bus.time().sleep(LONG);
      assertThat(registers.read32(EduRegisters.FACTORIAL)).as("%d!", n).isEqualTo(expected);
    }
  }

  @Test
  void accessesOfOtherWidthsReadAllOnesAndChangeNothing() {
    registers.write32(EduRegisters.LIVENESS, 1);
    registers.write8(EduRegisters.LIVENESS, 2);
    registers.write16(EduRegisters.LIVENESS, 3);

    assertThat(registers.read8(EduRegisters.LIVENESS)).isEqualTo(0xff);
    assertThat(registers.read16(EduRegisters.LIVENESS)).isEqualTo(0xffff);
    assertThat(registers.read64(EduRegisters.IDENTIFICATION)).isEqualTo(-1);
    assertThat(registers.read32(EduRegisters.LIVENESS)).isEqualTo(~1);
  }

  @ParameterizedTest
  @EnumSource(names = {"INTX", "MSI"})
  void interruptsWhenAFactorialIsDone(Kind kind) {
    edu.busMaster(true);
    Vector vector = edu.interrupts().enable(kind, 1).getFirst();
    registers.write32(EduRegisters.STATUS, EduRegisters.STATUS_RAISE_INTERRUPT);
    registers.write32(EduRegisters.FACTORIAL, 3);
    assertThat(vector.poll()).isFalse();

    assertThat(vector.await(LONG)).isTrue();

    assertThat(registers.read32(EduRegisters.FACTORIAL)).isEqualTo(6);
    assertThat(registers.read32(EduRegisters.INTERRUPT_STATUS))
        .isEqualTo(EduRegisters.FACTORIAL_INTERRUPT);
    assertThat(vector.await(LONG)).isFalse();
  }

  @Test
  void intxIsMaskedWhenItFiresAndComesAgainUntilItIsAcknowledged() {
    Vector vector = edu.interrupts().enable(Kind.INTX, 1).getFirst();
    registers.write32(EduRegisters.INTERRUPT_RAISE, 0b11);
    assertThat(vector.poll()).isTrue();
    registers.write32(EduRegisters.INTERRUPT_RAISE, 0b100);
    assertThat(vector.poll()).isFalse();

    vector.mask(false);
    assertThat(vector.poll()).isTrue();

    registers.write32(EduRegisters.INTERRUPT_ACKNOWLEDGE, 0b011);
    vector.mask(false);
    assertThat(vector.poll()).as("one cause is left").isTrue();

    registers.write32(EduRegisters.INTERRUPT_ACKNOWLEDGE, 0b100);
    vector.mask(false);
    assertThat(vector.poll()).isFalse();
    assertThat(registers.read32(EduRegisters.INTERRUPT_STATUS)).isZero();
  }

  @Test
  void messagesNeedBusMaster() {
    Vector vector = edu.interrupts().enable(Kind.MSI, 1).getFirst();
    registers.write32(EduRegisters.INTERRUPT_RAISE, 1);
    assertThat(vector.poll()).isFalse();

    edu.busMaster(true);
    registers.write32(EduRegisters.INTERRUPT_RAISE, 1);
    assertThat(vector.poll()).isTrue();
  }

  @Test
  void movesDataBothWays() {
    edu.busMaster(true);
    edu.dma().limitTo(28);
    DmaBuffer source = edu.dma().allocate(4096, 4096);
    DmaBuffer target = edu.dma().allocate(4096, 4096);
    source.putLong(8, 0x1122334455667788L);

    transfer(source.busAddress(), EduRegisters.DMA_BUFFER + 100, 16, 0);
    transfer(EduRegisters.DMA_BUFFER + 100, target.busAddress() + 32, 16, dmaToMemory());

    assertThat(target.getLongAcquire(40)).isEqualTo(0x1122334455667788L);
    assertThat(target.getLongAcquire(32)).isZero();
    assertThat(bus.iommu().faults()).isEmpty();
  }

  @Test
  void masksAddressesTo28Bits() {
    edu.busMaster(true);
    DmaBuffer target = edu.dma().allocate(4096, 1 << 28);
    assertThat(target.busAddress()).isEqualTo(1 << 28);

    transfer(EduRegisters.DMA_BUFFER, target.busAddress(), 16, dmaToMemory());

    assertThat(bus.iommu().faults())
        .containsExactly(new IommuFault(edu.name(), 0, 16, DmaDirection.FROM_DEVICE));
  }

  @ParameterizedTest
  @CsvSource({
    "0x3ffff, 1",
    "0x40000, 4097",
    "0x40001, 4096",
    "0x41000, 1",
    "0x40000, -1",
    "-1, 1",
    "0x40010, 0x7fffffffffffffff",
    "-9223372036854775808, 1"
  })
  void transfersOutsideOfItsBufferMoveNothing(String inside, String count) {
    edu.busMaster(true);
    edu.dma().limitTo(28);
    DmaBuffer memory = edu.dma().allocate(1 << 16, 4096);
    memory.putLong(0, -1);

    transfer(Long.decode(inside), memory.busAddress(), Long.decode(count), dmaToMemory());
    transfer(memory.busAddress(), Long.decode(inside), Long.decode(count), 0);

    assertThat(memory.getLongAcquire(0)).isEqualTo(-1);
    assertThat(registers.read32(EduRegisters.INTERRUPT_STATUS))
        .isEqualTo(EduRegisters.DMA_DONE_INTERRUPT);
  }

  @Test
  void aResetEndsWhatIsInProgress() {
    edu.busMaster(true);
    DmaBuffer target = edu.dma().allocate(4096, 4096);
    target.putLong(0, -1);
    registers.write32(EduRegisters.FACTORIAL, 5);
    registers.write64(EduRegisters.DMA_SOURCE, EduRegisters.DMA_BUFFER);
    registers.write64(EduRegisters.DMA_DESTINATION, target.busAddress());
    registers.write64(EduRegisters.DMA_COUNT, 8);
    registers.write64(EduRegisters.DMA_COMMAND, EduRegisters.DMA_RUN | dmaToMemory());

    edu.reset();
    edu.busMaster(true);
    bus.time().sleep(LONG);

    assertThat(registers.read32(EduRegisters.FACTORIAL)).isZero();
    assertThat(registers.read32(EduRegisters.STATUS)).isZero();
    assertThat(target.getLongAcquire(0)).isEqualTo(-1);
  }

  private static long dmaToMemory() {
    return EduRegisters.DMA_TO_MEMORY | EduRegisters.DMA_INTERRUPT;
  }

  private void transfer(long source, long destination, long count, long flags) {
    registers.write64(EduRegisters.DMA_SOURCE, source);
    registers.write64(EduRegisters.DMA_DESTINATION, destination);
    registers.write64(EduRegisters.DMA_COUNT, count);
    registers.write64(EduRegisters.DMA_COMMAND, EduRegisters.DMA_RUN | flags);
    assertThat(registers.read64(EduRegisters.DMA_COMMAND) & EduRegisters.DMA_RUN).isEqualTo(1);
    bus.time().sleep(LONG);
    assertThat(registers.read64(EduRegisters.DMA_COMMAND) & EduRegisters.DMA_RUN).isZero();
  }
}
