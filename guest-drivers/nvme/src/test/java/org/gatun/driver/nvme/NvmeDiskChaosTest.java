package org.gatun.driver.nvme;

import java.time.Duration;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.NvmeModel;
import org.gatun.testkit.DiskChaosContract;

/** The driver on a disk with which all kinds of things go wrong. */
class NvmeDiskChaosTest extends DiskChaosContract {
  private static final Duration TIMEOUT = Duration.ofMillis(20);
  private static final int BLOCK = 512;

  @Override
  protected DeviceModel model(long bytes) {
    return NvmeModel.builder().size(bytes).queues(2).build();
  }

  /**
   * Abort, deletion of the queues, and a reset of the controller, which takes as long as opening:
   * what a fault has made of the controller's own time, CAP.TO, when it was opened, holds.
   */
  @Override
  protected Duration limit() {
    return openingLimit();
  }

  /** Twice what the driver gives a controller that says, as a fault may have it say, hours. */
  @Override
  protected Duration openingLimit() {
    return Duration.ofMinutes(11);
  }

  private record Queue(NvmeQueuePair pair, NvmeNamespace namespace) implements Requests {
    @Override
    public boolean submit(
        boolean write,
        long offset,
        DmaBuffer buffer,
        int bufferOffset,
        int length,
        Completed completed,
        long context) {
      long lba = offset / BLOCK;
      int blocks = length / BLOCK;
      NvmeCallback callback = completed::completed;
      return write
          ? pair.submitWrite(namespace, lba, blocks, buffer, bufferOffset, callback, context)
          : pair.submitRead(namespace, lba, blocks, buffer, bufferOffset, callback, context);
    }

    @Override
    public void ring() {
      pair.ring();
    }

    @Override
    public void await() {
      pair.await(TIMEOUT);
    }
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
    try {
      if (controller.namespaces().isEmpty()) {
        throw new DeviceProtocolException(device.name(), "it has lost its namespace", null, null);
      }
      NvmeDisk disk = controller.openDisk(1);
      NvmeQueuePair pair = controller.createQueuePair(4);
      return new Disk(
          disk::read,
          disk::write,
          new Queue(pair, disk.namespace()),
          disk::flush,
          () -> close(disk, pair, controller));
    } catch (RuntimeException e) {
      controller.close();
      throw e;
    }
  }

  private static void close(NvmeDisk disk, NvmeQueuePair pair, NvmeController controller) {
    try (controller;
        disk;
        pair) {
      // In the reverse order.
    }
  }
}
