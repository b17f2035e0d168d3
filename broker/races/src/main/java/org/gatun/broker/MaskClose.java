package org.gatun.broker;

import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.Vector;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** Mask × close: who unmasks while the device is given back does not unmask it for the next one. */
@JCStressTest
@Outcome(id = "1, 1", expect = Expect.ACCEPTABLE, desc = "unmasked, then closed")
@Outcome(id = "-1, 1", expect = Expect.ACCEPTABLE, desc = "closed, then refused")
@Outcome(expect = Expect.FORBIDDEN, desc = "the entry is left unmasked, or messages are on")
@State
public class MaskClose {
  private final Race race = new Race(new RacedModel());
  private final Vector vector = race.enable(Kind.MSIX);

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
    result.r2 = race.isEntryMasked() && race.enabledMessages() == 0 ? 1 : 0;
    race.end();
  }
}
