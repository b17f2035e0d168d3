package org.gatun.broker;

import org.gatun.pci.Mmio;
import org.jspecify.annotations.Nullable;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** Revoke × access: a mapping that is made meanwhile ends with the others. */
@JCStressTest
@Outcome(id = "1, -1", expect = Expect.ACCEPTABLE, desc = "mapped, and it ended")
@Outcome(id = "-1, -1", expect = Expect.ACCEPTABLE, desc = "refused")
@Outcome(expect = Expect.FORBIDDEN, desc = "a mapping is left")
@State
public class RevokeMap {
  private final Race race = new Race(new RacedModel());
  private @Nullable Mmio mapped;

  @Actor
  public void revoke() {
    race.revoke();
    race.grantToNext();
  }

  @Actor
  public void access(II_Result result) {
    result.r1 = race.attempt(() -> mapped = race.map(0, 0x100));
  }

  @Arbiter
  public void look(II_Result result) {
    Mmio left = mapped;
    result.r2 = left == null ? Race.REFUSED : race.attempt(() -> left.read32(0));
    race.end();
  }
}
