package org.gatun.simulated.fault;

import org.gatun.simulated.ModelContext;

/**
 * The interrupt pin of a device, on which its level arrives late. It is a level (PCI Local Bus
 * Specification 3.0, 2.2.6): what arrives then is the one that the device drives then, and nothing
 * of before a reset does.
 */
final class FaultyPin {
  private final ModelContext bus;

  /** What the device drives. */
  private boolean level;

  /** Resets: what was to arrive after one does not. */
  private int generation;

  FaultyPin(ModelContext bus) {
    this.bus = bus;
  }

  /** The device drives it, and nothing goes wrong. */
  synchronized void drive(boolean on) {
    level = on;
    bus.setInterruptLine(on);
  }

  /** The device asserts it, and that does not arrive. */
  synchronized void lose() {
    level = true;
  }

  /** The device asserts it, and that arrives later. */
  synchronized void delay(Effect.Delay delay) {
    level = true;
    int assertedIn = generation;
    bus.schedule(delay.by(), () -> arrive(assertedIn));
  }

  synchronized void reset() {
    generation++;
    level = false;
  }

  private synchronized void arrive(int assertedIn) {
    if (assertedIn == generation && level) {
      bus.setInterruptLine(true);
    }
  }
}
