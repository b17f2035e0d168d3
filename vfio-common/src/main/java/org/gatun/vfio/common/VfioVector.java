package org.gatun.vfio.common;

import java.time.Duration;
import org.gatun.nativeaccess.ClosedDescriptorException;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.Event;
import org.gatun.pci.PciException;
import org.gatun.pci.Vector;
import org.jspecify.annotations.Nullable;

/** One vector: an eventfd of its own, until it is connected to another. */
final class VfioVector implements Vector {
  /**
   * How soon a waiter notices that its thread was interrupted, which the kernel's wait does not.
   */
  private static final Duration SLICE = Duration.ofMillis(100);

  private final VfioInterrupts interrupts;
  private final int index;
  private final EventFd own;
  private volatile @Nullable Event connected;

  // The rest is guarded by the interrupts' lock.
  private @Nullable Fd connectedFd;
  private @Nullable EventFd hold;
  private boolean held;
  private boolean closed;

  VfioVector(VfioInterrupts interrupts, int index, EventFd own) {
    this.interrupts = interrupts;
    this.index = index;
    this.own = own;
  }

  @Override
  public int index() {
    return index;
  }

  @Override
  public boolean await(Duration limit) {
    checkNotConnected();
    try {
      if (limit.compareTo(SLICE) <= 0) {
        return awaitSlice(limit);
      }
      long start = System.nanoTime();
      while (!awaitSlice(SLICE)) {
        Duration left = limit.minusNanos(System.nanoTime() - start);
        if (Thread.currentThread().isInterrupted()) {
          return false;
        }
        if (left.compareTo(SLICE) <= 0) {
          return awaitSlice(left);
        }
      }
      return true;
    } catch (ClosedDescriptorException e) {
      throw gone("await", e);
    }
  }

  @Override
  public boolean poll() {
    checkNotConnected();
    try {
      return own.take() != 0;
    } catch (ClosedDescriptorException e) {
      throw gone("poll", e);
    }
  }

  @Override
  public void connect(Event event) {
    try {
      interrupts.connect(this, event);
    } catch (ClosedDescriptorException e) {
      if (own.fd().isClosed()) {
        throw gone("connect", e);
      }
      throw new IllegalArgumentException(
          "%s: vector %d: the event to connect is closed".formatted(interrupts.device(), index), e);
    }
  }

  @Override
  public void mask(boolean on) {
    try {
      interrupts.mask(this, on);
    } catch (ClosedDescriptorException e) {
      if (own.fd().isClosed()) {
        throw gone("mask", e);
      }
      throw new PciException(
          interrupts.device(),
          "mask vector " + index + ": the event that it is connected to is closed",
          "connect another first",
          e);
    }
  }

  @Override
  public String toString() {
    return own.toString();
  }

  /** What interrupts signal as long as nothing else was connected. */
  Fd ownEvent() {
    return own.fd();
  }

  /** What interrupts are to signal while not masked. */
  Fd target() {
    Fd fd = connectedFd;
    return fd != null ? fd : own.fd();
  }

  /** What interrupts signal while masked. */
  Fd holdEvent() {
    EventFd event = hold;
    if (event == null) {
      event = interrupts.newEvent(own + ", masked");
      hold = event;
    }
    return event.fd();
  }

  boolean isHeld() {
    return held;
  }

  /**
   * Interrupts have begun to signal an event, or will when unmasked.
   *
   * @return whether one is pending, which the event takes over: to be signalled after the lock
   */
  boolean connected(Event event, Fd fd) {
    connected = event;
    connectedFd = fd;
    return own.take() != 0;
  }

  /**
   * Interrupts have begun to signal the one event or the other.
   *
   * @return what takes over an interrupt that came meanwhile: to be signalled after the lock
   */
  @Nullable Event held(boolean on) {
    held = on;
    EventFd event = hold;
    if (on || event == null || event.take() == 0) {
      return null;
    }
    if (connected == null) {
      own.signal();
    }
    return connected;
  }

  void close() {
    if (closed) {
      return;
    }
    closed = true;
    own.close();
    EventFd event = hold;
    if (event != null) {
      event.close();
    }
  }

  private boolean awaitSlice(Duration limit) {
    return own.await(Thread.currentThread().isInterrupted() ? Duration.ZERO : limit) != 0;
  }

  private void checkNotConnected() {
    if (connected != null && !own.fd().isClosed()) {
      throw new IllegalStateException(
          interrupts.device() + ": vector " + index + " is connected to an event, which gets all");
    }
  }

  private DeviceGoneException gone(String operation, ClosedDescriptorException cause) {
    return new DeviceGoneException(interrupts.device(), operation + " vector " + index, cause);
  }
}
