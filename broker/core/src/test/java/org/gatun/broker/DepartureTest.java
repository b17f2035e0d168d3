package org.gatun.broker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.ShutdownException;
import org.gatun.simulated.EduModel;
import org.gatun.simulated.SimulatedBus;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Devices that go: pulled out, or wanted back by the kernel, while the broker has them. */
@Timeout(60)
class DepartureTest {
  private static final Duration DEADLINE = Duration.ofSeconds(50);

  private final SimulatedBus bus = SimulatedBus.realTime();
  private final HookedBackend backend = new HookedBackend(bus);
  private final Broker broker = new Broker(List.of(backend));
  private final DeviceName edu = bus.plug("edu", new EduModel());
  private final CountDownLatch closed = new CountDownLatch(1);

  @AfterEach
  void close() {
    broker.close();
    bus.close();
  }

  @Test
  void aGuestIsAskedForWhatIsWantedBack() throws InterruptedException {
    Guest guest = new Guest(true);
    backend.listeners.getFirst().requested(DEADLINE);

    assertThat(guest.heard.take()).isEqualTo("requested in " + DEADLINE);
    assertThat(closed.await(30, TimeUnit.SECONDS)).isTrue();
    awaitNotTheBrokers();
    assertThatThrownBy(guest.device::config).isInstanceOf(DeviceGoneException.class);
    bus.open(edu).close();
  }

  @Test
  void whatWasPulledOutHasGoneForTheGuestToo() throws InterruptedException {
    Guest guest = new Guest(false);
    bus.unplug(edu);

    assertThat(guest.heard.take()).isEqualTo("gone: it was unplugged");
    assertThat(closed.await(30, TimeUnit.SECONDS)).isTrue();
    awaitNotTheBrokers();
    assertThatThrownBy(guest.device::config).isInstanceOf(DeviceGoneException.class);
    bus.plug("edu", new EduModel());
    broker.seize(edu);
    grant();
  }

  @Test
  void aDeviceThatComesBackWhileTheJvmShutsDownLeaves() {
    broker.seize(edu);
    Grant grant = grant();
    backend.onSeize(
        device -> {
          device.close();
          throw new ShutdownException(edu);
        });
    grant.revoke(Duration.ZERO);

    assertThat(broker.devices().getFirst().quarantine()).isEmpty();
    assertThatThrownBy(this::grant)
        .isInstanceOf(GrantRefusedException.class)
        .hasMessageContaining("shutting down");
    broker.release(edu);
    bus.open(edu).close();
  }

  @Test
  void theOtherDevicesStay() throws InterruptedException {
    DeviceName other = bus.plug("other", new EduModel());
    broker.seize(edu);
    broker.seize(other);
    Grant grant =
        broker.grant(
            "guest", Quota.DEFAULT, List.of(DeviceRequest.of(edu), DeviceRequest.of(other)));
    PciDevice stays = grant.connect().getLast();
    bus.unplug(edu);
    awaitNotTheBrokers();

    assertThat(stays.id().device()).isEqualTo(0x11e8);
    assertThat(grant.state()).isEqualTo(GrantState.CONNECTED);
    assertThat(grant.devices()).hasSize(1);
  }

  @Test
  void whatNobodyHasIsLetGoAtOnce() throws InterruptedException {
    broker.seize(edu);
    backend.listeners.getFirst().requested(DEADLINE);
    awaitNotTheBrokers();

    bus.open(edu).close();
  }

  @Test
  void afterARevocationItIsHeardOfStill() throws InterruptedException {
    broker.seize(edu);
    grant().revoke(Duration.ZERO);
    bus.unplug(edu);

    awaitNotTheBrokers();
  }

  private Grant grant() {
    Grant grant = broker.grant("guest", Quota.DEFAULT, List.of(DeviceRequest.of(edu)));
    grant.connect();
    return grant;
  }

  /** The broker does it on a thread of its own. */
  private void awaitNotTheBrokers() throws InterruptedException {
    while (broker.devices().stream().anyMatch(d -> d.name().equals(edu))) {
      Thread.sleep(1);
    }
  }

  /** Has the device, listens, and gives it back when it is asked to. */
  private final class Guest implements DetachListener {
    private final LinkedBlockingQueue<String> heard = new LinkedBlockingQueue<>();
    private final boolean gives;
    private final PciDevice device;

    Guest(boolean gives) {
      this.gives = gives;
      broker.seize(edu);
      broker.listen(
          (_, _, to) -> {
            if (to == GrantState.CLOSED) {
              closed.countDown();
            }
          });
      device = grant().devices().getFirst();
      device.onDetach(this);
    }

    @Override
    public void requested(Duration deadline) {
      heard.add("requested in " + deadline);
      if (gives) {
        device.close();
      }
    }

    @Override
    public void gone(String cause) {
      heard.add("gone: " + cause);
    }
  }
}
