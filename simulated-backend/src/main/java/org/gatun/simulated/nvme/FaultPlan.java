package org.gatun.simulated.nvme;

import java.util.concurrent.atomic.AtomicLong;
import org.gatun.simulated.NvmeFault;
import org.gatun.simulated.NvmeModel;
import org.jspecify.annotations.Nullable;

/** Which I/O command goes wrong. */
final class FaultPlan {
  private final @Nullable NvmeFault fault;
  private final long after;
  private final AtomicLong commands = new AtomicLong();

  FaultPlan(NvmeModel model) {
    fault = model.fault().orElse(null);
    after = model.faultAfter();
  }

  boolean is(NvmeFault what) {
    return fault == what;
  }

  /** What is to go wrong with the next I/O command. */
  @Nullable NvmeFault next() {
    if (fault == null) {
      return null;
    }
    long number = commands.getAndIncrement();
    return switch (fault) {
      case ALL_ONES, NEVER_READY -> null;
      case DROP, HOLD -> number >= after ? fault : null;
      case DROP_ONCE, UNKNOWN_COMMAND_ID, FATAL -> number == after ? fault : null;
    };
  }
}
