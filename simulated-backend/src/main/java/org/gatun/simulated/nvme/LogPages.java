package org.gatun.simulated.nvme;

import static java.util.Map.entry;

import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.function.Supplier;
import org.gatun.simulated.NvmeModel;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.CommandEffectsLog;
import org.gatun.specs.nvme.ErrorLogEntry;
import org.gatun.specs.nvme.LogPage;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SubmissionEntry;
import org.gatun.specs.nvme.SupportedLogPages;

/** Get Log Page (Base 5.16). All pages are of the controller as a whole. */
final class LogPages {
  private static final int INVALID_FIELD = NvmeStatus.INVALID_FIELD_IN_COMMAND.status();

  /** What Admin commands do besides being supported (Base 5.16.1.6). */
  private static final Map<Integer, Integer> ADMIN_EFFECTS =
      Map.ofEntries(
          entry(AdminOpcode.DELETE_IO_SUBMISSION_QUEUE, 0),
          entry(AdminOpcode.CREATE_IO_SUBMISSION_QUEUE, 0),
          entry(AdminOpcode.GET_LOG_PAGE, 0),
          entry(AdminOpcode.DELETE_IO_COMPLETION_QUEUE, 0),
          entry(AdminOpcode.CREATE_IO_COMPLETION_QUEUE, 0),
          entry(AdminOpcode.IDENTIFY, 0),
          entry(AdminOpcode.ABORT, 0),
          entry(AdminOpcode.SET_FEATURES, 0),
          entry(AdminOpcode.GET_FEATURES, 0),
          entry(AdminOpcode.ASYNCHRONOUS_EVENT_REQUEST, 0),
          entry(AdminOpcode.FIRMWARE_COMMIT, 0),
          entry(AdminOpcode.FIRMWARE_IMAGE_DOWNLOAD, 0),
          entry(
              AdminOpcode.FORMAT_NVM,
              CommandEffectsLog.LBCC | CommandEffectsLog.NCC | CommandEffectsLog.CSE_NAMESPACE),
          entry(AdminOpcode.SANITIZE, CommandEffectsLog.LBCC | CommandEffectsLog.CSE_ANY));

  /** The same of I/O commands. */
  private static final Map<Integer, Integer> IO_EFFECTS =
      Map.of(
          NvmOpcode.FLUSH, 0,
          NvmOpcode.WRITE, CommandEffectsLog.LBCC,
          NvmOpcode.READ, 0,
          NvmOpcode.COMPARE, 0,
          NvmOpcode.VERIFY, 0,
          NvmOpcode.WRITE_ZEROES, CommandEffectsLog.LBCC,
          NvmOpcode.DATASET_MANAGEMENT, CommandEffectsLog.LBCC);

  private final NvmeDevice device;
  private final NvmeModel model;
  private final Namespaces namespaces;
  private final Events events;
  private final Map<Integer, Supplier<MemorySegment>> pages;

  LogPages(
      NvmeDevice device,
      NvmeModel model,
      Namespaces namespaces,
      Events events,
      Health health,
      Firmware firmware,
      Erasure erasure) {
    this.device = device;
    this.model = model;
    this.namespaces = namespaces;
    this.events = events;
    this.pages =
        Map.of(
            LogPage.SUPPORTED_LOG_PAGES,
            this::supportedPages,
            LogPage.ERROR_INFORMATION,
            this::errors,
            LogPage.SMART,
            () -> health.log(device.traffic(), device.errors().count()).segment(),
            LogPage.FIRMWARE_SLOT,
            () -> firmware.log().segment(),
            LogPage.CHANGED_NAMESPACE_LIST,
            () -> namespaces.changed().segment(),
            LogPage.COMMANDS_SUPPORTED_AND_EFFECTS,
            this::effects,
            LogPage.SANITIZE_STATUS,
            () -> erasure.sanitizeStatus().segment());
  }

  int execute(SubmissionQueue queue, Command command, int pageSize) {
    int id = AdminCommand.logPage(command.dword10);
    Supplier<MemorySegment> source = pages.get(id);
    if (source == null) {
      return NvmeStatus.INVALID_LOG_PAGE.status();
    }
    if (command.nsid != 0 && command.nsid != SubmissionEntry.NSID_ALL) {
      return INVALID_FIELD; // no page is of one namespace
    }
    MemorySegment page = source.get();
    long size = AdminCommand.logPageSize(command.dword10, command.dword11);
    long offset = (command.dword12 & 0xffff_ffffL) | (long) command.dword13 << 32;
    if (size > model.maxTransfer() || offset < 0 || offset > page.byteSize() || offset % 4 != 0) {
      return INVALID_FIELD;
    }
    int status = DataPointer.send(queue, command, pageSize, page, offset, size);
    if (status == DataPointer.SUCCESS && !AdminCommand.isEventRetained(command.dword10)) {
      events.pageRead(id);
      if (id == LogPage.CHANGED_NAMESPACE_LIST) {
        namespaces.clearChanged();
      }
    }
    return status;
  }

  private MemorySegment supportedPages() {
    SupportedLogPages page = SupportedLogPages.create();
    pages.keySet().forEach(page::add);
    return page.segment();
  }

  private MemorySegment errors() {
    MemorySegment page = MemorySegment.ofArray(new byte[ErrorLog.ENTRIES * ErrorLogEntry.SIZE]);
    device.errors().write(page);
    return page;
  }

  private MemorySegment effects() {
    CommandEffectsLog page = CommandEffectsLog.create();
    if (model.hasShadowDoorbells()) {
      page.setAdmin(AdminOpcode.DOORBELL_BUFFER_CONFIG, CommandEffectsLog.CSUPP);
    }
    ADMIN_EFFECTS.forEach(
        (opcode, effects) -> page.setAdmin(opcode, CommandEffectsLog.CSUPP | effects));
    IO_EFFECTS.forEach((opcode, effects) -> page.setIo(opcode, CommandEffectsLog.CSUPP | effects));
    return page.segment();
  }
}
