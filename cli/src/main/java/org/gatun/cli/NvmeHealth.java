package org.gatun.cli;

import java.io.PrintWriter;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.SmartLog;

/** What a disk's SMART / Health Information log says, in words, and what to do about it. */
final class NvmeHealth {
  /** In kelvins, of which the specification has whole ones. */
  static final int ZERO_CELSIUS = 273;

  /** Data units are thousands of these (Base 5.16.1.3). */
  private static final BigInteger DATA_UNIT = BigInteger.valueOf(512_000);

  private static final int SENSORS = 8;
  private static final String REPLACE =
      "copy what is on it elsewhere ('gatun nvme copy'), and replace it";

  /** A bit of Critical Warning. */
  private enum Warning {
    SPARE(SmartLog.CRITICAL_WARNING_SPARE, "its spare blocks are used up", REPLACE),
    TEMPERATURE(
        SmartLog.CRITICAL_WARNING_TEMPERATURE,
        "a temperature is beyond its threshold",
        "see to its cooling, and give it less to do until it is"),
    RELIABILITY(
        SmartLog.CRITICAL_WARNING_RELIABILITY,
        "media or internal errors have made it unreliable",
        REPLACE),
    READ_ONLY(SmartLog.CRITICAL_WARNING_READ_ONLY, "it can only be read any more", REPLACE),
    BACKUP(
        SmartLog.CRITICAL_WARNING_VOLATILE_MEMORY_BACKUP,
        "the backup of its volatile memory has failed",
        "flush what must survive a loss of power, and replace it"),
    PERSISTENT_MEMORY(
        SmartLog.CRITICAL_WARNING_PERSISTENT_MEMORY_REGION,
        "its persistent memory region is read only or unreliable",
        "keep nothing there"),
    RESERVED(0xc0, "it warns of what the specification does not say", "see the vendor's manual");

    private final int bits;
    private final String what;
    private final String remedy;

    Warning(int bits, String what, String remedy) {
      this.bits = bits;
      this.what = what;
      this.remedy = remedy;
    }
  }

  /**
   * Something that is not as it should be.
   *
   * @param remedy what to do
   */
  record Finding(String what, String remedy) {
    Map<String, Object> json() {
      Map<String, Object> json = new LinkedHashMap<>();
      json.put("what", what);
      json.put("remedy", remedy);
      return json;
    }

    @Override
    public String toString() {
      return what + ": " + remedy;
    }
  }

  /**
   * A value of the log.
   *
   * @param text for people
   */
  private record Value(String label, String key, Object value, String text) {}

  private final SmartLog log;
  private final List<Value> values;

  /**
   * @param identity of the controller: it has the limits of the temperature
   */
  NvmeHealth(SmartLog log, IdentifyController identity) {
    this.log = log;
    this.values = values(log, identity);
  }

  /** The critical warnings, which the disk gives itself. */
  List<Finding> warnings() {
    List<Finding> warnings = new ArrayList<>();
    for (Warning warning : Warning.values()) {
      if ((log.criticalWarning() & warning.bits) != 0) {
        warnings.add(new Finding(warning.what, warning.remedy));
      }
    }
    return warnings;
  }

  /** What the disk does not warn of, and its owner should know. */
  List<Finding> notes() {
    List<Finding> notes = new ArrayList<>();
    if (log.percentageUsed() >= 100) {
      notes.add(new Finding("it has reached the end of its expected life", "plan to replace it"));
    }
    if (log.mediaErrors().signum() > 0) {
      notes.add(
          new Finding(
              "it could not correct errors of its media, and data were lost",
              "see 'gatun nvme log --page errors', and compare with a backup"));
    }
    if (log.criticalTemperatureTime() > 0) {
      notes.add(new Finding("it has been too hot", "see to its cooling"));
    }
    if (log.enduranceGroupCriticalWarning() != 0) {
      notes.add(new Finding("an endurance group has a critical warning", REPLACE));
    }
    return notes;
  }

