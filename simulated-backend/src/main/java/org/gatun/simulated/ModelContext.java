package org.gatun.simulated;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.fault.Effect;
import org.jspecify.annotations.Nullable;

/** What a device gets from the bus that it is plugged into. Any thread. */
public interface ModelContext {
  /** The name of the device, for messages. */
  DeviceName name();

  /** A new way to the host's memory, through the IOMMU. */
  DmaPort newDmaPort();

  /**
   * Has the IOMMU tell of a DMA access that it is said to have refused: for faults.
   *
   * @param busAddress the first byte that was refused
   * @param size in bytes, of what was refused
   */
  void refuseDma(long busAddress, long size, DmaDirection direction);

  /** The link of the device: for faults. */
  Link link();

  /**
   * What is to go wrong with a command that the device has taken; to be asked for once for each, by
   * models whose commands can go wrong.
   *
   * @param command its key: see {@link org.gatun.simulated.fault.Point#COMMAND}
   * @return null if nothing; of others, what is no concern of the device has happened already
   */
  default @Nullable Effect faultOf(long command) {
    return null;
  }

  /**
   * Whether the host enabled MSI or MSI-X: then {@link #signal} counts, else {@link
   * #setInterruptLine}.
   */
  boolean hasMessageInterrupts();

  /**
   * Sends a message-signalled interrupt. Nothing arrives if none is enabled, or if bus master is
   * off.
   *
   * @param vector from 0. Where the host enabled fewer MSI vectors, the low bits count; of MSI-X, a
   *     vector that the table lacks is ignored
   */
  void signal(int vector);

  /**
   * Sets the level of the interrupt pin: on is asserted. It counts while there are no messages, and
   * so from when the host disables them, too.
   */
  void setInterruptLine(boolean on);

  /**
   * Shows in the status registers that the device answers an access of its registers with a target
   * abort, which PCI Express calls Completer Abort (PCI Express Base Specification 5.0, 2.3.1): one
   * that breaks the device's own rules. The model itself gives all ones, or drops what was written.
   *
   * @param write whether it is a write
   */
  void targetAbort(boolean write);

  /**
   * Signals the events of the driver's that {@link #signal} and {@link #setInterruptLine} left to
   * be signalled; to be called with no lock of the model's held, since an event is code of the
   * driver's and may block. The bus does it after each call of the model and each scheduled action:
   * only a thread of the model's own has to.
   */
  void signalEvents();

  /** Clock and waits of the bus. */
  TimeSource time();

  /**
   * Runs something later, in the bus's time: on a thread of the bus, or, in virtual time, on the
   * thread that lets time pass. Not at all if the bus is closed before. There is no way to cancel:
   * a model that was reset in between ignores the call. Where a driver can have any number of them
   * wait, an {@link Agenda} is to be used.
   *
   * @param delayNanos 0 or more
   */
  void schedule(long delayNanos, Runnable action);

  /** As {@link #schedule(long, Runnable)}, after any time that a duration can be. */
  default void schedule(Duration delay, Runnable action) {
    schedule(BusTime.nanos(delay), action);
  }

  /**
   * The memory behind a direct range of a BAR, zeroed, valid until the model is closed or reset: at
   * a reset it may have become another, so that somebody who was given the old one has nothing of
   * the device any more.
   *
   * @param offset where the range starts in the BAR
   * @throws IllegalArgumentException if no direct range starts there
   */
  MemorySegment sharedMemory(int bar, long offset);
}
