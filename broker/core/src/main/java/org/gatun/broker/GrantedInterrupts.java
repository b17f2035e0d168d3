package org.gatun.broker;

import java.util.List;
import org.gatun.pci.DeviceName;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Vector;

/** Interrupts, within the number of vectors that was granted. The vectors are the backend's. */
final class GrantedInterrupts implements Interrupts {
  private final DeviceName device;
  private final Interrupts inner;
  private final Gate gate;
  private final int limit;

  GrantedInterrupts(DeviceName device, Interrupts inner, Gate gate, int limit) {
    this.device = device;
    this.inner = inner;
    this.gate = gate;
    this.limit = limit;
  }

  @Override
  public int count(Kind kind) {
    gate.check("interrupts");
    return Math.min(inner.count(kind), limit);
  }

  @Override
  public List<Vector> enable(Kind kind, int count) {
    long stamp = gate.enter("enabling interrupts");
    try {
      if (count < 1 || count > count(kind)) {
        throw new IllegalArgumentException(
            "%s: can't enable %d vectors of %s: the guest has %d"
                .formatted(device, count, kind, count(kind)));
      }
      return inner.enable(kind, count);
    } finally {
      gate.leave(stamp);
    }
  }

  @Override
  public void disable() {
    if (gate.isShut()) {
      return;
    }
    long stamp = gate.enter("disabling interrupts");
    try {
      inner.disable();
    } finally {
      gate.leave(stamp);
    }
  }
}
