package org.gatun.cli;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.CommandEffectsLog;
import org.gatun.specs.nvme.ErrorLogEntry;
import org.gatun.specs.nvme.FirmwareSlotLog;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.LogPage;
import org.gatun.specs.nvme.NamespaceList;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SanitizeStatusLog;
import org.gatun.specs.nvme.SmartLog;
import org.gatun.specs.nvme.SupportedLogPages;

/** A log page that has a name on the command line, and what it says (Base 5.16.1). */
enum NvmeLogPage implements Numbered {
  SUPPORTED(LogPage.SUPPORTED_LOG_PAGES, SupportedLogPages.SIZE),
  ERRORS(LogPage.ERROR_INFORMATION, ErrorLogEntry.SIZE) {
    @Override
    int size(IdentifyController identity) {
      return (identity.errorLogPageEntries() + 1) * super.size(identity);
    }
  },
  SMART(LogPage.SMART, SmartLog.SIZE),
  FIRMWARE(LogPage.FIRMWARE_SLOT, FirmwareSlotLog.SIZE),
  CHANGED_NAMESPACES(LogPage.CHANGED_NAMESPACE_LIST, NamespaceList.SIZE),
  EFFECTS(LogPage.COMMANDS_SUPPORTED_AND_EFFECTS, CommandEffectsLog.SIZE),
  SELF_TEST(LogPage.DEVICE_SELF_TEST, 564),
  TELEMETRY_HOST(LogPage.TELEMETRY_HOST, 512),
  TELEMETRY_CONTROLLER(LogPage.TELEMETRY_CONTROLLER, 512),
  ENDURANCE_GROUP(LogPage.ENDURANCE_GROUP, 512),
  NAMESPACE_ACCESS(LogPage.ASYMMETRIC_NAMESPACE_ACCESS, 512),
  PERSISTENT_EVENTS(LogPage.PERSISTENT_EVENT, 512),
  RESERVATIONS(LogPage.RESERVATION_NOTIFICATION, 64),
  SANITIZE(LogPage.SANITIZE_STATUS, SanitizeStatusLog.SIZE);

  private static final int NUMBERS = 256;

  private final int number;
  private final int size;

  NvmeLogPage(int number, int size) {
    this.number = number;
    this.size = size;
  }

  @Override
  public int number() {
    return number;
  }

  /** How many bytes of it there are, or, where only the page itself tells, its first ones. */
  int size(IdentifyController identity) {
    return size;
  }

  /** As it is typed. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /**
   * What it says.
   *
   * @param data all of it
   * @return empty if that is not known here
   */
  Optional<Words> words(MemorySegment data, IdentifyController identity) {
    return switch (this) {
      case SUPPORTED -> Optional.of(Words.table(supported(new SupportedLogPages(data))));
      case ERRORS -> Optional.of(Words.table(errors(data)));
      case SMART -> {
        NvmeHealth health = new NvmeHealth(new SmartLog(data), identity);
        yield Optional.of(new Words(health.json(), health::print));
      }
      case FIRMWARE -> Optional.of(Words.table(firmware(new FirmwareSlotLog(data))));
      case CHANGED_NAMESPACES -> Optional.of(Words.table(namespaces(new NamespaceList(data))));
      case EFFECTS -> Optional.of(Words.table(effects(new CommandEffectsLog(data))));
      case SANITIZE -> Optional.of(Words.values(sanitize(new SanitizeStatusLog(data))));
      default -> Optional.empty();
    };
  }

  private static List<Map<String, Object>> supported(SupportedLogPages log) {
    return IntStream.range(0, NUMBERS)
        .filter(log::supports)
        .mapToObj(
            number ->
                Words.line(
                    "page",
                    "0x%02x".formatted(number),
                    "name",
                    Numbered.find(values(), number).map(NvmeLogPage::toString).orElse("-")))
        .toList();
  }

