package org.gatun.broker;

import java.util.List;
import java.util.Optional;
import org.gatun.pci.DeviceName;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Vector;
import org.jspecify.annotations.Nullable;

/** Interrupts, within the number of vectors that was granted. The vectors are the backend's. */
final class GrantedInterrupts implements Interrupts {
  private final DeviceName device;
  private final Interrupts inner;
  private final Gate gate;
  private final int limit;
  private final Activity activity;

  /** What the guest enabled. Guarded by this. */
  private @Nullable Kind enabled;

  GrantedInterrupts(DeviceName device, Interrupts inner, Gate gate, int limit, Activity activity) {
    this.device = device;
    this.inner = inner;
    this.gate = gate;
    this.limit = limit;
    this.activity = activity;
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
      synchronized (this) {
        List<Vector> vectors = inner.enable(kind, count);
        enabled = kind;
        activity.interruptsEnabled(kind, count);
        return vectors;
      }
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
      synchronized (this) {
        inner.disable();
        enabled = null;
      }
    } finally {
      gate.leave(stamp);
    }
  }

  /** The kind that is enabled. */
  synchronized Optional<Kind> enabled() {
    return Optional.ofNullable(enabled);
  }

  /** Resets the device, and with it its interrupts. */
  synchronized void reset(Runnable device) {
    device.run();
    enabled = null;
  }
}
