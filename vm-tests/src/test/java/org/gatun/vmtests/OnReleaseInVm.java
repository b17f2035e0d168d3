package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.gatun.broker.GrantRefusedException;
import org.gatun.broker.config.BrokerConfig;
import org.gatun.broker.service.BrokerEvent;
import org.gatun.broker.service.BrokerService;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeDisk;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.driver.nvme.NvmeUnsupportedException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.spi.EraseMethod;
import org.gatun.vfio.VfioBackend;
import org.gatun.vfiouser.VfioUserBackend;
import org.gatun.vmtests.VfioDevices.Taken;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A disk behind VFIO goes from one guest to another, erased: for {@link OnReleaseTest}. */
@InVm
class OnReleaseInVm {
  private static final Duration PATIENCE = Duration.ofMinutes(2);

  /** The last chunk of the disk, besides the first. */
  private static final long LAST = OnReleaseTest.DISK_SIZE - DiskPattern.CHUNK;

  @RegisterExtension final VfioDevices devices = new VfioDevices();

  private final BlockingQueue<BrokerEvent> events = new LinkedBlockingQueue<>();
  private final DiskPattern pattern = new DiskPattern(5);

  private BrokerService start(String onRelease) throws IOException {
    Path folder = Files.createTempDirectory("broker");
    BrokerService service =
        BrokerService.open(
            BrokerConfig.parse(
                "policy",
                """
                policies: [{id: '1b36:0010', on-release: %s}]
                guests: [{name: one}, {name: two}]
                """
                    .formatted(onRelease)),
            new BrokerService.Folders(folder.resolve("run"), folder.resolve("state")),
            List.of(new VfioBackend()));
    service.listen(events::add);
    service.start();
    return service;
  }

  private <T extends BrokerEvent> T await(Class<T> kind) throws InterruptedException {
    while (true) {
      BrokerEvent event = events.poll(PATIENCE.toSeconds(), TimeUnit.SECONDS);
      assertThat(event).as(kind.getSimpleName()).isNotNull();
      if (kind.isInstance(event)) {
        return kind.cast(event);
      }
    }
  }

  /** What a guest does with its disk. */
  private interface Work {
    void on(NvmeDisk disk);
  }

  private static void drive(BrokerService service, int guest, Work work) {
    Path socket = service.guests().get(guest).directory().resolve("slot-0.0.sock");
    try (PciDevice granted =
            new VfioUserBackend().open(new DeviceName(VfioUserBackend.SCHEME, socket.toString()));
        NvmeController controller = NvmeController.open(granted, NvmeOptions.defaults());
        NvmeDisk disk = controller.openDisk(1)) {
      work.on(disk);
    }
  }

  private void write(Taken taken, NvmeDisk disk) {
    taken.markInUse();
    disk.write(0, pattern.at(0));
    disk.write(LAST, pattern.at(LAST));
    disk.flush();
  }

  private static byte[] read(NvmeDisk disk, long offset) {
    byte[] chunk = new byte[DiskPattern.CHUNK];
    disk.read(offset, chunk);
    return chunk;
  }

  private static void isZero(NvmeDisk disk) {
    for (long offset : new long[] {0, LAST}) {
      assertThat(
              ByteBuffer.wrap(read(disk, offset)).mismatch(ByteBuffer.allocate(DiskPattern.CHUNK)))
          .as("first byte that is not zero in the chunk at %d", offset)
          .isEqualTo(-1);
    }
  }

  @Test
  void isFormattedForTheNextGuest() throws Exception {
    Taken disk = devices.device("disk", "nvme").bind();
    try (BrokerService service = start("format")) {
      service.grant(disk.name(), "one");
      drive(service, 0, d -> write(disk, d));
      drive(service, 0, d -> pattern.check(LAST, ByteBuffer.wrap(read(d, LAST))));
      service.revoke(disk.name(), Duration.ZERO);
      assertThat(await(BrokerEvent.Erasing.class).method()).isEqualTo(EraseMethod.FORMAT);
      await(BrokerEvent.Erased.class);
      service.grant(disk.name(), "two");
      drive(service, 1, OnReleaseInVm::isZero);
    }
  }

  @Test
  void whatItCanNotDoIsSaidAndItIsKept() throws Exception {
    Taken disk = devices.device("disk", "nvme").bind();
    try (BrokerService service = start("sanitize")) {
      service.grant(disk.name(), "one");
      drive(service, 0, d -> write(disk, d));
      service.revoke(disk.name(), Duration.ZERO);
      assertThat(await(BrokerEvent.NotErased.class).reason())
          .startsWith(disk.name() + ": the controller has no Sanitize (SANICAP 0x00000000)");
      assertThatExceptionOfType(GrantRefusedException.class)
          .isThrownBy(() -> service.grant(disk.name(), "two"))
          .withMessageContaining("data of guest one may be on it");
      assertThatExceptionOfType(NvmeUnsupportedException.class)
          .isThrownBy(() -> service.erase(disk.name(), EraseMethod.SANITIZE));
      service.erase(disk.name(), EraseMethod.FORMAT);
      service.grant(disk.name(), "two");
      drive(service, 1, OnReleaseInVm::isZero);
    }
  }
}
