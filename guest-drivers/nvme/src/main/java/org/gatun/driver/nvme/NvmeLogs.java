package org.gatun.driver.nvme;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.CommandEffectsLog;
import org.gatun.specs.nvme.ErrorLogEntry;
import org.gatun.specs.nvme.FirmwareSlotLog;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.LogPage;
import org.gatun.specs.nvme.SanitizeStatusLog;
import org.gatun.specs.nvme.SmartLog;
import org.gatun.specs.nvme.SubmissionEntry;
import org.gatun.specs.nvme.SupportedLogPages;

/**
 * The log pages of a controller (Base 5.16). What is returned is a copy: it does not change.
 *
 * <p>Each call throws
 *
 * <ul>
 *   <li>{@link NvmeUnsupportedException} if the controller says that it lacks what is asked for;
 *   <li>{@link NvmeStatusException} if it refuses it: with {@link
 *       org.gatun.specs.nvme.NvmeStatus#INVALID_LOG_PAGE} for a page that it does not have;
 *   <li>what {@link NvmeController#execute} throws.
 * </ul>
 *
 * <p>Any thread.
 */
public final class NvmeLogs {
  /** What each controller returns with one command, and takes no longer than others for. */
  private static final int PART = 4096;

  /** NUMD has 12 bits without extended data (1.2.1 section 5.14.1). */
  private static final int MOST_WITHOUT_EXTENDED_DATA = 16 << 10;

  private final NvmeController controller;

  NvmeLogs(NvmeController controller) {
    this.controller = controller;
  }

  /**
   * Reads a page, or a part of it, with as many commands as that takes: a page that changes
   * meanwhile can be torn. The asynchronous event that the page belongs to is cleared by the last.
   *
   * @param logPage LID, 0 to 255: see {@link LogPage}
   * @param namespaceId {@link SubmissionEntry#NSID_ALL} for the controller as a whole
   * @param offset in the page, in bytes: a multiple of 4
   * @param length in bytes: a multiple of 4, from 4. Controllers without extended data (LPA) have
   *     no offset but 0, and at most 16 KiB
   * @throws IllegalArgumentException if the offset or length breaks its rule
   */
  public MemorySegment read(int logPage, int namespaceId, long offset, int length) {
    if (length < 4 || length % 4 != 0 || offset < 0 || offset % 4 != 0) {
      throw new IllegalArgumentException(
          "%s: a log page is read in multiples of 4 bytes, and not %d bytes at %d"
              .formatted(controller.name(), length, offset));
    }
    boolean extended = (controller.identity().lpa() & IdentifyController.LPA_EXTENDED_DATA) != 0;
    int most =
        extended ? PART : Math.min(MOST_WITHOUT_EXTENDED_DATA, controller.maxTransferBytes());
    if (!extended && (offset != 0 || length > most)) {
      throw new NvmeUnsupportedException(
          controller.name(),
          "the controller returns no %d bytes at %d of log page %02xh: it has no extended data (LPA 0x%02x)"
              .formatted(length, offset, logPage, controller.identity().lpa()),
          "read at most %d bytes at 0".formatted(most));
    }
    MemorySegment page = Arena.ofAuto().allocate(length);
    for (int at = 0; at < length; at += most) {
      int size = Math.min(most, length - at);
      boolean last = at + size == length;
      page.asSlice(at, size).copyFrom(part(logPage, namespaceId, offset + at, size, !last));
    }
    return page;
  }

  private MemorySegment part(
      int logPage, int namespaceId, long offset, int size, boolean retainEvent) {
    NvmeCommand command =
        NvmeCommand.of(
            AdminOpcode.GET_LOG_PAGE,
            namespaceId,
            AdminCommand.logPageDword10(logPage, retainEvent, size),
            AdminCommand.logPageDword11(size),
            (int) offset,
            (int) (offset >>> 32));
    return controller.require(command.receiving(size)).data();
  }

  private MemorySegment read(int logPage, int length) {
    return read(logPage, SubmissionEntry.NSID_ALL, 0, length);
  }

  /** The health of the controller as a whole. */
  public SmartLog smart() {
    return new SmartLog(read(LogPage.SMART, SmartLog.SIZE));
  }

  /** The health of a namespace, where the controller has one for each (LPA). */
  public SmartLog smart(int namespaceId) {
    require(IdentifyController.LPA_SMART_PER_NAMESPACE, "a SMART log for each namespace");
    return new SmartLog(read(LogPage.SMART, namespaceId, 0, SmartLog.SIZE));
  }

  /**
   * The errors that the controller has kept, newest first, of as many as it has room for (ELPE):
   * 256 at most.
   */
  public List<ErrorLogEntry> errors() {
    int entries = controller.identity().errorLogPageEntries() + 1;
    MemorySegment page = read(LogPage.ERROR_INFORMATION, entries * ErrorLogEntry.SIZE);
    List<ErrorLogEntry> errors = new ArrayList<>();
    for (long at = 0; at < page.byteSize(); at += ErrorLogEntry.SIZE) {
      ErrorLogEntry entry = new ErrorLogEntry(page.asSlice(at, ErrorLogEntry.SIZE));
      if (entry.errorCount() != 0) {
        errors.add(entry);
      }
    }
    return List.copyOf(errors);
  }

  /** Which firmware is in which slot. */
  public FirmwareSlotLog firmwareSlots() {
    return new FirmwareSlotLog(read(LogPage.FIRMWARE_SLOT, FirmwareSlotLog.SIZE));
  }

  /** Which commands the controller has, and what they affect. */
  public CommandEffectsLog commandEffects() {
    require(IdentifyController.LPA_COMMAND_EFFECTS, "a Commands Supported and Effects log");
    return new CommandEffectsLog(
        read(LogPage.COMMANDS_SUPPORTED_AND_EFFECTS, CommandEffectsLog.SIZE));
  }

  /** Which log pages the controller has; from NVMe 2.0 on. */
  public SupportedLogPages supportedPages() {
    return new SupportedLogPages(read(LogPage.SUPPORTED_LOG_PAGES, SupportedLogPages.SIZE));
  }

  /** How the last sanitize operation went, or goes. */
  public SanitizeStatusLog sanitizeStatus() {
    return new SanitizeStatusLog(read(LogPage.SANITIZE_STATUS, SanitizeStatusLog.SIZE));
  }

  private void require(int lpa, String what) {
    int has = controller.identity().lpa();
    if ((has & lpa) == 0) {
      throw new NvmeUnsupportedException(
          controller.name(),
          "the controller does not have %s (LPA 0x%02x)".formatted(what, has),
          null);
    }
  }
}
