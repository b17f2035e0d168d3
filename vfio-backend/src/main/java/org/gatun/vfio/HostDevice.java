package org.gatun.vfio;

import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.Interrupts;
import org.gatun.pci.PciException;
import org.gatun.pci.ResetUnavailableException;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.spi.ResourceTracker;
import org.gatun.pci.spi.SeizedDevice;
import org.gatun.vfio.common.CommandRegister;
import org.gatun.vfio.common.VfioBar;
import org.gatun.vfio.common.VfioInterrupts;
import org.gatun.vfio.sysfs.SysfsDevice;
import org.jspecify.annotations.Nullable;

/** A device of this machine that is open in this process, and has to be closed before it ends. */
abstract sealed class HostDevice implements SeizedDevice permits VfioDevice, UnprotectedDevice {
  private static final System.Logger LOG = System.getLogger(HostDevice.class.getName());
  private static final int BARS = 6;

  private final DeviceName name;
  private final SysfsDevice sysfs;
  private final Parts parts;

  /** Held by what changes the command register or the state of the device, and by close. */
  private final ReentrantLock lock = new ReentrantLock();

  private volatile boolean closed;

  /** Why it is not proven, after closing, that it is clean and nobody else has it; see lock. */
  private Optional<String> unproven = Optional.empty();

  /**
   * What a device is made of.
   *
   * @param tracker of what is to be closed before the device
   */
  record Parts(
      ConfigSpace config,
      CommandRegister command,
      List<VfioBar> bars,
      VfioInterrupts interrupts,
      DmaSpace dma,
      ResourceTracker tracker) {
    Parts {
      bars = List.copyOf(bars);
    }
  }

  HostDevice(DeviceName name, SysfsDevice sysfs, Parts parts) {
    this.name = name;
    this.sysfs = sysfs;
    this.parts = parts;
  }

  /**
   * Asks those who listen for the device.
   *
   * @param deadline after which it is taken
   * @return whether anybody listens
   */
  abstract boolean requestBack(Duration deadline);

  abstract boolean isResettable();

  /**
   * Resets it, under the lock.
   *
   * @throws LinuxException if the kernel refuses
   */
  abstract void resetNow();

  /** As {@link #resetNow}, when it is closed. */
  void resetForClose() {
    resetNow();
  }

  /** Why there is no reset, and what to do. */
  abstract ResetUnavailableException noReset(@Nullable Exception cause);

  /**
   * Closes what is left, under the lock, when the device is stopped and nothing of it mapped.
   *
   * @return why it is not proven that nobody else has it
   */
  abstract Optional<String> closeRest();

  /** Waits for what may want the lock, after closing. */
  void awaitClosed() {}

  @Override
  public final DeviceName name() {
    return name;
  }

  @Override
  public final ConfigSpace config() {
    checkOpen("config");
    return parts.config;
  }

  @Override
  public final Optional<Bar> bar(int index) {
    if (index < 0 || index >= BARS) {
      throw new IllegalArgumentException(name + ": there is no BAR " + index + ", only 0 to 5");
    }
    checkOpen("bar");
    return parts.bars.stream().filter(bar -> bar.index() == index).map(Bar.class::cast).findFirst();
  }

  @Override
  public final DmaSpace dma() {
    checkOpen("dma");
    return parts.dma;
  }

  @Override
  public final Interrupts interrupts() {
    checkOpen("interrupts");
    return parts.interrupts;
  }

  @Override
  public final void busMaster(boolean on) {
    lock.lock();
    try {
      checkOpen("busMaster");
      parts.command.busMaster(on);
    } finally {
      lock.unlock();
    }
  }

  @Override
  public final void reset() {
    lock.lock();
    try {
      checkOpen("reset");
      if (!isResettable()) {
        throw noReset(null);
      }
      boolean wasBusMaster = parts.command.isBusMaster();
      parts.command.busMaster(false);
      try {
        resetNow();
      } catch (LinuxException e) {
        parts.command.busMaster(wasBusMaster);
        throw switch (e.errno()) {
          case ENOTTY, EINVAL, EOPNOTSUPP -> noReset(e);
          default ->
              new PciException(name, "reset: " + e.getMessage(), "the kernel's log may say why", e);
        };
      }
      parts.interrupts.disable();
      parts.command.settle();
    } finally {
      lock.unlock();
    }
  }

  @Override
  public final void decode(boolean on) {
    lock.lock();
    try {
      checkOpen("decode");
      try {
        if (!on) {
          // First: a thread of this process that is just using one is to learn of it at that very
          // access. A bus error arrives later, at its next safepoint, as an Error out of nowhere.
          parts.tracker.closeMappings();
        }
      } finally {
        parts.command.decode(on);
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * Itself, with decode off; closed if that fails.
   *
   * @throws DeviceUnavailableException if it was not reset when it was opened, though it can be
   */
  final SeizedDevice fenced() {
    boolean fenced = false;
    try {
      if (sysfs.isResettable() && !isResettable()) {
        throw new DeviceUnavailableException(
            name,
            "its reset failed when it was opened, so it has what its last user left in it",
            "the kernel's log may say why; power it off and on",
            null);
      }
      decode(false);
      fenced = true;
      return this;
    } finally {
      if (!fenced) {
        close();
      }
    }
  }

  @Override
  public final Optional<String> release() {
    close();
    lock.lock();
    try {
      return unproven;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public final Usage usage() {
    return parts.tracker.usage(parts.interrupts.enabledCount());
  }

  @Override
  public final void close() {
    lock.lock();
    try {
      if (!closed) {
        closed = true;
        closeInOrder();
      }
    } finally {
      lock.unlock();
    }
    awaitClosed();
  }

  @Override
  public final String toString() {
    return name.toString();
  }

  /** The device as the kernel shows it. */
  final SysfsDevice sysfs() {
    return sysfs;
  }

  /** A step that fails, since the device is gone for instance, must not keep the others from it. */
  final void attempt(String step, Runnable action) {
    try {
      action.run();
    } catch (RuntimeException | InternalError e) {
      // InternalError: an access of this thread to registers that had gone, reported only now.
      LOG.log(Level.WARNING, name + ": close: " + step + " failed: " + e.getMessage());
      LOG.log(Level.DEBUG, name + ": close: " + step, e);
    }
  }

  final void checkOpen(String operation) {
    if (closed) {
      throw new DeviceGoneException(name, operation, null);
    }
  }

  /** First the device is stopped, and only then taken what it may still be using. */
  private void closeInOrder() {
    attempt("bus master off", () -> parts.command.busMaster(false));
    attempt("interrupts off", parts.interrupts::close);
    AtomicBoolean reset = new AtomicBoolean();
    if (isResettable()) {
      attempt(
          "reset",
          () -> {
            resetForClose();
            reset.set(true);
          });
    }
    attempt("unmapping", parts.tracker::closeAll);
    boolean expected = sysfs.isResettable();
    unproven = Optional.of("closing it failed");
    attempt("closing", () -> unproven = closeRest());
    if (expected && !reset.get() && unproven.isEmpty()) {
      unproven = Optional.of("its reset failed");
    }
    OpenDevices.remove(this);
  }
}
