package org.gatun.cli;

import java.time.Duration;
import java.util.function.Supplier;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.pci.DetachListener;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.TimeSource;
import org.jspecify.annotations.Nullable;

/**
 * A device that a command has open, and lets go of before it is done if it has to: when the device
 * is wanted back, when it is gone, and when the process is told to end. The command looks between
 * its steps, and then closes all in the usual order, so that a disk is shut down and loses nothing.
 * Any thread.
 */
final class HeldDevice implements AutoCloseable {
  /** For closing, before a device is taken by force. */
  private static final Duration MARGIN = Duration.ofSeconds(1);

  private final PciDevice device;
  private final TimeSource time;
  private final Runnable afterClose;
  private final Interruption interruption;
  private volatile @Nullable NvmeController controller;
  private volatile @Nullable Supplier<PciException> taken;
  private volatile long deadline;

  private HeldDevice(
      PciDevice device, TimeSource time, Runnable afterClose, Interruption interruption) {
    this.device = device;
    this.time = time;
    this.afterClose = afterClose;
    this.interruption = interruption;
  }

  /** Takes a device over, and closes it if that fails. */
  static HeldDevice of(PciDevice device, Interruption interruption) {
    return of(device, TimeSource.system(), () -> {}, interruption);
  }

  /**
   * As {@link #of(PciDevice, Interruption)}.
   *
   * @param time clock and waits for drivers of the device
   * @param afterClose what is to be done when the command has closed it
   */
  static HeldDevice of(
      PciDevice device, TimeSource time, Runnable afterClose, Interruption interruption) {
    HeldDevice held = new HeldDevice(device, time, afterClose, interruption);
    try {
      device.onDetach(held.new Listener());
      interruption.guard(held::abandon);
      return held;
    } catch (RuntimeException e) {
      device.close();
      throw e;
    }
  }

  PciDevice device() {
    return device;
  }

  /** Clock and waits for its driver. */
  TimeSource time() {
    return time;
  }

  /**
   * Brings it up as an NVMe controller, which is shut down when the process has to end even if the
   * command is stuck then, reading from a pipe for instance. The caller closes it.
   */
  NvmeController openNvme(NvmeOptions options) {
    NvmeController opened = NvmeController.open(device, options.withTime(time));
    controller = opened;
    return opened;
  }

  /** Whether the command has to let go of it. */
  boolean isWanted() {
    return interruption.isRequested() || taken != null;
  }

  /**
   * To be called between the steps of a command.
   *
   * @throws PciException if the command has to let go of it, saying why
   */
  void check() {
    if (interruption.isRequested()) {
      throw new PciException(device.name(), "interrupted before all was done", null, null);
    }
    Supplier<PciException> reason = taken;
    if (reason != null) {
      throw reason.get();
    }
  }

  /**
   * As {@link #check}, for a command that passes the wish on: who wants the device back is not let
   * wait longer than he said.
   *
   * @throws PciException if the device is gone, or the time to let go of it is nearly over
   */
  void checkDeadline() {
    Supplier<PciException> reason = taken;
    if (reason != null && System.nanoTime() - deadline >= 0) {
      throw reason.get();
    }
  }

  /** Closes it for a command that is stuck: from another thread. */
  void abandon() {
    NvmeController opened = controller;
    try {
      if (opened != null) {
        opened.close();
      }
    } finally {
      device.close();
    }
  }

  @Override
  public void close() {
    try {
      device.close();
    } finally {
      afterClose.run();
    }
  }

  private final class Listener implements DetachListener {
    @Override
    public void requested(Duration limit) {
      Duration time = limit.minus(MARGIN);
      deadline = System.nanoTime() + (time.isNegative() ? 0 : time.toNanos());
      taken =
          () ->
              new PciException(
                  device.name(),
                  "the device was wanted back before all was done",
                  "see who unbinds or removes it, and start again",
                  null);
    }

    @Override
    public void gone(String cause) {
      deadline = System.nanoTime();
      taken = () -> new PciException(device.name(), "the device is gone: " + cause, null, null);
    }
  }
}
