package org.gatun.broker;

import org.gatun.pci.config.ConfigRegisters;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** Revoke × access: config space. The next guest finds it as it was seized. */
@JCStressTest
@Outcome(id = "1, 0", expect = Expect.ACCEPTABLE, desc = "before: and then it was restored")
@Outcome(id = "-1, 0", expect = Expect.ACCEPTABLE, desc = "refused: reached nothing")
@Outcome(expect = Expect.FORBIDDEN, desc = "too late, or in the next owner's device")
@State
public class RevokeConfigWrite {
  private final Race race = new Race(new RacedModel());

  @Actor
  public void revoke() {
    race.revoke();
    race.grantToNext();
  }

  @Actor
  public void access(II_Result result) {
    result.r1 =
        race.attempt(() -> race.device.config().write8(ConfigRegisters.CACHE_LINE_SIZE, 0x10));
  }

  @Arbiter
  public void look(II_Result result) {
    result.r2 = race.bus.hardware(race.name).read8(ConfigRegisters.CACHE_LINE_SIZE);
    race.end();
  }
}
