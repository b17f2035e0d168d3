package org.gatun.simulated;

import java.util.Arrays;
import java.util.Locale;

/**
 * What a simulated NVMe controller does wrong, to see what a driver makes of it. Those that concern
 * commands come after {@link NvmeModel#faultAfter} I/O commands were served.
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
