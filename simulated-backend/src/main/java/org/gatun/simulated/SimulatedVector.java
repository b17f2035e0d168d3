package org.gatun.simulated;

import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.Event;
import org.gatun.pci.Vector;
import org.jspecify.annotations.Nullable;

/**
 * A vector as the driver holds it. Its monitor guards its state, and is not held when an event is
 * signalled.
 */
final class SimulatedVector implements Vector {
  private final DeviceName device;
  private final int index;
  private final BusTime time;
  private final SimulatedInterrupts interrupts;
  private final BooleanSupplier take = this::take;
  private boolean pending;
  private boolean ended;
  private @Nullable Event event;

  SimulatedVector(DeviceName device, int index, BusTime time, SimulatedInterrupts interrupts) {
    this.device = device;
    this.index = index;
    this.time = time;
    this.interrupts = interrupts;
  }

  @Override
  public int index() {
    return index;
  }

  @Override
  public boolean await(Duration limit) {
    return time.await(this, take, BusTime.nanos(limit));
  }

  @Override
  public synchronized boolean poll() {
    return take();
  }

  @Override
  public void connect(Event target) {
    boolean due;
    synchronized (this) {
      check();
      event = target;
      due = pending;
      pending = false;
    }
    if (due) {
      target.signal();
    }
  }

  @Override
  public void mask(boolean on) {
    synchronized (this) {
      check();
    }
    interrupts.mask(this, on);
    interrupts.signalEvents();
  }

  /**
   * An interrupt has arrived.
   *
   * @return whether it is for an event, which is to be signalled when no lock is held
   */
  synchronized boolean deliver() {
    if (event != null) {
      return true;
    }
    pending = true;
    notify();
    return false;
  }

  /** What it is connected to. */
  synchronized @Nullable Event event() {
    return event;
  }

  /** The vector is gone: who waits hears it. */
  synchronized void end() {
    ended = true;
    notifyAll();
  }

  private boolean take() {
    check();
    if (event != null) {
      throw new IllegalStateException(
          device + ": vector " + index + " is connected to an event, which has its interrupts");
    }
    boolean taken = pending;
    pending = false;
    return taken;
  }

  private void check() {
    if (ended) {
      throw new DeviceGoneException(device, "interrupt vector " + index, null);
    }
  }
}
