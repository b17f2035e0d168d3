package org.gatun.simulated.nvme;

import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.List;
import org.gatun.simulated.NvmeModel;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AsynchronousEvent;
import org.gatun.specs.nvme.Features;
import org.gatun.specs.nvme.LogPage;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SanitizeStatusLog;
import org.gatun.specs.nvme.SubmissionEntry;

/**
 * Format NVM and Sanitize: whatever is asked for, all blocks read as zeros afterwards. Guarded by
 * the controller's monitor.
 */
final class Erasure {
  private static final int SUCCESS = DataPointer.SUCCESS;
  private static final int INVALID_FIELD = NvmeStatus.INVALID_FIELD_IN_COMMAND.status();

  private final NvmeDevice device;
  private final Duration formatTime;
  private final Namespaces namespaces;
  private final Events events;

  /** Survives resets. */
  private final SanitizeStatusLog sanitizeStatus = SanitizeStatusLog.create();

  Erasure(NvmeDevice device, NvmeModel model, Namespaces namespaces, Events events) {
    this.device = device;
    this.formatTime = model.formatTime();
    this.namespaces = namespaces;
    this.events = events;
    sanitizeStatus.setProgress(SanitizeStatusLog.NOT_IN_PROGRESS);
  }

  /** The Sanitize Status log page. */
  SanitizeStatusLog sanitizeStatus() {
    return sanitizeStatus;
  }

  /**
   * Format NVM (Base 5.14), of one namespace or of all; there is no key that could be changed.
   * Commands that are in progress keep it from being begun; those that come meanwhile are refused.
   */
  int format(SubmissionQueue queue, Command command) {
    List<Namespace> targets = namespaces.select(command.nsid);
    if (targets.isEmpty()) {
      return NvmeStatus.INVALID_NAMESPACE_OR_FORMAT.status();
    }
    int format = AdminCommand.formatIndex(command.dword10);
    if (targets.stream().anyMatch(target -> format >= target.formats().size())
        || AdminCommand.protectionInformation(command.dword10) != 0) {
      return NvmeStatus.INVALID_FORMAT.status();
    }
    if (AdminCommand.secureErase(command.dword10) > AdminCommand.SECURE_ERASE_USER_DATA) {
      return INVALID_FIELD;
    }
    if (isFormatting(targets)) {
      return NvmeStatus.FORMAT_IN_PROGRESS.status();
    }
    targets.forEach(Namespace::close);
    int status =
        targets.stream().anyMatch(device::isInUse)
            ? NvmeStatus.COMMAND_SEQUENCE_ERROR.status()
            : erase(queue, targets);
    if (status != SUCCESS) {
      targets.forEach(target -> target.open(target.format()));
      return status;
    }
    if (formatTime.isZero()) {
      targets.forEach(target -> finish(target, format));
      return SUCCESS;
    }
    device.completeLater(
        formatTime, queue, command, () -> targets.forEach(target -> finish(target, format)));
    return NvmeDevice.DEFERRED;
  }

  /**
   * Sanitize (Base 5.24), done when the command is. One that failed is no state: it can be tried
   * again.
   */
  int sanitize(SubmissionQueue queue, Command command) {
    return switch (AdminCommand.sanitizeAction(command.dword10)) {
      case AdminCommand.SANITIZE_EXIT_FAILURE -> SUCCESS;
      case AdminCommand.SANITIZE_BLOCK_ERASE, AdminCommand.SANITIZE_OVERWRITE -> {
        List<Namespace> all = namespaces.select(SubmissionEntry.NSID_ALL);
        if (isFormatting(all)) {
          yield NvmeStatus.FORMAT_IN_PROGRESS.status();
        }
        int status = erase(queue, all);
        sanitizeStatus.setCommandDword10(command.dword10);
        sanitizeStatus.setSstat(
            status == SUCCESS ? SanitizeStatusLog.STATUS_SUCCESS : SanitizeStatusLog.STATUS_FAILED);
        events.raise(
            AsynchronousEvent.dword0(
                AsynchronousEvent.TYPE_IO_COMMAND_SPECIFIC,
                AsynchronousEvent.IO_SANITIZE_COMPLETED,
                LogPage.SANITIZE_STATUS));
        yield status;
      }
      default -> INVALID_FIELD;
    };
  }

  private static boolean isFormatting(List<Namespace> targets) {
    return targets.stream().anyMatch(target -> target.blockShift() == Namespace.FORMATTING);
  }

  private static int erase(SubmissionQueue queue, List<Namespace> targets) {
    try {
      for (Namespace target : targets) {
        target.media.zero(0, target.media.size());
        target.media.flush();
      }
      return SUCCESS;
    } catch (InternalError | UncheckedIOException _) {
      queue.mediaErrors++; // the file behind the media was cut short, or can't be written
      return NvmeStatus.INTERNAL_ERROR.status();
    }
  }

  private void finish(Namespace namespace, int format) {
    boolean isOther = format != namespace.format();
    namespace.open(format);
    if (isOther) {
      namespaces.markChanged(namespace);
      events.raiseIfEnabled(
          Features.EVENT_NAMESPACE_ATTRIBUTE,
          AsynchronousEvent.dword0(
              AsynchronousEvent.TYPE_NOTICE,
              AsynchronousEvent.NOTICE_NAMESPACE_ATTRIBUTE_CHANGED,
              LogPage.CHANGED_NAMESPACE_LIST));
    }
  }
}
