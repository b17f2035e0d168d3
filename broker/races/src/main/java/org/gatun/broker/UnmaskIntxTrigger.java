package org.gatun.broker;

import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.Mmio;
import org.gatun.pci.Vector;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** Mask × trigger, by INTx: an interrupt that comes while the mask is lifted is not lost. */
@JCStressTest
@Outcome(id = "0, 1", expect = Expect.ACCEPTABLE, desc = "it came")
@Outcome(expect = Expect.FORBIDDEN, desc = "lost, or through the mask")
@State
public class UnmaskIntxTrigger {
  private final Race race = new Race(new RacedModel());
  private final Mmio registers = race.map(0, 0x100);
  private final Vector vector = race.enable(Kind.INTX);
  private final int before;

  public UnmaskIntxTrigger() {
    vector.mask(true);
    registers.write32(RacedModel.INTERRUPT, 0);
    before = vector.poll() ? 1 : 0;
  }

  @Actor
  public void unmask() {
    vector.mask(false);
  }

  @Actor
  public void trigger() {
    registers.write32(RacedModel.INTERRUPT, 0);
  }

  @Arbiter
  public void look(II_Result result) {
    result.r1 = before;
    result.r2 = vector.poll() ? 1 : 0;
    race.end();
  }
}
