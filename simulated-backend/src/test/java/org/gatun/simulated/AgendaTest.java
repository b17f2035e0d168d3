package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PortIo;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.serial.UartRegisters;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What models do later: when, and that a driver can't have the bus keep ever more of it. */
class AgendaTest {
  private static final Duration MILLI = Duration.ofMillis(1);
  private static final Duration YEARS = Duration.ofDays(200_000);

  /** As {@link Agenda} promises, and with room for what the models have besides. */
  private static final int FEW = 300;

  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final ProbeModel probe = new ProbeModel();
  private final CountingModel model = new CountingModel(probe);
  private final List<String> done = new ArrayList<>();

  @AfterEach
  void close() {
    bus.close();
  }

  private Agenda agenda() {
    bus.plug("probe", model);
    return new Agenda(probe.running().context);
  }

  private Runnable does(String what) {
    return () -> done.add(what + " at " + bus.time().nanoTime());
  }

  private static Duration nanos(long count) {
    return Duration.ofNanos(count);
  }

  @Test
  void doesAllInTheirOrderAndNotBefore() {
    Agenda agenda = agenda();
    agenda.add(nanos(20), does("c"));
    agenda.add(nanos(10), does("a"));
    Agenda.Entry cancelled = agenda.add(nanos(10), does("nothing"));
    agenda.add(nanos(10), does("b"));
    agenda.add(Duration.ofHours(3), does("d"));
    cancelled.cancel();
    bus.time().sleep(nanos(9));
    assertThat(done).isEmpty();
    bus.time().sleep(nanos(11));
    assertThat(done).containsExactly("a at 10", "b at 10", "c at 20");
    bus.time().sleep(Duration.ofHours(4));
    assertThat(done).last().isEqualTo("d at " + Duration.ofHours(3).toNanos());
  }

  @Test
  void whatIsAddedMeanwhileIsDoneToo() {
    Agenda agenda = agenda();
    agenda.add(
        nanos(5),
        () -> {
          agenda.add(Duration.ZERO, does("at once"));
          agenda.add(nanos(1), does("soon"));
          done.add("first");
        });
    agenda.add(nanos(5), does("second"));
    bus.time().sleep(nanos(10));
    assertThat(done).containsExactly("first", "second at 5", "at once at 5", "soon at 6");
  }

  @Test
  void oneThatFailsDoesNotEndTheOthers() {
    Agenda agenda = agenda();
    agenda.add(
        nanos(5),
        () -> {
          throw new IllegalStateException("as told");
        });
    agenda.add(nanos(5), does("other"));
    assertThatIllegalStateException()
        .isThrownBy(() -> bus.time().sleep(nanos(10)))
        .withMessage("as told");
    bus.time().sleep(nanos(10));
    assertThat(done).hasSize(1);
  }

  @Test
  void whatIsCancelledIsNotKept() {
    Agenda agenda = agenda();
    for (int i = 0; i < 10_000; i++) {
      agenda.add(Duration.ofDays(300).minusNanos(i), does("later")).cancel();
      agenda.add(Duration.ofHours(300).minusNanos(i), does("sooner")).cancel();
    }
    assertThat(model.scheduled()).hasValueLessThan(FEW);
    for (int i = 0; i < 100; i++) {
      agenda.add(Duration.ofSeconds(40).minusMillis(i), does(""));
    }
    assertThat(model.scheduled()).as("each before the others").hasValueLessThan(FEW);
    agenda.clear();
    bus.time().sleep(Duration.ofMinutes(1));
    assertThat(model.scheduled()).hasValue(0);
    assertThat(done).isEmpty();
  }

  @Test
  void neverIsPossible() {
    Agenda agenda = agenda();
    agenda.add(YEARS, does("never")).cancel();
    agenda.add(nanos(Long.MAX_VALUE), does("never"));
    assertThat(model.scheduled()).hasValue(0);
    bus.time().sleep(Duration.ofDays(1));
    assertThat(done).isEmpty();
  }

  @Test
  void abortedCommandsAreNotKept() {
    CountingModel disk =
        new CountingModel(NvmeModel.builder().size(1 << 20).latency(Duration.ofHours(1)).build());
    abortMany(disk);
    assertThat(disk.scheduled()).hasValueLessThan(10);
    bus.unplug(DeviceName.parse("simulated:disk"));
    bus.time().sleep(Duration.ofMinutes(1));
    assertThat(disk.scheduled()).hasValue(0);
  }

  @Test
  void commandsThatAreHeldAreNotKept() {
    CountingModel disk =
        new CountingModel(NvmeModel.builder().size(1 << 20).fault(NvmeFault.HOLD).build());
    abortMany(disk);
    assertThat(disk.scheduled()).hasValue(0);
  }

  private void abortMany(CountingModel disk) {
    RawNvme nvme = new RawNvme(bus.open(bus.plug("disk", disk)));
    nvme.enable();
    RawNvme.Queue queue = nvme.createQueue(1);
    DmaBuffer data = nvme.device.dma().allocate(4096, 4096);
    for (int i = 0; i < 1_000; i++) {
      int id = queue.put(NvmOpcode.READ, 1, data.busAddress(), 0, 0, 0, 0);
      queue.ring();
      int dword10 = AdminCommand.abortDword10(1, id);
      assertThat(nvme.admin.run(AdminOpcode.ABORT, 0, 0, 0, dword10, 0, 0).dword0()).isZero();
      queue.take();
    }
  }

  @Test
  void aSerialPortThatIsWrittenToInALoopIsNotKeptUpWith() {
    SerialEnd loop = SerialEnd.loop();
    CountingModel serial = new CountingModel(new SerialModel(loop));
    PciDevice device = bus.open(bus.plug("serial", serial));
    PortIo uart = device.bar(UartRegisters.BAR).orElseThrow().ports();
    for (int i = 0; i < 10_000; i++) {
      uart.write8(UartRegisters.MODEM_CONTROL, i & 3);
      loop.send(i & 0xff, 0);
    }
    assertThat(serial.scheduled()).as("signals and characters").hasValueLessThan(FEW);
    uart.write8(UartRegisters.MODEM_CONTROL, UartRegisters.MCR_DTR);
    bus.time().sleep(MILLI);
    assertThat(uart.read8(UartRegisters.MODEM_STATUS) & 0xf0)
        .as("the newest")
        .isEqualTo(UartRegisters.MSR_DSR | UartRegisters.MSR_DCD);

    for (int i = 0; i < 1_000; i++) {
      slow(uart);
      uart.write8(UartRegisters.TRANSMITTER_HOLDING, 'x');
      loop.send('y', 0);
      bus.time().sleep(nanos(1));
      device.reset();
    }
    assertThat(serial.scheduled()).as("what ends with a reset").hasValueLessThan(FEW);
    bus.unplug(device.name());
    bus.time().sleep(Duration.ofMinutes(1));
    assertThat(serial.scheduled()).hasValue(0);
  }

  /** With FIFOs, and characters of seconds. */
  private static void slow(PortIo uart) {
    uart.write8(UartRegisters.LINE_CONTROL, UartRegisters.LCR_DIVISOR_LATCH);
    uart.write8(UartRegisters.DIVISOR_HIGH, 0xff);
    uart.write8(UartRegisters.LINE_CONTROL, 3);
    uart.write8(UartRegisters.FIFO_CONTROL, UartRegisters.FCR_ENABLE);
  }
}