  private static List<Map<String, Object>> errors(MemorySegment data) {
    List<Map<String, Object>> lines = new ArrayList<>();
    for (long at = 0; at < data.byteSize(); at += ErrorLogEntry.SIZE) {
      ErrorLogEntry entry = new ErrorLogEntry(data.asSlice(at, ErrorLogEntry.SIZE));
      if (entry.errorCount() != 0) {
        lines.add(
            Words.line(
                "number", Long.toUnsignedString(entry.errorCount()),
                "queue", applicable(entry.submissionQueueId()),
                "command", applicable(entry.commandId()),
                "namespace", entry.namespaceId(),
                "block", Long.toUnsignedString(entry.lba()),
                "status", NvmeStatus.describe(entry.status())));
      }
    }
    return lines;
  }

  private static Object applicable(int value) {
    return value == ErrorLogEntry.NOT_APPLICABLE ? "-" : value;
  }

  private static List<Map<String, Object>> firmware(FirmwareSlotLog log) {
    return IntStream.rangeClosed(1, FirmwareSlotLog.MAX_SLOTS)
        .filter(slot -> slot == log.activeSlot() || !log.revision(slot).isEmpty())
        .mapToObj(
            slot ->
                Words.line(
                    "slot",
                    slot,
                    "revision",
                    log.revision(slot),
                    "active",
                    slot == log.activeSlot()
                        ? "now"
                        : slot == log.nextSlot() ? "after a reset" : "no"))
        .toList();
  }

  private static List<Map<String, Object>> namespaces(NamespaceList log) {
    return IntStream.range(0, log.count())
        .mapToObj(i -> Words.line("namespace", Integer.toUnsignedString(log.namespaceId(i))))
        .toList();
  }

  private static List<Map<String, Object>> effects(CommandEffectsLog log) {
    List<Map<String, Object>> lines = new ArrayList<>();
    for (int opcode = 0; opcode < NUMBERS; opcode++) {
      if ((log.admin(opcode) & CommandEffectsLog.CSUPP) != 0) {
        lines.add(effect("admin", opcode, AdminOpcode.name(opcode), log.admin(opcode)));
      }
    }
    for (int opcode = 0; opcode < NUMBERS; opcode++) {
      if ((log.io(opcode) & CommandEffectsLog.CSUPP) != 0) {
        lines.add(effect("I/O", opcode, NvmOpcode.name(opcode), log.io(opcode)));
      }
    }
    return lines;
  }

  private static Map<String, Object> effect(String kind, int opcode, String name, int effects) {
    Map<Integer, String> changes = new LinkedHashMap<>();
    changes.put(CommandEffectsLog.LBCC, "blocks");
    changes.put(CommandEffectsLog.NCC, "a namespace");
    changes.put(CommandEffectsLog.NIC, "the namespaces");
    changes.put(CommandEffectsLog.CCC, "the controller");
    String may =
        changes.entrySet().stream()
            .filter(change -> (effects & change.getKey()) != 0)
            .map(Map.Entry::getValue)
            .collect(Collectors.joining(", "));
    return Words.line(
        "kind",
        kind,
        "opcode",
        "0x%02x".formatted(opcode),
        "name",
        name,
        "mayChange",
        may.isEmpty() ? "-" : may);
  }

  private static Map<String, Object> sanitize(SanitizeStatusLog log) {
    String status =
        switch (log.status()) {
          case SanitizeStatusLog.STATUS_NEVER -> "never sanitized";
          case SanitizeStatusLog.STATUS_SUCCESS -> "sanitized";
          case SanitizeStatusLog.STATUS_SUCCESS_DEALLOCATED -> "sanitized and deallocated";
          case SanitizeStatusLog.STATUS_IN_PROGRESS ->
              "in progress: %d%%".formatted(log.progress() * 100 / 65536);
          case SanitizeStatusLog.STATUS_FAILED -> "failed: it gives nothing until one succeeds";
          default -> "unknown (SSTAT 0x%04x)".formatted(log.sstat());
        };
    return Words.line(
        "lastSanitize", status,
        "blockErase", estimate(log, AdminCommand.SANITIZE_BLOCK_ERASE),
        "overwrite", estimate(log, AdminCommand.SANITIZE_OVERWRITE),
        "cryptoErase", estimate(log, AdminCommand.SANITIZE_CRYPTO_ERASE));
  }

  private static String estimate(SanitizeStatusLog log, int action) {
    long seconds = log.estimatedSeconds(action);
    return seconds == SanitizeStatusLog.NO_ESTIMATE
        ? "not estimated"
        : "about %d s".formatted(seconds);
  }
}
