package org.gatun.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The broker in the foreground, on simulated devices. */
@Timeout(120)
class BrokerRunTest {
  private static final String POLICY =
      """
      guests:
        - name: storage
          devices: [simulated:nvme, simulated:specimen]
        - name: teaching
          devices: [simulated:edu]
      """;

  @TempDir private Path folder;

  @ParameterizedTest
  @CsvSource({"INT, 130", "TERM, 143"})
  void grantsUntilASignalThenTakesAllBack(String signal, int status) throws Exception {
    Process broker = start();
    try (BufferedReader out = broker.inputReader(StandardCharsets.UTF_8)) {
      List<String> lines = readUntil(out, "guest teaching: INITIALISING -> INIT_WAIT");
      assertThat(lines)
          .containsExactly(
              "simulated:nvme: seized",
              "simulated:specimen: seized",
              "guest storage: INITIALISING -> INIT_WAIT: simulated:nvme, simulated:specimen",
              "simulated:edu: seized",
              "guest teaching: INITIALISING -> INIT_WAIT: simulated:edu");
      signal(broker, signal);
      assertThat(out.lines())
          .containsExactly(
              "guest teaching: INIT_WAIT -> CLOSING: simulated:edu",
              "guest teaching: CLOSING -> CLOSED",
              "guest storage: INIT_WAIT -> CLOSING: simulated:nvme, simulated:specimen",
              "guest storage: CLOSING -> CLOSED",
              "simulated:edu: released",
              "simulated:specimen: released",
              "simulated:nvme: released");
    }
    assertThat(broker.waitFor()).isEqualTo(status);
    assertThat(broker.errorReader().lines()).isEmpty();
  }

  @Test
  void tellsScriptsEachStep() throws Exception {
    Process broker = start("--json");
    try (BufferedReader out = broker.inputReader(StandardCharsets.UTF_8)) {
      List<String> lines = readUntil(out, "{\"event\":\"grant\",\"guest\":\"teaching\"");
      signal(broker, "TERM");
      List<String> all = Stream.concat(lines.stream(), out.lines()).toList();
      assertThat(all).hasSize(12);
      JsonNode granted = new ObjectMapper().readTree(all.get(2));
      assertThat(granted.at("/to").asText()).isEqualTo("INIT_WAIT");
      assertThat(granted.at("/devices/1").asText()).isEqualTo("simulated:specimen");
      JsonNode last = new ObjectMapper().readTree(all.getLast());
      assertThat(last.at("/event").asText()).isEqualTo("released");
    }
    assertThat(broker.waitFor()).isEqualTo(143);
  }

  @Test
  void whatWasSeizedBeforeAFailureIsReleased() throws IOException {
    Path file =
        Files.writeString(
            folder.resolve("policy.yaml"),
            "guests: [{name: g, devices: [simulated:edu, vfio:ffff:00:1f.7]}]");
    CommandLineRun run = CommandLineRun.of("broker", "run", "--config", file.toString());
    assertThat(run.out().lines())
        .containsExactly("simulated:edu: seized", "simulated:edu: released");
    assertThat(run.err().lines())
        .singleElement()
        .asString()
        .startsWith("gatun: vfio:ffff:00:1f.7: ");
    assertThat(run.status()).isEqualTo(ExitCode.UNAVAILABLE);
  }

  @Test
  void withoutGuestsThereIsNothingToDo() throws IOException {
    Path file = Files.writeString(folder.resolve("policy.yaml"), "policies: []");
    CommandLineRun.of("broker", "run", "--config", file.toString())
        .expectFailure(ExitCode.USAGE, "policy.yaml", "no guests");
  }

  private Process start(String... options) throws IOException {
    Path file = Files.writeString(folder.resolve("policy.yaml"), POLICY);
    List<String> command = new ArrayList<>();
    // A shell without job control has its background jobs ignore SIGINT, and that is inherited.
    command.addAll(List.of("env", "--default-signal=INT"));
    command.add(Path.of(System.getProperty("java.home"), "bin/java").toString());
    command.addAll(List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
    command.add("--enable-native-access=ALL-UNNAMED");
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Gatun.class.getName()));
    command.addAll(List.of("broker", "run", "--config", file.toString()));
    command.addAll(List.of(options));
    return new ProcessBuilder(command).start();
  }

  private static List<String> readUntil(BufferedReader out, String start) throws IOException {
    List<String> lines = new ArrayList<>();
    String line = out.readLine();
    while (line != null) {
      lines.add(line);
      if (line.startsWith(start)) {
        return lines;
      }
      line = out.readLine();
    }
    throw new AssertionError("it ended early: " + lines);
  }

  private static void signal(Process process, String signal) throws Exception {
    assertThat(
            new ProcessBuilder("kill", "-" + signal, Long.toString(process.pid()))
                .start()
                .waitFor())
        .isZero();
  }
}
