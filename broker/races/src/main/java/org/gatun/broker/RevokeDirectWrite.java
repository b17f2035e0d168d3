package org.gatun.broker;

import org.gatun.pci.Mmio;
import org.gatun.simulated.SpecimenModel;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * Revoke × access: memory of the device that the guest has mapped. The next guest finds it reset.
 */
@JCStressTest
@Outcome(id = "1, 0", expect = Expect.ACCEPTABLE, desc = "before: and then it was reset")
@Outcome(id = "-1, 0", expect = Expect.ACCEPTABLE, desc = "refused: reached nothing")
@Outcome(expect = Expect.FORBIDDEN, desc = "too late, or in the next owner's device")
@State
public class RevokeDirectWrite {
  private final Race race = new Race(new SpecimenModel());
  private final Mmio memory = race.map(SpecimenModel.DIRECT, 0x1000);

  @Actor
  public void revoke() {
    race.revoke();
    race.grantToNext();
  }

  @Actor
  public void access(II_Result result) {
    result.r1 = race.attempt(() -> memory.write32(0, 0x55));
  }

  @Arbiter
  public void look(II_Result result) {
    result.r2 = (int) race.bus.peek(race.name, SpecimenModel.REGISTERS, SpecimenModel.DIRECT, 4);
    race.end();
  }
}
