package org.gatun.driver.edu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DeviceTimeoutException;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.PciId;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.EduModel;
import org.gatun.simulated.FunctionDescription;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.FunctionDescription.InterruptDescription;
import org.gatun.simulated.SimulatedBus;
import org.gatun.specs.edu.EduRegisters;
import org.gatun.testkit.Device;
import org.gatun.testkit.DeviceRoute;
import org.gatun.testkit.SimulatedPci;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The driver on devices that do not do what edu does. Time is virtual: no test waits. */
@SimulatedPci
class EduFaultsTest {
  private final SimulatedBus bus;
  private final EduOptions options;
  private final List<PciDevice> opened = new ArrayList<>();

  EduFaultsTest(SimulatedBus bus) {
    this.bus = bus;
    this.options = EduOptions.defaults().withTime(bus.time()).withTimeout(Duration.ofMillis(1500));
  }

  @AfterEach
  void nothingIsLeftOpen() {
    for (PciDevice device : opened) {
      assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
    }
  }

  private PciDevice plug(DeviceModel model) {
    PciDevice device = DeviceRoute.chosen(bus.open(bus.plug("faulty", model)));
    opened.add(device);
    return device;
  }

  private void refuses(DeviceModel model, String... words) {
    PciDevice device = plug(model);
    assertThatExceptionOfType(DeviceProtocolException.class)
        .isThrownBy(() -> EduDevice.open(device, options))
        .withMessageContainingAll(words)
        .withMessageContaining("simulated:faulty");
  }

  private static FunctionDescription described(PciId id, List<BarDescription> bars) {
    FunctionDescription edu = new EduModel().description();
    return new FunctionDescription(
        id,
        edu.pciClass(),
        edu.revision(),
        false,
        bars,
        new InterruptDescription(1, 1, Optional.empty()));
  }

  @Test
  void refusesOtherDevices() {
    FunctionDescription other =
        described(new PciId(0x8086, 0x10d3, 0, 0), new EduModel().description().bars());
    refuses(new FaultyEdu(other, (_, value) -> value), "8086:10d3", "1234:11e8");
  }

  @Test
  void refusesADeviceWithoutRegisters() {
    FunctionDescription edu = new EduModel().description();
    refuses(new FaultyEdu(described(edu.id(), List.of()), (_, value) -> value), "BAR 0");
  }

  @Test
  void refusesADeviceWithTooFewRegisters() {
    FunctionDescription edu = new EduModel().description();
    refuses(
        new FaultyEdu(
            described(edu.id(), List.of(BarDescription.trapped(0, 128, false))),
            (_, value) -> value),
        "BAR 0");
  }

  @Test
  void refusesAnotherIdentification() {
    refuses(FaultyEdu.at(EduRegisters.IDENTIFICATION, 0x010000ee), "0x010000ee");
  }

  @Test
  void refusesAllOnes() {
    refuses(FaultyEdu.lying((_, _) -> -1), "0xffffffff", "nothing answers");
  }

  @Test
  void refusesAnotherMajorVersion() {
    refuses(
        FaultyEdu.at(EduRegisters.IDENTIFICATION, EduRegisters.identification(2, 3)),
        "version 2.3",
        "1.x");
  }

  @Test
  void takesAnotherMinorVersion() {
    PciDevice device =
        plug(FaultyEdu.at(EduRegisters.IDENTIFICATION, EduRegisters.identification(1, 9)));
    try (EduDevice edu = EduDevice.open(device, options)) {
      assertThat(edu.version()).isEqualTo("1.9");
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 0x5aa5_0ff0L, 0xa55a_f00fL})
  void refusesADeviceThatDoesNotThink(long answer) {
    refuses(FaultyEdu.at(EduRegisters.LIVENESS, answer), "liveness");
  }

