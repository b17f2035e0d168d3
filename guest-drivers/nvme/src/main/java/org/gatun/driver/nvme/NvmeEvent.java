package org.gatun.driver.nvme;

import java.util.List;
import java.util.Set;
import org.gatun.specs.nvme.AsynchronousEvent;
import org.gatun.specs.nvme.ErrorLogEntry;
import org.gatun.specs.nvme.FirmwareSlotLog;
import org.gatun.specs.nvme.SanitizeStatusLog;
import org.gatun.specs.nvme.SmartLog;

/**
 * Something that a controller tells unasked (Base 5.2), with the log page that tells more: the
 * driver has read it, which lets the controller tell of the next such event.
 */
public sealed interface NvmeEvent {
  /**
   * The controller met an error that is not of one command.
   *
   * @param information {@link AsynchronousEvent#ERROR_PERSISTENT_INTERNAL} and so on
   * @param log its errors, newest first
   */
  record ControllerError(int information, List<ErrorLogEntry> log) implements NvmeEvent {
    /** A copy of the log. */
    public ControllerError {
      log = List.copyOf(log);
    }
  }

  /**
   * The controller's health is worse than it was, or than it is to be.
   *
   * @param information {@link AsynchronousEvent#SMART_TEMPERATURE_THRESHOLD} and so on
   */
  record Health(int information, SmartLog log) implements NvmeEvent {}

  /**
   * Namespaces appeared, vanished, or say something else of themselves: {@link
   * NvmeController#namespaces} tells what is there now.
   *
   * @param appeared ids of those that are active now, and were not
   * @param vanished ids of those that were active, and are not any more
   * @param changed ids of others that may have changed
   */
  record NamespacesChanged(Set<Integer> appeared, Set<Integer> vanished, Set<Integer> changed)
      implements NvmeEvent {
    /** Copies of the sets. */
    public NamespacesChanged {
      appeared = Set.copyOf(appeared);
      vanished = Set.copyOf(vanished);
      changed = Set.copyOf(changed);
    }
  }

  /** The controller begins to activate firmware, and is slow meanwhile (MTFA). */
  record FirmwareActivation(FirmwareSlotLog log) implements NvmeEvent {}

  /** A sanitize operation has ended. */
  record SanitizeEnded(SanitizeStatusLog log) implements NvmeEvent {}

  /**
   * Any other event, and one whose log page the controller did not return.
   *
   * @param type {@link AsynchronousEvent#type}, 0 to 7
   * @param information {@link AsynchronousEvent#information}, 0 to 255
   * @param logPage {@link AsynchronousEvent#logPage}, 0 to 255
   */
  record Other(int type, int information, int logPage) implements NvmeEvent {}
}
