package org.gatun.broker;

import java.time.Duration;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * Revoke × access, the finest of it: a guest's two calls pass the gate while it is shut, and the
 * device goes to somebody else as soon as it is.
 */
@JCStressTest
@Outcome(id = "1, 1", expect = Expect.ACCEPTABLE, desc = "both before")
@Outcome(id = "1, -1", expect = Expect.ACCEPTABLE, desc = "one before")
@Outcome(id = "-1, -1", expect = Expect.ACCEPTABLE, desc = "both refused")
@Outcome(expect = Expect.FORBIDDEN, desc = "reached the next owner's device, or came in again")
@State
public class GateShutEnter {
  private static final DeviceName NAME = new DeviceName("simulated", "device");

  private static final Duration LONG = Duration.ofMinutes(1);

  private static final int INSIDE = 16;

  private final Gate gate = new Gate(NAME);

  /** Plain: what orders it is the gate. */
  private int owner = 1;

  public GateShutEnter() {
    gate.open();
  }

  @Actor
  public void revoke() {
    if (gate.shut(LONG)) {
      owner = 2;
    }
  }

  @Actor
  public void access(II_Result result) {
    result.r1 = ownerSeen();
    result.r2 = ownerSeen();
  }

  private int ownerSeen() {
    long stamp;
    try {
      stamp = gate.enter("access");
    } catch (DeviceGoneException _) {
      return -1;
    }
    try {
      // An access takes a while: the longer, the more can go wrong.
      for (int i = 0; i < INSIDE; i++) {
        Thread.onSpinWait();
      }
      return owner;
    } finally {
      gate.leave(stamp);
    }
  }
}