  Map<String, Object> json() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("warnings", warnings().stream().map(Finding::json).toList());
    json.put("notes", notes().stream().map(Finding::json).toList());
    values.forEach(value -> json.put(value.key, value.value));
    return json;
  }

  void print(PrintWriter out) {
    List<Finding> warnings = warnings();
    Table table = new Table();
    table.row("critical warnings", warnings.isEmpty() ? "none" : warnings.size());
    values.forEach(value -> table.row(value.label, value.text));
    table.print(out);
    warnings.forEach(warning -> out.println("! " + warning));
    notes().forEach(note -> out.println("- " + note));
  }

  private static List<Value> values(SmartLog log, IdentifyController identity) {
    List<Value> values = new ArrayList<>();
    if (log.compositeTemperature() != 0) {
      values.add(temperature(log, identity));
    }
    IntStream.rangeClosed(1, SENSORS)
        .filter(sensor -> log.temperatureSensor(sensor) != 0)
        .mapToObj(sensor -> sensor(sensor, log.temperatureSensor(sensor) - ZERO_CELSIUS))
        .forEach(values::add);
    values.add(
        new Value(
            "available spare",
            "availableSparePercent",
            log.availableSpare(),
            "%d%%, and a warning below %d%%"
                .formatted(log.availableSpare(), log.availableSpareThreshold())));
    values.add(
        new Value(
            "used",
            "percentageUsed",
            log.percentageUsed(),
            "%d%% of its expected life%s"
                .formatted(log.percentageUsed(), log.percentageUsed() == 255 ? ", or more" : "")));
    values.add(bytes("data read", "bytesRead", log.dataUnitsRead()));
    values.add(bytes("data written", "bytesWritten", log.dataUnitsWritten()));
    values.add(count("read commands", "readCommands", log.hostReadCommands()));
    values.add(count("write commands", "writeCommands", log.hostWriteCommands()));
    values.add(unit("busy", "busyMinutes", log.controllerBusyTime(), "min"));
    values.add(count("power cycles", "powerCycles", log.powerCycles()));
    values.add(unit("power on", "powerOnHours", log.powerOnHours(), "h"));
    values.add(count("unsafe shutdowns", "unsafeShutdowns", log.unsafeShutdowns()));
    values.add(count("media errors", "mediaErrors", log.mediaErrors()));
    values.add(count("entries in the error log", "errorLogEntries", log.errorLogEntries()));
    values.add(
        unit(
            "above warning temperature",
            "warningTemperatureMinutes",
            BigInteger.valueOf(log.warningTemperatureTime()),
            "min"));
    values.add(
        unit(
            "above critical temperature",
            "criticalTemperatureMinutes",
            BigInteger.valueOf(log.criticalTemperatureTime()),
            "min"));
    return values;
  }

  private static Value temperature(SmartLog log, IdentifyController identity) {
    int celsius = log.compositeTemperature() - ZERO_CELSIUS;
    StringBuilder text = new StringBuilder(celsius + " °C");
    if (identity.warningTemperature() != 0) {
      text.append(", too warm from %d".formatted(identity.warningTemperature() - ZERO_CELSIUS));
    }
    if (identity.criticalTemperature() != 0) {
      text.append(", too hot from %d".formatted(identity.criticalTemperature() - ZERO_CELSIUS));
    }
    return new Value("temperature", "temperatureCelsius", celsius, text.toString());
  }

  private static Value sensor(int number, int celsius) {
    return new Value(
        "temperature sensor " + number,
        "temperatureSensor%dCelsius".formatted(number),
        celsius,
        celsius + " °C");
  }

  private static Value bytes(String label, String key, BigInteger units) {
    BigInteger bytes = units.multiply(DATA_UNIT);
    return new Value(
        label,
        key,
        bytes,
        bytes.bitLength() < Long.SIZE
            ? new ByteSize(bytes.longValue()).rounded()
            : bytes + " bytes");
  }

  private static Value count(String label, String key, BigInteger count) {
    return new Value(label, key, count, count.toString());
  }

  private static Value unit(String label, String key, BigInteger count, String unit) {
    return new Value(label, key, count, count + " " + unit);
  }
}
