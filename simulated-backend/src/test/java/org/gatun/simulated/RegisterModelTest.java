package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.Vector;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.FunctionDescription.InterruptDescription;
import org.gatun.simulated.FunctionDescription.Msix;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * A timer, which is the worked example of {@code docs/first-model.md}, and registers of all kinds.
 */
class RegisterModelTest {
  private static final Register CONTROL = Register.at("CONTROL", 0x00, 4).readWrite(0b11);
  private static final Register MICROSECONDS =
      Register.at("MICROSECONDS", 0x04, 4).allReadWrite().reset(1_000);
  private static final Register STATUS = Register.at("STATUS", 0x08, 4).writeOneToClear(0b1);
  private static final Register EXPIRED = Register.at("EXPIRED", 0x0c, 4).readToClear(0xffff_ffffL);
  private static final Register CLEAR = Register.at("CLEAR", 0x10, 2);
  private static final Register WIDE = Register.at("WIDE", 0x18, 8).allReadWrite();

  private static final FunctionDescription TIMER =
      new FunctionDescription(
          new PciId(0x1234, 0x0001, 0, 0),
          new PciClass(0x088000),
          1,
          true,
          List.of(BarDescription.trapped(0, 0x1000, false)),
          new InterruptDescription(1, 1, Optional.empty()));

  private final SimulatedBus bus = SimulatedBus.virtualTime();

  @AfterEach
  void close() {
    bus.close();
  }

  private static DeviceModel timer() {
    return new RegisterModel(
        TIMER,
        List.of(RegisterMap.of(0, CONTROL, MICROSECONDS, STATUS, EXPIRED, CLEAR, WIDE)),
        RegisterModelTest::behave);
  }

  private static void behave(RegisterDevice timer) {
    timer.onWrite(
        CONTROL,
        written -> {
          if ((written & 1) != 0) {
            timer.after(
                Duration.ofNanos(1_000 * timer.get(MICROSECONDS)),
                () -> {
                  timer.setBits(STATUS, 1);
                  timer.set(EXPIRED, timer.get(EXPIRED) + 1);
                  timer.clearBits(CONTROL, 1);
                  timer.interrupt(0, true);
                });
          }
        });
    timer.onWrite(STATUS, _ -> timer.interrupt(0, timer.get(STATUS) != 0));
    timer.onWrite(CLEAR, written -> timer.set(WIDE, timer.get(WIDE) & ~written));
    timer.onRead(CLEAR, () -> 0x5a5a);
  }

  @Test
  void actsInTheTimeOfItsBus() {
    try (PciDevice device = bus.open(bus.plug("timer", timer()));
        Mmio registers = device.bar(0).orElseThrow().map(0, 0x1000)) {
      Vector vector = device.interrupts().enable(Interrupts.Kind.MSI, 1).getFirst();
      device.busMaster(true);
      assertThat(registers.read32(4)).isEqualTo(1_000);
      registers.write32(4, 50);
      registers.write32(0, 0xffff_fffd);
      assertThat(registers.read32(0)).as("read-only bits stay").isEqualTo(0b01);
      assertThat(vector.await(Duration.ofNanos(49_999))).isFalse();
      assertThat(vector.await(Duration.ofNanos(1))).isTrue();
      assertThat(registers.read32(0)).isZero();
      assertThat(registers.read32(8)).isEqualTo(1);
      registers.write32(8, 0xffff_fffe);
      assertThat(registers.read32(8)).as("W1C, written 0").isEqualTo(1);
      registers.write32(8, 1);
      assertThat(registers.read32(8)).isZero();
      assertThat(registers.read32(0xc)).isEqualTo(1);
      assertThat(registers.read32(0xc)).as("RC, read before").isZero();
      registers.write32(0xc, 7);
      assertThat(registers.read32(0xc)).as("written by the driver").isZero();
    }
  }

  @Test
  void hasALevelOnItsPin() {
    try (PciDevice device = bus.open(bus.plug("timer", timer()));
        Mmio registers = device.bar(0).orElseThrow().map(0, 0x1000)) {
      Vector vector = device.interrupts().enable(Interrupts.Kind.INTX, 1).getFirst();
      registers.write32(0, 1);
      assertThat(vector.await(Duration.ofSeconds(1))).isTrue();
      vector.mask(false);
      assertThat(vector.await(Duration.ofSeconds(1))).as("as long as nobody clears it").isTrue();
      registers.write32(8, 1);
      vector.mask(false);
      assertThat(vector.await(Duration.ofSeconds(1))).isFalse();
    }
  }

