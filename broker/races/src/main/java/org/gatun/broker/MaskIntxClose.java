package org.gatun.broker;

import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.PciDevice;
import org.gatun.pci.Vector;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * Mask × close, by INTx: who unmasks an asserted pin while the device is given back leaves neither
 * an interrupt nor the pin to the next one. (CVE-2024-26810)
 */
@JCStressTest
@Outcome(id = "1, 1", expect = Expect.ACCEPTABLE, desc = "unmasked, then closed")
@Outcome(id = "-1, 1", expect = Expect.ACCEPTABLE, desc = "closed, then refused")
@Outcome(expect = Expect.FORBIDDEN, desc = "an interrupt is left, or none comes any more")
@State
public class MaskIntxClose {
  private final Race race = new Race(new RacedModel());
  private final Vector vector = race.enable(Kind.INTX);

  public MaskIntxClose() {
    vector.mask(true);
    race.map(0, 0x100).write32(RacedModel.INTERRUPT, 0);
  }

  @Actor
  public void unmask(II_Result result) {
    result.r1 = race.attempt(() -> vector.mask(false));
  }

  @Actor
  public void close() {
    race.device.close();
  }

  @Arbiter
  public void look(II_Result result) {
    PciDevice next = race.grantToNext();
    Vector its = next.interrupts().enable(Kind.INTX, 1).getFirst();
    boolean left = its.poll();
    next.bar(0).orElseThrow().map(0, 0x100).write32(RacedModel.INTERRUPT, 0);
    result.r2 = !left && its.poll() ? 1 : 0;
    race.end();
  }
}
