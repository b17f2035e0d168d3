package org.gatun.broker;

import org.gatun.pci.Interrupts.Kind;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** Revoke × access: interrupts that are enabled meanwhile are off in the end. */
@JCStressTest
@Outcome(id = "1, 0", expect = Expect.ACCEPTABLE, desc = "enabled, and switched off")
@Outcome(id = "-1, 0", expect = Expect.ACCEPTABLE, desc = "refused")
@Outcome(expect = Expect.FORBIDDEN, desc = "the device can still interrupt")
@State
public class RevokeEnable {
  private final Race race = new Race(new RacedModel());

  @Actor
  public void revoke() {
    race.revoke();
    race.grantToNext();
  }

  @Actor
  public void access(II_Result result) {
    result.r1 = race.attempt(() -> race.device.interrupts().enable(Kind.MSIX, 1));
  }

  @Arbiter
  public void look(II_Result result) {
    result.r2 = race.enabledMessages();
    race.end();
  }
}
