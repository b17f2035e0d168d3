package org.gatun.vfiouser;

import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
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
 * @param processorShare how much of a processor is spent on the client, such as 0.5, apart from a
 *     fifth of a second ahead: then what it asks for has to wait; empty for no limit but that of
 *     the thread, or two, that serve it
 */
@SuppressWarnings("exports") // to our own modules
public record ExportOptions(
    Set<Integer> uids,
    boolean anyMemory,
    Limits limits,
    Optional<List<EventFd>> inherited,
    OptionalDouble processorShare) {
  /** For one's own processes. */
  public static final ExportOptions DEFAULT = new ExportOptions(Set.of(), false, Limits.DEFAULT);

  /** For clients that descriptors are passed to. */
  public ExportOptions(Set<Integer> uids, boolean anyMemory, Limits limits) {
    this(uids, anyMemory, limits, Optional.empty(), OptionalDouble.empty());
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
    return new ExportOptions(Set.of(), false, limits, Optional.of(events), OptionalDouble.empty());
  }

  /** The same, with another share of a processor. */
  public ExportOptions withProcessorShare(OptionalDouble share) {
    return new ExportOptions(uids, anyMemory, limits, inherited, share);
  }

  /**
   * Copies the collections.
   *
   * @throws IllegalArgumentException if the share is not above 0
   */
  public ExportOptions {
    uids = Set.copyOf(uids);
    inherited = inherited.map(List::copyOf);
    if (processorShare.isPresent() && !(processorShare.getAsDouble() > 0)) {
      throw new IllegalArgumentException("a share of a processor is above 0");
    }
  }
}
