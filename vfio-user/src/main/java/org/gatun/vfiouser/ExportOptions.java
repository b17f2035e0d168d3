package org.gatun.vfiouser;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.gatun.nativeaccess.EventFd;

/**
 * How a device is served.
 *
 * @param uids whose processes may connect; empty for the user that this process runs as, and root
 * @param anyMemory whether a client may offer memory that can shrink under its users, or huge
 *     pages: such memory ends a process that touches it, so it is only ever taken for hardware
 * @param inherited the eventfds that the client's process was started with, and in whose place no
 *     descriptor comes or goes over the socket: interrupts are told their places in this list, and
 *     memory for DMA and mapped registers the client has already; empty for clients that
 *     descriptors are passed to
 */
@SuppressWarnings("exports") // to our own modules
public record ExportOptions(
    Set<Integer> uids, boolean anyMemory, Limits limits, Optional<List<EventFd>> inherited) {
  /** For one's own processes. */
  public static final ExportOptions DEFAULT = new ExportOptions(Set.of(), false, Limits.DEFAULT);

  /** For clients that descriptors are passed to. */
  public ExportOptions(Set<Integer> uids, boolean anyMemory, Limits limits) {
    this(uids, anyMemory, limits, Optional.empty());
  }

  /**
   * For a client that was started with all descriptors that it ever gets.
   *
   * @param events what its interrupts can signal; they stay the caller's
   */
  public static ExportOptions withInherited(List<EventFd> events) {
    Limits usual = Limits.DEFAULT;
    Limits limits =
        new Limits(
            0,
            usual.transfer(),
            usual.dmaRegions(),
            usual.dmaBytes(),
            usual.queuedBytes(),
            usual.patience());
    return new ExportOptions(Set.of(), false, limits, Optional.of(events));
  }

  /** Copies the collections. */
  public ExportOptions {
    uids = Set.copyOf(uids);
    inherited = inherited.map(List::copyOf);
  }
}
