package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.gatun.broker.Broker;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.Quota;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.vfio.VfioBackend;
import org.gatun.vmtests.VfioDevices.Taken;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The kernel wants a device back that the broker has granted: for {@link BrokerTest}. */
@InVm
class WantedBackInVm {
  private static final Path DRIVER = Path.of("/sys/bus/pci/drivers/vfio-pci");

  @RegisterExtension final VfioDevices devices = new VfioDevices();

  @Test
  void theGuestIsAskedAndTheBrokerLetsGo() throws Exception {
    Taken edu = devices.device("edu").bind();
    CountDownLatch asked = new CountDownLatch(1);
    try (Broker broker = new Broker(List.of(new VfioBackend()))) {
      broker.seize(edu.name());
      PciDevice device =
          broker
              .grant("guest", Quota.DEFAULT, List.of(DeviceRequest.of(edu.name())))
              .connect()
              .getFirst();
      device.onDetach(
          new DetachListener() {
            @Override
            public void requested(Duration deadline) {
              asked.countDown();
              device.close();
            }

            @Override
            public void gone(String cause) {}
          });

      // It waits until nobody has the device.
      FutureTask<Path> unbinding =
          new FutureTask<>(
              () -> Files.writeString(DRIVER.resolve("unbind"), edu.address().toString()));
      Thread.ofPlatform().daemon().start(unbinding);

      assertThat(asked.await(1, TimeUnit.MINUTES)).as("the guest is asked").isTrue();
      unbinding.get(1, TimeUnit.MINUTES);
      assertThat(edu.sysfs().driver()).isEmpty();
      assertThat(
              TimeSource.system()
                  .await(
                      () -> broker.devices().isEmpty(),
                      Duration.ofMinutes(1),
                      Duration.ofMillis(10)))
          .as("the broker does not have it: %s", broker.devices())
          .isTrue();
      assertThatExceptionOfType(DeviceGoneException.class).isThrownBy(device::config);
    }
    Files.writeString(DRIVER.resolve("bind"), edu.address().toString());
  }
}
