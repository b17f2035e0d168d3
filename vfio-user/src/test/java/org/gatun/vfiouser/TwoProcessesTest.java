package org.gatun.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.Vector;
import org.gatun.testkit.EduDeviceContract;
import org.gatun.testkit.PciDeviceContract;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The device is in one process, and its driver in another. */
@Timeout(120)
class TwoProcessesTest {
  @Nested
  class Specimen extends PciDeviceContract {
    private static ServingProcess server;

    @BeforeAll
    static void serve() {
      server = new ServingProcess("specimen");
    }

    @AfterAll
    static void stopServing() {
      server.close();
    }

    @Override
    protected PciDevice open() {
      return server.open();
    }
  }

  @Nested
  class Edu extends EduDeviceContract {
    private static ServingProcess server;

    @BeforeAll
    static void serve() {
      server = new ServingProcess("edu");
    }

    @AfterAll
    static void stopServing() {
      server.close();
    }

    @Override
    protected PciDevice open() {
      return server.open();
    }

    @Override
    protected EventProbe newEvent() {
      return new EventFdProbe();
    }
  }

  @Nested
  class NvmeWithSharedDoorbells extends PciDeviceContract {
    private static ServingProcess server;

    @BeforeAll
    static void serve() {
      server = new ServingProcess("nvme,size=1M,doorbells=shared");
    }

    @AfterAll
    static void stopServing() {
      server.close();
    }

    @Override
    protected PciDevice open() {
      return server.open();
    }
  }

  @Test
  @SuppressWarnings("try") // closing it is tested
  void aServerThatIsKilledIsADeviceThatIsGone() throws Exception {
    CompletableFuture<String> gone = new CompletableFuture<>();
    try (ServingProcess server = new ServingProcess("specimen");
        PciDevice device = server.open()) {
      device.onDetach(
          new DetachListener() {
            @Override
            public void requested(Duration deadline) {}

            @Override
            public void gone(String cause) {
              gone.complete(cause);
            }
          });
      Mmio registers = device.bars().getFirst().map(0, 4);
      Vector vector = device.interrupts().enable(Kind.MSIX, 1).getFirst();
      DmaBuffer buffer = device.dma().allocate(4096, 4096);
      server.kill();

      assertThat(gone.get(30, TimeUnit.SECONDS)).isNotBlank();
      assertThatExceptionOfType(DeviceGoneException.class).isThrownBy(() -> registers.read32(0));
      assertThatExceptionOfType(DeviceGoneException.class)
          .isThrownBy(() -> device.config().read16(0));
      assertThatExceptionOfType(DeviceGoneException.class)
          .isThrownBy(() -> device.dma().allocate(4096, 4096));
      assertThat(vector.poll()).isFalse();
      buffer.putInt(0, 7); // is memory of this process, still
      assertThat(buffer.getIntAcquire(0)).isEqualTo(7);
      device.close();
      assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
    }
  }
}
