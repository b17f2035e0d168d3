package org.gatun.driver.nvme;

import java.time.Duration;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.NvmeModel;
import org.gatun.testkit.DiskChaosContract;

/** The driver on a disk with which all kinds of things go wrong. */
class NvmeDiskChaosTest extends DiskChaosContract {
  private static final Duration TIMEOUT = Duration.ofMillis(20);

  @Override
  protected DeviceModel model(long bytes) {
    return NvmeModel.builder().size(bytes).queues(2).build();
  }

  /** The controller's own, which it says in CAP.TO, and which a fault may have it say: all ones. */
  @Override
  protected Duration limit() {
    return Duration.ofMinutes(5);
  }

  @Override
  protected Disk open(PciDevice device, TimeSource time, boolean interrupts) {
    NvmeController controller =
        NvmeController.open(
            device,
            NvmeOptions.defaults()
                .withTime(time)
                .withQueueDepth(4)
                .withCommandTimeout(TIMEOUT)
                .withCompletion(interrupts ? Completion.INTERRUPT : Completion.POLL));
    NvmeDisk disk;
    try {
      if (controller.namespaces().isEmpty()) {
        throw new DeviceProtocolException(device.name(), "it has lost its namespace", null, null);
      }
      disk = controller.openDisk(1);
    } catch (RuntimeException e) {
      controller.close();
      throw e;
    }
    return new Disk(disk::read, disk::write, disk::flush, () -> close(disk, controller));
  }

  private static void close(NvmeDisk disk, NvmeController controller) {
    try (controller) {
      disk.close();
    }
  }
}
