package org.example.demoguest;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Random;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeDisk;
import org.gatun.driver.nvme.NvmeNamespace;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.driver.nvme.NvmeQueuePair;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.TimeSource;

/**
 * Writes random data to a disk, reads them back and compares, then reads here and there as fast as
 * it can. Standard output is where a guest answers: it has no files, and no network.
 */
final class DiskCheck implements Runnable {
  private static final int MIB = 1 << 20;
  private static final long LENGTH = 64L * MIB;

  /** Moved at a time. Memory for DMA comes from the grant, and there is no more than its quota. */
  private static final int CHUNK = 2 * MIB;

  private final PciDevice device;
  private final TimeSource time;

  /** Set by the thread that wants the device back. */
  private volatile boolean stopping;

  DiskCheck(PciDevice device, TimeSource time) {
    this.device = device;
    this.time = time;
  }

  /** Has the work end soon. Any thread. */
  void stop() {
    stopping = true;
  }

  @Override
  public void run() {
    // The host's time, so that it runs on the virtual time of a simulated bus, too.
    NvmeOptions options = NvmeOptions.defaults().withTime(time).withMaxQueues(1);
    // Closing the controller shuts the disk down, so that it loses nothing. The device is not
    // closed: it is the host's.
    try (NvmeController controller = NvmeController.open(device, options)) {
      identify(controller);
      compare(controller);
      measure(controller);
    }
    if (stopping) {
      System.out.println("The disk is wanted back before all is done.");
    }
  }

  private static void identify(NvmeController controller) {
    System.out.printf(
        "%s is a %s, serial number %s, firmware %s%n",
        controller.name(),
        controller.identity().modelNumber(),
        controller.identity().serialNumber(),
        controller.identity().firmwareRevision());
    for (NvmeNamespace namespace : controller.namespaces()) {
      System.out.printf(
          "  namespace %d: %d MiB, in blocks of %d bytes%n",
          namespace.id(), namespace.sizeBytes() / MIB, namespace.blockSize());
    }
    System.out.println();
  }

  /**
   * What was written or read.
   *
   * @param nanos spent in the driver and the device
   */
  private record Copy(String sha256, long nanos) {
    double mebibytesPerSecond() {
      return (double) LENGTH / MIB / (nanos / 1e9);
    }
  }

  private void compare(NvmeController controller) {
    Copy written;
    Copy read;
    try (NvmeDisk disk = controller.openDisk(1);
        DmaBuffer buffer = device.dma().allocate(CHUNK, 4096)) {
      written = write(disk, buffer);
      read = read(disk, buffer);
    }
    if (stopping) {
      return;
    }
    System.out.println("SHA-256 written    " + written.sha256);
    System.out.println("SHA-256 read back  " + read.sha256);
    if (!written.sha256.equals(read.sha256)) {
      throw new PciException(device.name(), "what was read is not what was written", null, null);
    }
    System.out.println("They are equal.");
    System.out.println();
    System.out.printf(
        "64 MiB written at %.0f MiB/s, read at %.0f MiB/s%n",
        written.mebibytesPerSecond(), read.mebibytesPerSecond());
  }

  private void measure(NvmeController controller) {
    try (DmaBuffer buffer = device.dma().allocate(RandomReads.DEPTH * RandomReads.BLOCK, 4096);
        NvmeQueuePair queue = controller.createQueuePair(RandomReads.DEPTH)) {
      new RandomReads(controller, queue, buffer, time).run(() -> stopping);
    }
  }

  private Copy write(NvmeDisk disk, DmaBuffer buffer) {
    Random random = new Random();
    byte[] chunk = new byte[CHUNK];
    MessageDigest sha256 = sha256();
    long nanos = 0;
    // It looks between its steps whether it is to stop: a disk is not left in the middle of one.
    for (long offset = 0; offset < LENGTH && !stopping; offset += CHUNK) {
      random.nextBytes(chunk);
      sha256.update(chunk);
      buffer.copyIn(0, chunk);
      long start = time.nanoTime();
      disk.write(offset, buffer, 0, CHUNK);
      nanos += time.nanoTime() - start;
    }
    return new Copy(HexFormat.of().formatHex(sha256.digest()), nanos);
  }

  private Copy read(NvmeDisk disk, DmaBuffer buffer) {
    byte[] chunk = new byte[CHUNK];
    MessageDigest sha256 = sha256();
    long nanos = 0;
    for (long offset = 0; offset < LENGTH && !stopping; offset += CHUNK) {
      long start = time.nanoTime();
      disk.read(offset, buffer, 0, CHUNK);
      nanos += time.nanoTime() - start;
      // Copied out once, and the copy is used: a device can change its memory at any time.
      buffer.copyOut(0, chunk);
      sha256.update(chunk);
    }
    return new Copy(HexFormat.of().formatHex(sha256.digest()), nanos);
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
