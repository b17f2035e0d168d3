package org.gatun.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.math.BigInteger;
import java.nio.file.Path;
import java.util.List;
import org.gatun.simulated.fault.Effect;
import org.gatun.simulated.fault.Fault;
import org.gatun.simulated.fault.Point;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.SmartLog;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The health of a disk in words, and {@code gatun nvme smart}. */
@Timeout(120)
class NvmeHealthTest {
  @TempDir private Path folder;

  @Test
  void aHealthyDisk() {
    CommandLineRun run = CommandLineRun.line("nvme smart --device simulated:nvme").expectSuccess();
    assertThat(run.out().lines())
        .contains(
            "critical warnings           none",
            "temperature                 20 °C, too warm from 70, too hot from 80",
            "available spare             100%, and a warning below 10%")
        .noneMatch(line -> line.startsWith("!") || line.startsWith("-"));
    JsonNode json =
        CommandLineRun.line("nvme smart --json --device simulated:nvme").expectSuccess().json();
    assertThat(json.at("/device").asText()).isEqualTo("simulated:nvme");
    assertThat(json.at("/temperatureCelsius").asInt()).isEqualTo(20);
    assertThat(json.at("/warnings")).isEmpty();
  }

  /** Of the disk's writes to memory, one is the log: bits of that are flipped. */
  @Test
  void aWarningIsTheExitStatus() {
    Fault flip = Fault.at(Point.DMA_WRITE, new Effect.Flip(0x0c)).times(1);
    CommandLineRun run;
    int skipped = 0;
    do {
      RecordedBackend.next(flip.after(skipped++));
      run =
          CommandLineRun.line(
              "nvme smart --device " + RecordedBackend.name(folder.resolve("record")));
    } while (run.status() != ExitCode.WARNING && skipped < 50);
    assertThat(run.status()).isEqualTo(ExitCode.WARNING);
    assertThat(run.out().lines())
        .contains("critical warnings           2")
        .contains(
            "! it can only be read any more: copy what is on it elsewhere ('gatun nvme copy'), and"
                + " replace it")
        .anyMatch(line -> line.startsWith("! media or internal errors have made it unreliable: "));
  }

  @ParameterizedTest
  @CsvSource({
    "0x01, spare blocks are used up",
    "0x02, a temperature is beyond its threshold",
    "0x04, unreliable",
    "0x08, can only be read",
    "0x10, backup of its volatile memory",
    "0x20, persistent memory region",
    "0x40, the specification does not say",
    "0x80, the specification does not say"
  })
  void eachWarningHasItsWords(String bit, String words) {
    SmartLog log = SmartLog.create();
    log.setCriticalWarning(Integer.decode(bit));
    List<NvmeHealth.Finding> warnings = health(log).warnings();
    assertThat(warnings).singleElement().satisfies(w -> assertThat(w.what()).contains(words));
    assertThat(warnings.getFirst().remedy()).isNotBlank();
  }

  @Test
  void whatTheDiskDoesNotWarnOf() {
    SmartLog log = SmartLog.create();
    assertThat(health(log).notes()).isEmpty();
    log.setPercentageUsed(99);
    assertThat(health(log).notes()).isEmpty();
    log.setPercentageUsed(100);
    log.setMediaErrors(BigInteger.ONE);
    log.setCriticalTemperatureTime(1);
    log.setEnduranceGroupCriticalWarning(1);
    assertThat(health(log).notes())
        .extracting(NvmeHealth.Finding::what)
        .containsExactly(
            "it has reached the end of its expected life",
            "it could not correct errors of its media, and data were lost",
            "it has been too hot",
            "an endurance group has a critical warning");
    assertThat(health(log).warnings()).isEmpty();
  }

  @Test
  void valuesHaveTheirUnits() {
    SmartLog log = SmartLog.create();
    log.setCompositeTemperature(263);
    log.setTemperatureSensor(8, 300);
    log.setDataUnitsRead(BigInteger.valueOf(2_000_000));
    log.setDataUnitsWritten(BigInteger.ONE.shiftLeft(128).subtract(BigInteger.ONE));
    log.setPercentageUsed(255);
    log.setPowerOnHours(BigInteger.valueOf(8760));
    assertThat(text(health(log)).lines().map(line -> line.replaceAll(" {2,}", "|")))
        .contains(
            "temperature|-10 °C",
            "temperature sensor 8|27 °C",
            "data read|953.7 GiB",
            "data written|" + UNITS_AT_MOST + " bytes",
            "used|255% of its expected life, or more",
            "power on|8760 h");
  }

  /** 2^128 - 1 units of 512,000 bytes. */
  private static final String UNITS_AT_MOST =
      BigInteger.ONE
          .shiftLeft(128)
          .subtract(BigInteger.ONE)
          .multiply(BigInteger.valueOf(512_000))
          .toString();

  private static NvmeHealth health(SmartLog log) {
    return new NvmeHealth(log, IdentifyController.create());
  }

  private static String text(NvmeHealth health) {
    StringWriter text = new StringWriter();
    health.print(new PrintWriter(text));
    return text.toString();
  }
}
