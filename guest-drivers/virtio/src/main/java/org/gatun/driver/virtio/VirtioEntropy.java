package org.gatun.driver.virtio;

import java.time.Duration;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DeviceTimeoutException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.specs.virtio.VirtioType;

/**
 * A source of entropy (Virtual I/O Device, Version 1.2, 5.4). Errors as for {@link VirtioDisk}.
 * Used by one thread at a time, except for {@link #close}.
 */
public final class VirtioEntropy implements AutoCloseable {
  private static final int MOST = 4096;

  private final Transport transport;
  private final Virtqueue queue;
  private final DmaBuffer buffer;

  private VirtioEntropy(Transport transport, Virtqueue queue, DmaBuffer buffer) {
    this.transport = transport;
    this.queue = queue;
    this.buffer = buffer;
  }

  /**
   * Makes the device ready.
   *
   * @param device stays the caller's, who closes it after this
   * @throws IllegalArgumentException if the device lacks the interrupts that the options ask for
   * @throws DeviceProtocolException if it is no such device, or does not behave like one
   * @throws DeviceTimeoutException if it does not become reset
   * @throws org.gatun.pci.DmaException if there is no DMA memory for it
   * @throws org.gatun.pci.DeviceGoneException if it is closed, or gone
   */
  public static VirtioEntropy open(PciDevice device, VirtioOptions options) {
    Transport transport = Transport.open(device, VirtioType.ENTROPY, options, 0, 1);
    try {
      Virtqueue queue = transport.queue(0, 1);
      DmaBuffer buffer = transport.allocate(MOST, MOST);
      transport.start();
      return new VirtioEntropy(transport, queue, buffer);
    } catch (RuntimeException | Error e) {
      transport.closeAfter(e);
      throw e;
    }
  }

  /** Its name. */
  public DeviceName name() {
    return transport.name();
  }

  /**
   * Fills an array with what the device gives.
   *
   * @throws DeviceTimeoutException if it takes longer for 4096 bytes than the options say, however
   *     few it gives at a time, or if the thread is interrupted: it is to be closed then
   */
  public void fill(byte[] target) {
    for (int done = 0; done < target.length; done += MOST) {
      fill(target, done, Math.min(target.length, done + MOST));
    }
  }

  private void fill(byte[] target, int from, int end) {
    TimeSource time = transport.time();
    long deadline = time.nanoTime() + TimeSource.saturatedNanos(transport.timeout());
    for (int done = from; done < end; ) {
      done += give(target, done, end - done, Duration.ofNanos(deadline - time.nanoTime()));
    }
  }

  /** One request, for as much as is wanted; the device may give less (5.4.6.1). */
  private int give(byte[] target, int offset, int wanted, Duration left) {
    if (queue.inFlight() > 0) {
      throw new IllegalStateException(
          name() + ": an earlier request has not ended: close this, and open it anew");
    }
    if (left.isNegative()) {
      throw transport.timedOut("giving " + wanted + " bytes");
    }
    int slot = queue.acquire();
    queue.buffer(slot, 0, buffer.busAddress(), wanted, true);
    queue.submit(slot, 1);
    queue.ring();
    if (!transport.await(queue, left)) {
      throw transport.timedOut("giving " + wanted + " bytes");
    }
    queue.release(queue.take());
    long given = queue.usedLength();
    if (given < 1 || given > wanted) {
      throw transport.protocol(
          "it has given %d bytes of %d that it was asked for".formatted(given, wanted));
    }
    byte[] bytes = new byte[(int) given];
    buffer.copyOut(0, bytes);
    System.arraycopy(bytes, 0, target, offset, bytes.length);
    return bytes.length;
  }

  /**
   * Resets the device, and gives its memory back. Idempotent; the {@link PciDevice} stays open.
   *
   * @throws org.gatun.pci.PciException if the device could be neither reset nor kept from memory:
   *     its memory stays then until the {@link PciDevice} is closed. Or if something else has
   *     failed, after all was given back
   */
  @Override
  public void close() {
    transport.close();
  }
}