  @ParameterizedTest
  @EnumSource(names = "MSIX", mode = EnumSource.Mode.EXCLUDE)
  void aFactorialThatNeverEndsTimesOut(Completion completion) {
    AtomicBoolean stuck = new AtomicBoolean();
    PciDevice device =
        plug(
            FaultyEdu.lying(
                (offset, value) ->
                    offset == EduRegisters.STATUS && stuck.get()
                        ? value | EduRegisters.STATUS_COMPUTING
                        : value));
    try (EduDevice edu = EduDevice.open(device, options.withCompletion(completion))) {
      stuck.set(true);
      long start = bus.time().nanoTime();
      assertThatExceptionOfType(DeviceTimeoutException.class)
          .isThrownBy(() -> edu.factorial(5))
          .withMessageContaining("simulated:faulty")
          .withMessageContaining("factorial")
          .withMessageContaining("1500 ms");
      assertThat(Duration.ofNanos(bus.time().nanoTime() - start))
          .isBetween(Duration.ofMillis(1500), Duration.ofMillis(3001));

      stuck.set(false);
      assertThat(edu.factorial(5)).isEqualTo(120);
    }
  }

  @ParameterizedTest
  @EnumSource(names = "MSIX", mode = EnumSource.Mode.EXCLUDE)
  void aTransferThatNeverEndsTimesOut(Completion completion) {
    PciDevice device =
        plug(
            FaultyEdu.lying(
                (offset, value) ->
                    offset == EduRegisters.DMA_COMMAND && value != 0
                        ? value | EduRegisters.DMA_RUN
                        : value));
    try (EduDevice edu = EduDevice.open(device, options.withCompletion(completion))) {
      assertThatExceptionOfType(DeviceTimeoutException.class)
          .isThrownBy(() -> edu.roundTrip(new byte[16]))
          .withMessageContaining("DMA")
          .withMessageContaining("bus address 0x");
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"INTX", "MSI"})
  void anInterruptWithoutTheCauseIsNotTheOne(Completion completion) {
    PciDevice device =
        plug(
            FaultyEdu.lying(
                (offset, value) -> offset == EduRegisters.INTERRUPT_STATUS ? 0x40 : value));
    try (EduDevice edu = EduDevice.open(device, options.withCompletion(completion))) {
      assertThatExceptionOfType(DeviceTimeoutException.class)
          .isThrownBy(() -> edu.factorial(5))
          .withMessageContaining("the interrupt for the factorial of 5");
    }
  }

  @ParameterizedTest
  @EnumSource(names = "MSIX", mode = EnumSource.Mode.EXCLUDE)
  void aDeviceThatStopsAnsweringIsToldApart(Completion completion) {
    AtomicBoolean silent = new AtomicBoolean();
    PciDevice device = plug(FaultyEdu.lying((_, value) -> silent.get() ? -1 : value));
    try (EduDevice edu = EduDevice.open(device, options.withCompletion(completion))) {
      silent.set(true);

      assertThatExceptionOfType(DeviceProtocolException.class)
          .isThrownBy(() -> edu.factorial(5))
          .withMessageContaining("all ones");
      assertThatExceptionOfType(DeviceProtocolException.class)
          .isThrownBy(() -> edu.roundTrip(new byte[1]))
          .withMessageContaining("all ones");
    }
  }

  /** In real time a device may be done before anyone has to wait. */
  @Tag(DeviceRoute.VIRTUAL_TIME)
  @ParameterizedTest
  @EnumSource(names = "MSIX", mode = EnumSource.Mode.EXCLUDE)
  void anInterruptedThreadStopsWaiting(Completion completion, @Device("edu") PciDevice device) {
    try (EduDevice edu = EduDevice.open(device, options.withCompletion(completion))) {
      Thread.currentThread().interrupt();
      try {
        assertThatExceptionOfType(DeviceTimeoutException.class)
            .isThrownBy(() -> edu.factorial(5))
            .withMessageContaining("interrupted");
      } finally {
        assertThat(Thread.interrupted()).isTrue();
      }

      assertThat(edu.factorial(6)).as("what comes after").isEqualTo(720);
    }
  }
}
