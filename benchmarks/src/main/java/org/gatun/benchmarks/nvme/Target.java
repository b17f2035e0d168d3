package org.gatun.benchmarks.nvme;

import java.util.List;
import org.gatun.benchmarks.Peer;
import org.gatun.broker.Broker;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.Quota;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeDisk;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBus;
import org.gatun.vfiouser.VfioUserBackend;

/**
 * An NVMe device whose namespace 1 holds the number of each block of 4 KiB in the block, and memory
 * to read it into. What drives it comes and goes: the device, its connection, and the memory are
 * the same for each.
 */
final class Target implements AutoCloseable {
  /** What is read by one command, in bytes. */
  static final int BLOCK = 4096;

  /** There is a page of memory for so many commands in flight, on all queues together. */
  static final int MAX_IN_FLIGHT = 1024;

  /** The model that is driven, as {@code gatun} names it. */
  static final String MODEL = "nvme,doorbells=shared";

  private static final int FILL_BLOCKS = 32;

  private final PciDevice device;

  /** Closes what the device is of. */
  private final Runnable owner;

  private final DmaBuffer data;
  private final int blocks;
  private final int blockSize;

  private Target(PciDevice device, Runnable owner) {
    this.device = device;
    this.owner = owner;
    this.data = device.dma().allocate((long) MAX_IN_FLIGHT * BLOCK, BLOCK);
    try (NvmeController controller = NvmeController.open(device, NvmeOptions.defaults());
        NvmeDisk disk = controller.openDisk(1)) {
      blocks = (int) Math.min(1 << 30, Long.highestOneBit(disk.namespace().sizeBytes() / BLOCK));
      blockSize = disk.namespace().blockSize();
      fill(disk);
    }
  }

  /** A device on a bus in this process, whose doorbells a thread of this process polls. */
  static Target simulated() {
    SimulatedBus bus = SimulatedBus.realTime();
    return new Target(bus.open(bus.plug(MODEL)), bus::close);
  }

  /** The same, through a broker's grant. */
  static Target granted() {
    SimulatedBus bus = SimulatedBus.realTime();
    Broker broker = new Broker(List.of(bus));
    DeviceName name = bus.plug(MODEL);
    broker.seize(name);
    PciDevice device =
        broker.grant("guest", Quota.DEFAULT, List.of(DeviceRequest.of(name))).connect().getFirst();
    return new Target(
        device,
        () -> {
          broker.close();
          bus.close();
        });
  }

  /** The same, of another JVM that serves it by vfio-user. */
  static Target served() {
    Peer peer = Peer.serving(MODEL);
    return new Target(new VfioUserBackend().open(peer.device()), peer::close);
  }

  /** A device that somebody serves by vfio-user, who goes on when this is closed. */
  static Target at(DeviceName name) {
    return new Target(new VfioUserBackend().open(name), () -> {});
  }

  PciDevice device() {
    return device;
  }

  /** Pages for {@link #MAX_IN_FLIGHT} commands. */
  DmaBuffer data() {
    return data;
  }

  /** How many blocks of 4 KiB are read: a power of two. */
  int blocks() {
    return blocks;
  }

  /** How many logical blocks there are in {@link #BLOCK}. */
  int lbas() {
    return BLOCK / blockSize;
  }

  /**
   * Looks whether what was read is what was asked for.
   *
   * @param page of the data
   * @param block that was read there last
   */
  void check(int page, long block) {
    long found = data.getLongAcquire((long) page * BLOCK);
    if (found != mark(block)) {
      throw new IllegalStateException(
          "block %d was read, and it holds %#x, not %#x".formatted(block, found, mark(block)));
    }
  }

  private void fill(NvmeDisk disk) {
    for (int block = 0; block < blocks; block += FILL_BLOCKS) {
      for (int i = 0; i < FILL_BLOCKS; i++) {
        data.putLong((long) i * BLOCK, mark(block + i));
      }
      disk.write((long) block * BLOCK, data, 0, (long) FILL_BLOCKS * BLOCK);
    }
  }

  /** Not zero, which is what a block holds that was never written. */
  private static long mark(long block) {
    return block + 1;
  }

  @Override
  public void close() {
    try (device;
        data) {
      // The memory is the device's.
    } finally {
      owner.run();
    }
  }
}
