package org.gatun.driver.virtio;

import java.time.Duration;
import org.gatun.pci.DeviceTimeoutException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.VirtioBlockModel;
import org.gatun.testkit.DiskChaosContract;

/** The driver on a disk with which all kinds of things go wrong. */
class VirtioDiskChaosTest extends DiskChaosContract {
  private static final Duration TIMEOUT = Duration.ofMillis(20);

  @Override
  protected DeviceModel model(long bytes) {
    return VirtioBlockModel.DEFAULT.withSize(bytes);
  }

  /** For a request, and then for a reset. */
  @Override
  protected Duration limit() {
    return TIMEOUT.multipliedBy(3);
  }

  private record Queue(VirtioDisk disk) implements Requests {
    @Override
    public boolean submit(
        boolean write,
        long offset,
        DmaBuffer buffer,
        int bufferOffset,
        int length,
        Completed completed,
        long context) {
      return write
          ? disk.submitWrite(offset, buffer, bufferOffset, length, completed::completed, context)
          : disk.submitRead(offset, buffer, bufferOffset, length, completed::completed, context);
    }

    @Override
    public void ring() {
      disk.ring();
    }

    @Override
    public void await() {
      if (disk.await(TIMEOUT) == 0) {
        throw new DeviceTimeoutException(disk.name(), "requests are not complete", null, null);
      }
    }
  }

  @Override
  protected Disk open(PciDevice device, TimeSource time, boolean interrupts) {
    VirtioDisk disk =
        VirtioDisk.open(
            device,
            VirtioOptions.defaults()
                .withTime(time)
                .withTimeout(TIMEOUT)
                .withCompletion(interrupts ? Completion.MSIX : Completion.POLL)
                .withQueueSize(8));
    return new Disk(disk::read, disk::write, new Queue(disk), disk::flush, disk::close);
  }
}
