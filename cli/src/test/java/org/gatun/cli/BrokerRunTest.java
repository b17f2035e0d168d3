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
      List<String> lines = readUntil(out, "guest teaching: INITIALISED -> CONNECTED");
      assertThat(lines)
          .containsExactly(
              "simulated:nvme: seized",
              "simulated:specimen: seized",
              "guest storage: INITIALISING -> INIT_WAIT: simulated:nvme, simulated:specimen",
              "guest storage: INIT_WAIT -> INITIALISED: simulated:nvme, simulated:specimen",
              "guest storage: INITIALISED -> CONNECTED: simulated:nvme, simulated:specimen",
              "simulated:edu: seized",
              "guest teaching: INITIALISING -> INIT_WAIT: simulated:edu",
              "guest teaching: INIT_WAIT -> INITIALISED: simulated:edu",
              "guest teaching: INITIALISED -> CONNECTED: simulated:edu");
      signal(broker, signal);
      assertThat(out.lines())
          .containsExactly(
              "guest teaching: CONNECTED -> CLOSING: simulated:edu",
              "guest teaching: CLOSING -> CLOSED",
              "guest storage: CONNECTED -> CLOSING: simulated:nvme, simulated:specimen",
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
      assertThat(all).hasSize(16);
      JsonNode granted = new ObjectMapper().readTree(all.get(2));
      assertThat(granted.at("/to").asText()).isEqualTo("INIT_WAIT");
      assertThat(granted.at("/devices/1").asText()).isEqualTo("simulated:specimen");
      JsonNode last = new ObjectMapper().readTree(all.getLast());
      assertThat(last.at("/event").asText()).isEqualTo("released");
    }
    assertThat(broker.waitFor()).isEqualTo(143);
  }

  @Test
  void isControlledWhileItRuns() throws Exception {
    Process broker = start();
    try (BufferedReader out = broker.inputReader(StandardCharsets.UTF_8)) {
      readUntil(out, "guest teaching: INITIALISED -> CONNECTED");
      awaitControl(broker);

      assertThat(control("guests").expectSuccess().out().lines())
          .map(line -> line.replaceAll(" +", " "))
          .containsExactly(
              "GUEST STATE DENIED DMA FAULTS REGISTERS BY DEVICES",
              "storage CONNECTED 0 0 trapped* %s simulated:nvme, simulated:specimen"
                  .formatted(folder.resolve("run/guests/storage")),
              "teaching CONNECTED 0 0 trapped* %s simulated:edu"
                  .formatted(folder.resolve("run/guests/teaching")),
              "* Registers of a real device are reached by messages, each some 30 us where mapped"
                  + " ones take some ns (docs/benchmarks.md). What a simulated device shares is"
                  + " mapped.");
      Path edu = folder.resolve("run/guests/teaching/slot-0.0.sock");
      assertThat(
              CommandLineRun.of("edu", "factorial", "5", "--device", "vfio-user:" + edu)
                  .expectSuccess()
                  .out())
          .contains("120");

      assertThat(control("revoke", "simulated:edu").expectSuccess().out())
          .isEqualTo("simulated:edu: taken from teaching\n");
      assertThat(edu).doesNotExist();
      assertThat(
              control("grant", "simulated:edu", "--guest", "storage", "--json")
                  .expectSuccess()
                  .json()
                  .path("guest")
                  .asText())
          .isEqualTo("storage");
      assertThat(folder.resolve("run/guests/storage/slot-2.0.sock")).exists();
      assertThat(control("guest", "stop", "storage").expectSuccess().out())
          .isEqualTo("storage: stopped\n");
      assertThat(control("guest", "start", "storage").expectSuccess().out())
          .isEqualTo("storage: started\n");
      control("grant", "simulated:edu", "--guest", "nobody")
          .expectFailure(ExitCode.FAILED, "no guest 'nobody'", "storage");
      control("revoke", "simulated:edu", "--deadline", "-1")
          .expectFailure(ExitCode.FAILED, "deadlineMillis");
      erases();
      signal(broker, "TERM");
      assertThat(out.lines()).contains("simulated:edu: released");
    }
    assertThat(broker.waitFor()).isEqualTo(143);
    control("guests").expectFailure(ExitCode.FAILED, "no broker answers", "gatun broker run");
  }

  private void erases() {
    control("erase", "simulated:nvme", "--yes")
        .expectFailure(ExitCode.FAILED, "guest storage has", "revoke");
    control("revoke", "simulated:nvme").expectSuccess();
    control("grant", "simulated:nvme", "--guest", "teaching")
        .expectFailure(ExitCode.FAILED, "data of guest storage", "gatun erase simulated:nvme");
    control("erase", "simulated:nvme")
        .expectFailure(ExitCode.USAGE, "erases all data on simulated:nvme (format)", "--yes");
    control("erase", "simulated:nvme", "--clear")
        .expectFailure(ExitCode.USAGE, "leaves what is on simulated:nvme", "--yes");
    control("erase", "simulated:nvme", "--clear", "--how", "format", "--yes")
        .expectFailure(ExitCode.USAGE, "one of them");
    control("erase", "simulated:nvme", "--how", "shred", "--yes")
        .expectFailure(ExitCode.USAGE, "shred", "format, sanitize");
    assertThat(
            control("erase", "simulated:nvme", "--how", "sanitize", "--yes").expectSuccess().out())
        .isEqualTo("simulated:nvme: erased\n");
    control("grant", "simulated:nvme", "--guest", "teaching").expectSuccess();
    control("revoke", "simulated:nvme").expectSuccess();
    assertThat(control("erase", "simulated:nvme", "--clear", "--yes").expectSuccess().out())
        .isEqualTo("simulated:nvme: cleared\n");
    control("erase", "simulated:nvme", "--clear", "--yes")
        .expectFailure(ExitCode.FAILED, "nothing to clear");
    control("grant", "simulated:nvme", "--guest", "storage").expectSuccess();
  }

  @Test
  void tellsWhoHasWhichDevice() throws Exception {
    Process broker =
        startWith(
            """
            policies:
              - {device: 'simulated:edu', on-release: quarantine}
            guests:
              - {name: storage, devices: ['simulated:nvme']}
              - {name: teaching, devices: ['simulated:edu']}
            """);
    try (BufferedReader out = broker.inputReader(StandardCharsets.UTF_8)) {
      readUntil(out, "guest teaching: INITIALISED -> CONNECTED");
      awaitControl(broker);
      assertThat(devices())
          .containsExactly(
              "DEVICE GUEST QUARANTINE LAST GUEST",
              "simulated:nvme storage - storage",
              "simulated:edu teaching - teaching");
      control("revoke", "simulated:nvme").expectSuccess();
      control("revoke", "simulated:edu").expectSuccess();
      assertThat(devices())
          .containsExactly(
              "DEVICE GUEST QUARANTINE LAST GUEST",
              "simulated:nvme - - storage",
              "simulated:edu - guest teaching has let go of it teaching");
      control("erase", "simulated:nvme", "--yes").expectSuccess();
      assertThat(devices()).contains("simulated:nvme - - -");

      JsonNode json = control("devices", "--json").expectSuccess().json();
      assertThat(json).hasSize(2);
      assertThat(json.at("/0/name").asText()).isEqualTo("simulated:nvme");
      assertThat(json.at("/0/guest").isMissingNode()).isTrue();
      assertThat(json.at("/1/quarantine").asText()).contains("let go");
      assertThat(json.at("/1/lastGuest").asText()).isEqualTo("teaching");
      signal(broker, "TERM");
      assertThat(out.lines()).contains("simulated:edu: released");
    }
    broker.waitFor();
    control("devices").expectFailure(ExitCode.FAILED, "no broker answers", "gatun broker run");
  }

  private List<String> devices() {
    return control("devices")
        .expectSuccess()
        .out()
        .lines()
        .map(line -> line.replaceAll(" +", " "))
        .toList();
  }

  private void awaitControl(Process broker) {
    while (!Files.exists(folder.resolve("run/control"))) {
      assertThat(broker.isAlive()).isTrue();
      Thread.onSpinWait();
    }
  }

  @Test
  void tellsWhoeverWatchesWhatHappens() throws Exception {
    Process broker = start();
    try (BufferedReader out = broker.inputReader(StandardCharsets.UTF_8)) {
      readUntil(out, "guest teaching: INITIALISED -> CONNECTED");
      awaitControl(broker);
      String socket = folder.resolve("run/control").toString();
      Process watcher = command(List.of("events", "--json", "--control", socket)).start();
      try (BufferedReader events = watcher.inputReader(StandardCharsets.UTF_8)) {
        // It says nothing before something happens.
        while (!events.ready()) {
          control("revoke", "simulated:edu");
          control("grant", "simulated:edu", "--guest", "teaching");
        }
        JsonNode event = new ObjectMapper().readTree(events.readLine());
        assertThat(event.path("guest").asText()).isEqualTo("teaching");
        assertThat(event.path("text").asText()).startsWith("guest teaching: ");
        signal(broker, "TERM");
        assertThat(events.lines()).anyMatch(line -> line.contains("\"released\""));
      }
      assertThat(watcher.errorReader().lines()).singleElement().asString().startsWith("gatun: ");
      assertThat(watcher.waitFor()).isEqualTo(ExitCode.FAILED);
    }
    broker.waitFor();
  }

  @Test
  void whatWasSeizedBeforeAFailureIsReleased() throws IOException {
    Path file =
        Files.writeString(
            folder.resolve("policy.yaml"),
            "guests: [{name: g, devices: [simulated:edu, vfio:ffff:00:1f.7]}]");
    List<String> command = new ArrayList<>(List.of("broker", "run", "--config", file.toString()));
    command.addAll(folders());
    CommandLineRun run = CommandLineRun.of(command.toArray(String[]::new));
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

  private List<String> folders() {
    return List.of(
        "--directory", folder.resolve("run").toString(), "--state", folder.resolve("s").toString());
  }

  /** A command that talks to the broker. */
  private CommandLineRun control(String... arguments) {
    List<String> all = new ArrayList<>(List.of(arguments));
    all.addAll(List.of("--control", folder.resolve("run/control").toString()));
    return CommandLineRun.of(all.toArray(String[]::new));
  }

  private Process start(String... options) throws IOException {
    return startWith(POLICY, options);
  }

  private Process startWith(String policy, String... options) throws IOException {
    Path file = Files.writeString(folder.resolve("policy.yaml"), policy);
    List<String> arguments = new ArrayList<>();
    arguments.addAll(List.of("broker", "run", "--config", file.toString()));
    arguments.addAll(folders());
    arguments.addAll(List.of(options));
    return command(arguments).start();
  }

  private static ProcessBuilder command(List<String> arguments) {
    List<String> command = new ArrayList<>();
    // A shell without job control has its background jobs ignore SIGINT, and that is inherited.
    command.addAll(List.of("env", "--default-signal=INT"));
    command.add(Path.of(System.getProperty("java.home"), "bin/java").toString());
    command.addAll(List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
    command.add("--enable-native-access=ALL-UNNAMED");
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Gatun.class.getName()));
    command.addAll(arguments);
    return new ProcessBuilder(command);
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
