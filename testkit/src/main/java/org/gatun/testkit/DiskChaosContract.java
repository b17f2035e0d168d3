package org.gatun.testkit;

import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.DeviceModel;

/**
 * What a driver of a disk survives: besides what all do, what was written is there, unless the
 * device itself has corrupted data.
 */
public abstract class DiskChaosContract extends ChaosContract {
  /** For those who say which driver, and which disk. */
  protected DiskChaosContract() {}

  /** Reads or writes. */
  @FunctionalInterface
  public interface Transfer {
    /** Moves whole blocks of 512 bytes. */
    void move(long offset, DmaBuffer buffer, int bufferOffset, int length);
  }

  /** Hears how a request ended. */
  @FunctionalInterface
  public interface Completed {
    /**
     * A request is complete.
     *
     * @param status 0 if it succeeded
     */
    void completed(long context, int status);
  }

  /** Requests, several at a time. */
  public interface Requests {
    /**
     * Submits one, of whole blocks of 512 bytes.
     *
     * @return false if there is no room for it now
     */
    boolean submit(
        boolean write,
        long offset,
        DmaBuffer buffer,
        int bufferOffset,
        int length,
        Completed completed,
        long context);

    /** Tells the disk of them. */
    void ring();

    /**
     * Waits for some to be complete.
     *
     * @throws org.gatun.pci.PciException if the driver has given up
     */
    void await();
  }

  /**
   * A disk, as its driver has it.
   *
   * @param flush has what was written stay
   */
  public record Disk(
      Transfer read, Transfer write, Requests requests, Runnable flush, Runnable close) {}

  /**
   * The disk.
   *
   * @param bytes its size, in memory, with blocks of 512 bytes
   */
  protected abstract DeviceModel model(long bytes);

  /**
   * Has a driver drive it.
   *
   * @param interrupts whether it waits for interrupts, instead of polling
   */
  protected abstract Disk open(PciDevice device, TimeSource time, boolean interrupts);

  @Override
  protected final Subject subject() {
    return new DiskSubject(this);
  }
}
