package org.gatun.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBus;
import org.gatun.vfio.common.Vfio;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a device's owner says reaches the clients, by the error and the request interrupt. */
@Timeout(60)
class NotificationTest {
  private static final Duration LIMIT = Duration.ofSeconds(10);
  private static final int TRIGGER = RawClient.DATA_EVENTFD | RawClient.ACTION_TRIGGER;

  private final SimulatedBus bus = SimulatedBus.realTime();
  private final PciDevice owned = bus.open(bus.plug("edu"));
  private final List<DetachListener> listeners = new CopyOnWriteArrayList<>();
  private final PciDevice served = overheard();
  private final BlockingQueue<String> heard = new LinkedBlockingQueue<>();

  @AfterEach
  void close() {
    owned.close();
    bus.close();
  }

  /** The device, with whom it would tell of its owner's wishes kept by the test. */
  private PciDevice overheard() {
    return (PciDevice)
        Proxy.newProxyInstance(
            PciDevice.class.getClassLoader(),
            new Class<?>[] {PciDevice.class},
            (_, method, arguments) -> {
              if (method.getName().equals("onDetach")) {
                listeners.add((DetachListener) arguments[0]);
              }
              try {
                return method.invoke(owned, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  private void listen(PciDevice device) {
    device.onDetach(
        new DetachListener() {
          @Override
          public void requested(Duration deadline) {
            heard.add("requested");
          }

          @Override
          public void gone(String cause) {
            heard.add("gone");
          }
        });
  }

  @Test
  void theOwnerWantsItBack() throws InterruptedException {
    UnixSocket.Pair pair = UnixSocket.pair();
    try (DeviceExport _ = DeviceExport.serve(served, pair.first(), ExportOptions.DEFAULT);
        PciDevice device = new VfioUserBackend().open(served.name(), pair.second())) {
      listen(device);
      listeners.forEach(listener -> listener.requested(LIMIT));
      assertThat(heard.poll(30, TimeUnit.SECONDS)).isEqualTo("requested");
      assertThat(device.config().read16(0)).as("still its client's").isEqualTo(0x1234);
    }
  }

  @Test
  void itIsUnplugged() throws InterruptedException {
    UnixSocket.Pair pair = UnixSocket.pair();
    try (DeviceExport export = DeviceExport.serve(served, pair.first(), ExportOptions.DEFAULT);
        PciDevice device = new VfioUserBackend().open(served.name(), pair.second())) {
      listen(device);
      bus.unplug(owned.name());
      assertThat(heard.poll(30, TimeUnit.SECONDS)).isEqualTo("gone");
      assertThat(export.awaitEnd(LIMIT)).isTrue();
      assertThatThrownBy(() -> device.config().read16(0)).isInstanceOf(DeviceGoneException.class);
    }
  }

  /** By the eventfds that a client of another make gave. */
  @RepeatedTest(20) // the last ones race with the end
  void byInterrupts() {
    UnixSocket.Pair pair = UnixSocket.pair();
    try (EventFd error = EventFd.create("error");
        EventFd request = EventFd.create("request");
        DeviceExport _ = DeviceExport.serve(served, pair.first(), ExportOptions.DEFAULT);
        RawClient client = RawClient.greeted(pair.second())) {
      set(client, Vfio.PCI_ERR_IRQ_INDEX, error);
      set(client, Vfio.PCI_REQ_IRQ_INDEX, request);
      listeners.forEach(listener -> listener.requested(LIMIT));
      assertThat(request.await(LIMIT)).isEqualTo(1);
      assertThat(error.take()).isZero();
      listeners.forEach(listener -> listener.gone("the test says so"));
      assertThat(error.await(LIMIT)).isEqualTo(1);
      assertThat(request.take()).isZero();
    }
  }

  private static void set(RawClient client, int index, EventFd event) {
    assertThat(
            client.errno(RawPeer.DEVICE_SET_IRQS, RawClient.irqs(TRIGGER, index, 0, 1), event.fd()))
        .isZero();
  }
}
