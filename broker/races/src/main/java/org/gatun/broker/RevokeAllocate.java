package org.gatun.broker;

import org.gatun.pci.DmaBuffer;
import org.jspecify.annotations.Nullable;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** Revoke × access: DMA memory that is allocated meanwhile is freed with the rest. */
@JCStressTest
@Outcome(id = "1, -1", expect = Expect.ACCEPTABLE, desc = "allocated, and freed")
@Outcome(id = "-1, -1", expect = Expect.ACCEPTABLE, desc = "refused")
@Outcome(expect = Expect.FORBIDDEN, desc = "memory is left that the device can reach")
@State
public class RevokeAllocate {
  private final Race race = new Race(new RacedModel());
  private @Nullable DmaBuffer allocated;

  @Actor
  public void revoke() {
    race.revoke();
  }

  @Actor
  public void access(II_Result result) {
    result.r1 = race.attempt(() -> allocated = race.device.dma().allocate(4096, 4096));
  }

  @Arbiter
  public void look(II_Result result) {
    DmaBuffer left = allocated;
    result.r2 = left == null ? Race.REFUSED : race.attempt(() -> left.putByte(0, (byte) 1));
    race.end();
  }
}