  @Test
  void forgetsAllAtAReset() {
    try (PciDevice device = bus.open(bus.plug("timer", timer()));
        Mmio registers = device.bar(0).orElseThrow().map(0, 0x1000)) {
      registers.write32(4, 5);
      registers.write64(0x18, -1);
      registers.write32(0, 1);
      device.reset();
      bus.time().sleep(Duration.ofSeconds(1));
      assertThat(registers.read32(0)).isZero();
      assertThat(registers.read32(4)).isEqualTo(1_000);
      assertThat(registers.read32(8)).as("it does not expire").isZero();
      assertThat(registers.read64(0x18)).isZero();
    }
  }

  @Test
  void partsOfRegistersAndSeveralAtATime() {
    try (PciDevice device = bus.open(bus.plug("timer", timer()));
        Mmio registers = device.bar(0).orElseThrow().map(0, 0x1000)) {
      registers.write64(0x18, 0x1122_3344_5566_7788L);
      assertThat(registers.read32(0x1c)).isEqualTo(0x1122_3344);
      assertThat(registers.read8(0x19)).isEqualTo((byte) 0x77);
      registers.write16(0x1a, (short) 0xabcd);
      assertThat(registers.read64(0x18)).isEqualTo(0x1122_3344_abcd_7788L);
      registers.write8(0x11, (byte) 0x77);
      assertThat(registers.read64(0x18))
          .as("the trigger got 0x7700")
          .isEqualTo(0x1122_3344_abcd_0088L);
      registers.write64(0, 0x0000_0007_0000_0002L);
      assertThat(registers.read64(0)).isEqualTo(0x0000_0007_0000_0002L);
      assertThat(registers.read32(0x10)).as("nothing behind it").isEqualTo(0x5a5a);
      assertThat(registers.read32(0x800)).isZero();
      registers.write32(0x800, -1);
      assertThat(registers.read32(0x800)).isZero();
    }
  }

  @Test
  void wrongDeclarationsAreRefusedNamingTheField() {
    refuses(() -> Register.at("ODD", 2, 4), "register ODD: its offset", "0x2");
    refuses(() -> Register.at("THREE", 0, 3), "register THREE: its width", "3");
    refuses(() -> Register.at("A", 0, 1).reset(0x100), "register A: its reset value, 0x100");
    refuses(() -> Register.at("A", 0, 2).readWrite(0x1_0000), "A: its mask of RW bits, 0x10000");
    refuses(() -> Register.at("A", 0, 1).allReadWrite().writeOneToClear(2), "A: bits 0x2");
    refuses(
        () -> RegisterMap.of(0, Register.at("A", 4, 4), Register.at("B", 0, 8)),
        "BAR 0: registers B and A overlap at 0x4");
    refuses(
        () -> RegisterMap.of(0, Register.at("A", 4, 4), Register.at("A", 8, 4)), "two registers A");
    refuses(() -> model(RegisterMap.of(1, CONTROL)), "registers for BAR 1, and no such BAR");
    refuses(
        () -> model(RegisterMap.of(0, Register.at("FAR", 0x1000, 4))),
        "register FAR at 0x1000 is not in a trapped range of BAR 0 (4096 bytes)");
    refuses(
        () -> model(RegisterMap.of(0, CONTROL), RegisterMap.of(0, STATUS)),
        "two register maps for one BAR");
    FunctionDescription withTable =
        new FunctionDescription(
            TIMER.id(),
            TIMER.pciClass(),
            1,
            true,
            TIMER.bars(),
            new InterruptDescription(0, 0, Optional.of(new Msix(4, 0, 0x800, 0xc00))));
    refuses(
        () ->
            new RegisterModel(
                withTable, List.of(RegisterMap.of(0, Register.at("IN", 0x838, 8))), _ -> {}),
        "register IN at 0x838 of BAR 0 is in the MSI-X table");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                bus.plug(
                    "wrong",
                    new RegisterModel(
                        TIMER, List.of(RegisterMap.of(0, CONTROL)), device -> device.get(STATUS))))
        .withMessageContaining("simulated:wrong has no register STATUS");
  }

  private static DeviceModel model(RegisterMap... maps) {
    return new RegisterModel(TIMER, List.of(maps), _ -> {});
  }

  private static void refuses(Runnable declaration, String... words) {
    assertThatIllegalArgumentException()
        .isThrownBy(declaration::run)
        .satisfies(e -> assertThat(e.getMessage()).contains(words));
  }
}
