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

/**
 * Mask × trigger, by INTx: an interrupt comes once, before the mask or when it is lifted; whom it
 * came to releases the pin before he unmasks it. (CVE-2024-26810)
 */
@JCStressTest
@Outcome(id = "1, 0", expect = Expect.ACCEPTABLE, desc = "before it was masked")
@Outcome(id = "0, 1", expect = Expect.ACCEPTABLE, desc = "when it was unmasked")
@Outcome(expect = Expect.FORBIDDEN, desc = "lost, or twice")
@State
public class MaskIntxTrigger {
  private final Race race = new Race(new RacedModel());
  private final Mmio registers = race.map(0, 0x100);
  private final Vector vector = race.enable(Kind.INTX);

  @Actor
  public void mask() {
    vector.mask(true);
  }

  @Actor
  public void trigger() {
    registers.write32(RacedModel.INTERRUPT, 0);
  }

  @Arbiter
  public void look(II_Result result) {
    result.r1 = vector.poll() ? 1 : 0;
    if (result.r1 == 1) {
      registers.write32(RacedModel.INTERRUPT_RELEASE, 0);
    }
    vector.mask(false);
    result.r2 = vector.poll() ? 1 : 0;
    race.end();
  }
}
