package org.gatun.vfiouser;

import java.util.Set;

/**
 * How a device is served.
 *
 * @param uids whose processes may connect; empty for the user that this process runs as, and root
 * @param anyMemory whether a client may offer memory that can shrink under its users, or huge
 *     pages: such memory ends a process that touches it, so it is only ever taken for hardware
 */
public record ExportOptions(Set<Integer> uids, boolean anyMemory, Limits limits) {
  /** For one's own processes. */
  public static final ExportOptions DEFAULT = new ExportOptions(Set.of(), false, Limits.DEFAULT);

  /** Copies the set. */
  public ExportOptions {
    uids = Set.copyOf(uids);
  }
}
