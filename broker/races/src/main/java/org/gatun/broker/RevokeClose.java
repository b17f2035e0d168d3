package org.gatun.broker;

import org.gatun.pci.PciDevice;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * Revoke × close: the broker takes the device while its guest gives it back. Whoever returns, the
 * device is free.
 */
@JCStressTest
@Outcome(id = "1, 1", expect = Expect.ACCEPTABLE, desc = "granted to the next one, once")
@Outcome(expect = Expect.FORBIDDEN, desc = "not free yet, or something is left")
@State
public class RevokeClose {
  private final Race race = new Race(new RacedModel());

  @Actor
  public void revoke(II_Result result) {
    race.revoke();
    result.r1 = race.attempt(race::grantToNext) > 0 ? 1 : 0;
  }

  @Actor
  public void close() {
    race.device.close();
  }

  @Arbiter
  public void look(II_Result result) {
    result.r2 = race.device.usage().equals(PciDevice.Usage.NONE) ? 1 : 0;
    race.end();
  }
}
