package org.gatun.pci;

/**
 * Something that can be signalled: what a {@link Vector} is connected to, so that an interrupt
 * reaches a third party without a relay. Signals coalesce. Any thread; does not block.
 */
public interface Event extends Shareable {
  /** Signals once. */
  void signal();
}
