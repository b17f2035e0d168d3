package org.gatun.broker;

import org.gatun.pci.Mmio;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** Revoke × access: a trapped register. */
@JCStressTest
@Outcome(id = "1, 1", expect = Expect.ACCEPTABLE, desc = "before: reached the device")
@Outcome(id = "-1, 0", expect = Expect.ACCEPTABLE, desc = "refused: reached nothing")
@Outcome(expect = Expect.FORBIDDEN, desc = "lost, too late, or at the next owner's device")
@State
public class RevokeRegisterWrite {
  private final RacedModel model = new RacedModel();
  private final Race race = new Race(model);
  private final Mmio registers = race.map(0, 0x100);

  @Actor
  public void revoke() {
    race.revoke();
    model.owner(2);
    race.grantToNext();
  }

  @Actor
  public void access(II_Result result) {
    result.r1 = race.attempt(() -> registers.write32(RacedModel.REGISTER, 1));
  }

  @Arbiter
  public void look(II_Result result) {
    result.r2 = model.reachedUnder();
    race.end();
  }
}
