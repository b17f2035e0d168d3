package org.gatun.broker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DetachListener.RecoveryStep;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.SpecimenModel;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class RecoveryTest {
  private static final Duration LIMIT = Duration.ofMillis(500);

  private final SimulatedBus bus = SimulatedBus.realTime();
  private final Broker broker = new Broker(List.of(bus), LIMIT);
  private final DeviceName name = bus.plug("device", new SpecimenModel());
  private final BlockingQueue<String> heard = new LinkedBlockingQueue<>();
  private final CountDownLatch closed = new CountDownLatch(1);

  RecoveryTest() {
    broker.seize(name);
    broker.listen(
        (grant, from, to) -> {
          if (to == GrantState.CLOSED) {
            closed.countDown();
          }
        });
  }

  @AfterEach
  void close() {
    broker.close();
    bus.close();
  }

  @Test
  void aDriverThatGoesAlongKeepsItsDevice() throws InterruptedException {
    PciDevice device = connect();
    device.config().write8(ConfigRegisters.CACHE_LINE_SIZE, 8);
    device.busMaster(true);
    device.onDetach(listener(step -> true));

    for (int i = 0; i < 2; i++) {
      bus.reportError(name);

      for (RecoveryStep step : RecoveryStep.values()) {
        assertThat(heard.poll(10, TimeUnit.SECONDS)).isEqualTo(step.name());
      }
      assertThat(device.config().read8(ConfigRegisters.CACHE_LINE_SIZE)).as("was reset").isZero();
      assertThat(broker.grants()).hasSize(1);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aDriverThatGivesUpLosesIt(RecoveryStep last) throws InterruptedException {
    PciDevice device = connect();
    device.onDetach(listener(step -> step != last));

    bus.reportError(name);

    assertThat(closed.await(10, TimeUnit.SECONDS)).isTrue();
    assertThatThrownBy(device::config).isInstanceOf(DeviceGoneException.class);
    assertThat(heard).contains(last.name());
    assertThat(broker.devices().getFirst().quarantine()).isEmpty();
  }

  @Test
  void aDriverThatDoesNotAnswerLosesIt() throws InterruptedException {
    PciDevice device = connect();
    CountDownLatch never = new CountDownLatch(1);
    device.onDetach(
        listener(
            step -> {
              try {
                never.await();
              } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
              }
              return true;
            }));

    bus.reportError(name);

    assertThat(closed.await(10, TimeUnit.SECONDS)).isTrue();
    assertThatThrownBy(device::config).isInstanceOf(DeviceGoneException.class);
    never.countDown();
  }

  @Test
  void aGuestThatDoesNotListenLosesIt() throws InterruptedException {
    PciDevice device = connect();

    bus.reportError(name);

    assertThat(closed.await(10, TimeUnit.SECONDS)).isTrue();
    assertThatThrownBy(device::config).isInstanceOf(DeviceGoneException.class);
  }

  private PciDevice connect() {
    return broker
        .grant("guest", Quota.DEFAULT, List.of(DeviceRequest.of(name)))
        .connect()
        .getFirst();
  }

  private interface Answer {
    boolean to(RecoveryStep step);
  }

  private DetachListener listener(Answer answer) {
    return new DetachListener() {
      @Override
      public void requested(Duration deadline) {}

      @Override
      public void gone(String cause) {}

      @Override
      public boolean recover(RecoveryStep step) {
        heard.add(step.name());
        return answer.to(step);
      }
    };
  }
}
