package org.gatun.simulated;

import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import org.gatun.simulated.fault.Effect;
import org.gatun.simulated.fault.Fault;
import org.gatun.simulated.fault.Point;
import org.gatun.specs.nvme.NvmeRegisters;

/**
 * What a simulated NVMe controller may do wrong by its name: some {@link Fault}s of many. Those
 * that concern commands come after {@link NvmeModel#faultAfter} I/O commands were served.
 */
public enum NvmeFault {
  /** Every register reads all ones, as of a device that fell off the bus. */
  ALL_ONES,
  /** CSTS.RDY does not follow CC.EN. */
  NEVER_READY,
  /** One I/O command is completed with an identifier that is another one's, or nobody's. */
  UNKNOWN_COMMAND_ID,
  /** I/O commands are lost: none is completed, and Abort does not find them. */
  DROP,
  /** As {@link #DROP}, of one command. */
  DROP_ONCE,
  /** I/O commands are not completed until they are aborted, or their queue is deleted. */
  HOLD,
  /** An I/O command makes the controller fail: CSTS.CFS is set, and nothing is completed. */
  FATAL;

  private static final Duration FOR_EVER = Duration.ofDays(36_500);

  /** What it stands for, after so many I/O commands. */
  Fault after(long commands) {
    return switch (this) {
      case ALL_ONES -> Fault.at(Point.REGISTER_READ, new Effect.Lose());
      case NEVER_READY ->
          Fault.at(Point.REGISTER_READ, new Effect.Force(1, 0))
              .matching(Fault.register(NvmeRegisters.BAR, NvmeRegisters.CSTS));
      case UNKNOWN_COMMAND_ID ->
          onIo(new Effect.Flip(0x8000L << Integer.SIZE)).after(commands).times(1);
      case DROP -> onIo(new Effect.Lose()).after(commands);
      case DROP_ONCE -> onIo(new Effect.Lose()).after(commands).times(1);
      case HOLD -> onIo(new Effect.Delay(FOR_EVER)).after(commands);
      case FATAL -> onIo(new Effect.Fail()).after(commands).times(1);
    };
  }

  private static Fault onIo(Effect effect) {
    return Fault.at(Point.COMMAND, effect).matching(0, Fault.ADMIN);
  }

  /** As in the options of a device name: {@code all-ones}. */
  public String optionName() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  static NvmeFault ofOption(String name) {
    return Arrays.stream(values())
        .filter(fault -> fault.optionName().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "there is no fault '%s'; there are: %s"
                        .formatted(
                            name,
                            String.join(
                                ", ",
                                Arrays.stream(values()).map(NvmeFault::optionName).toList()))));
  }
}
