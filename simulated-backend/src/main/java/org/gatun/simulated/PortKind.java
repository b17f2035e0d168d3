package org.gatun.simulated;

import org.jspecify.annotations.Nullable;

/**
 * Which end of which link a PCI Express bridge is (PCI Express Base Specification 5.0, 7.5.3.2).
 */
public enum PortKind {
  /** From the root complex to a link. */
  ROOT(4),
  /** From a link into a switch; behind it are downstream ports only. */
  UPSTREAM(5),
  /** From a switch to a link. */
  DOWNSTREAM(6);

  /** Device/Port Type. */
  private final int type;

  PortKind(int type) {
    this.type = type;
  }

  int type() {
    return type;
  }

  /** Whether a device can be plugged in behind it: it is the upper end of a link. */
  boolean hasSlot() {
    return this != UPSTREAM;
  }

  /** The kind with that Device/Port Type; null if that is no port's. */
  static @Nullable PortKind ofType(int type) {
    for (PortKind kind : values()) {
      if (kind.type == type) {
        return kind;
      }
    }
    return null;
  }
}
