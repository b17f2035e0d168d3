package org.gatun.broker.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.DeviceRequest.BarPart;
import org.gatun.broker.Quota;
import org.gatun.broker.policy.ConfigPolicy;
import org.gatun.broker.policy.Quirk;
import org.gatun.pci.DeviceName;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.pci.spi.Hazard;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class BrokerConfigTest {
  private static final PciId NVME = new PciId(0x1b36, 0x0010, 0, 0);
  private static final DeviceName DISK = DeviceName.parse("vfio:0000:00:04.0");
  private static final DeviceName OTHER = DeviceName.parse("vfio:0000:00:05.0");

  private static final String ALL =
      """
      policies:
        - device: vfio:0000:00:04.0
          permissive: true
          allow-interrupt-control: true
          show: [vendor-specific]
          quirks: ["0x48:2:0x00ff"]
          accept: [missing-reset]
          vectors: 8
          on-release: sanitize
          bars:
            0: [{offset: 0x0, length: 8K}, {offset: 0x4000, length: 4096}]
            2: []
        - id: 1b36:0010
          vectors: 2
      guests:
        - name: storage
          devices: [vfio:0000:00:04.0, "simulated:nvme,size=1G"]
          quota: {dma: 512M, mappings: 64}
        - name: other
          devices:
            - vfio:0000:00:05.0
          uids: [1000, 0x3e9]
          gid: 1000
        - name: later
      control:
        users: [alice]
      """;

  @TempDir private Path folder;

  @Test
  void saysWhatBecomesOfADevice() {
    PciClass disk = new PciClass(0x010802);
    PciClass edu = new PciClass(0x00ff00);
    BrokerConfig config = parse(ALL);
    assertThat(config.onRelease(DISK, NVME, disk)).isEqualTo(OnRelease.SANITIZE);
    assertThat(config.onRelease(OTHER, NVME, disk))
        .as("its policy is silent")
        .isEqualTo(OnRelease.KEEP);
    assertThat(config.onRelease(OTHER, NVME, edu)).isEqualTo(OnRelease.NOTHING);
    assertThatThrownBy(() -> parse("policies: [{id: '1b36:0010', on-release: burn}]"))
        .isInstanceOf(ConfigFileException.class)
        .hasMessageContaining(
            "policies[0].on-release: 'burn' is no step; there are nothing, keep, format, sanitize,"
                + " quarantine");
  }

  @Test
  void saysWhatAGuestGets() {
    BrokerConfig config = parse(ALL);
    assertThat(config.request(DISK, NVME))
        .isEqualTo(
            new DeviceRequest(
                DISK,
                new ConfigPolicy(
                    true, true, Set.of("vendor-specific"), List.of(new Quirk(0x48, 2, 0xff))),
                Map.of(
                    0, List.of(new BarPart(0, 0x2000), new BarPart(0x4000, 0x1000)), 2, List.of()),
                8,
                Set.of(Hazard.MISSING_RESET)));
    assertThat(config.guests())
        .containsExactly(
            new GuestConfig(
                "storage",
                List.of(DISK, DeviceName.parse("simulated:nvme,size=1G")),
                new Quota(512L << 20, 64),
                Set.of(),
                OptionalInt.empty(),
                Optional.empty()),
            new GuestConfig(
                "other",
                List.of(OTHER),
                Quota.DEFAULT,
                Set.of(1000, 1001),
                OptionalInt.of(1000),
                Optional.empty()),
            new GuestConfig(
                "later",
                List.of(),
                Quota.DEFAULT,
                Set.of(),
                OptionalInt.empty(),
                Optional.empty()));
    assertThat(config.controllers()).containsExactly("alice");
  }

  @Test
  void aProgramThatTheBrokerRuns() {
    BrokerConfig config =
        BrokerConfig.parse(
            "test",
            """
            guests:
              - name: storage
                program:
                  module-path: [/opt/guest.jar, /opt/drivers]
                  module: org.example.guest
                  arguments: [copy, 'a b']
                  root: /srv/root
                  heap: 64M
                  without: [landlock, user]
                  restart: on-failure
                  watchdog: 30s
                  limits: {cpu: 0.5, memory: 512M, threads: 100}
              - name: small
                program: {module-path: [/opt/guest.jar], module: org.example.guest}
            """);
    assertThat(config.guests().getFirst().program())
        .contains(
            new GuestProgram(
                List.of(Path.of("/opt/guest.jar"), Path.of("/opt/drivers")),
                "org.example.guest",
                List.of("copy", "a b"),
                Optional.of(Path.of("/srv/root")),
                64L << 20,
                Set.of(GuestProgram.Lock.LANDLOCK, GuestProgram.Lock.USER),
                new GuestProgram.Supervision(
                    GuestProgram.Restart.ON_FAILURE, Optional.of(Duration.ofSeconds(30))),
                new GuestProgram.Limits(
                    OptionalDouble.of(0.5), OptionalLong.of(512L << 20), OptionalInt.of(100))));
    GuestConfig small = config.guests().getLast();
    assertThat(small.quota().dmaBytes()).isEqualTo(GuestProgram.DEFAULT_DMA);
    assertThat(small.program().orElseThrow().heapBytes()).isEqualTo(GuestProgram.DEFAULT_HEAP);
    assertThat(small.program().orElseThrow().without()).isEmpty();
    assertThat(small.program().orElseThrow().supervision())
        .isEqualTo(GuestProgram.Supervision.DEFAULT);
    assertThat(small.program().orElseThrow().limits()).isEqualTo(GuestProgram.Limits.NONE);
    assertThat(small.program().orElseThrow().memoryBytes())
        .isEqualTo(GuestProgram.DEFAULT_HEAP + (128L << 20) + (256L << 20));
  }

  @Test
  void mistakesInAProgram() {
    assertThatThrownBy(
            () ->
                BrokerConfig.parse(
                    "test",
                    """
                    guests:
                      - name: storage
                        program:
                          module-path: [guest.jar]
                          without: [doors]
                          shell: sh
                          restart: maybe
                          limits: {cpu: half, disk: 1G}
                      - name: other
                        program:
                          module-path: [/opt/guest.jar]
                          module: org.example.guest
                          heap: 64M
                          limits: {memory: 64M}
                      - name: third
                        program:
                          module-path: [/opt/guest.jar]
                          module: org.example.guest
                          limits: {threads: 3}
                    """))
        .isInstanceOf(ConfigFileException.class)
        .hasMessageContaining("'guest.jar' does not begin with /")
        .hasMessageContaining("'doors' is no lock; there are namespaces, user, landlock, syscalls")
        .hasMessageContaining("'maybe' is not one of never, on-failure, always")
        .hasMessageContaining("the field 'module' is missing")
        .hasMessageContaining("there is no such field")
        .hasMessageContaining("'half' is no number of processors: write it like 0.5 or 2")
        .hasMessageContaining("there are cpu, memory, threads")
        .hasMessageContaining("67108864 bytes of memory: a heap of 67108864 and the JVM do not fit")
        .hasMessageContaining("3 threads: from 32 to 32768");
  }

  @Test
  void aPolicyForADeviceHidesTheOneForItsId() {
    BrokerConfig config = parse(ALL);
    assertThat(config.request(DISK, NVME).vectors()).isEqualTo(8);
    assertThat(config.request(OTHER, NVME)).isEqualTo(DeviceRequest.of(OTHER).withVectors(2));
  }

  @Test
  void withoutAPolicyTheBuiltInRulesHold() {
    assertThat(parse(ALL).request(OTHER, new PciId(1, 2, 0, 0))).isEqualTo(DeviceRequest.of(OTHER));
  }

  /** For YAML 1.1 these are numbers to the base of 60, booleans, octal, null and a date. */
  @ParameterizedTest
  @ValueSource(strings = {"12:30:45", "no", "off", "0o17", "~x", "2026-01-01", "1e3", ".inf"})
  void textIsNotGuessedToBeSomethingElse(String text) {
    BrokerConfig config =
        parse(
            "guests: [{name: g, devices: [\"simulated:%s\", simulated:x%s]}]"
                .formatted(text, text));
    assertThat(config.guests().getFirst().devices())
        .extracting(DeviceName::text)
        .containsExactly(text, "x" + text);
  }

  @Test
  void anAddressIsNoNumberInAnyStyle() {
    BrokerConfig config =
        parse(
            """
            policies:
              - {id: 1000:0010}
              - {id: 10e4:0011}
            guests: [{name: "10", devices: [vfio:0000:00:04.0, 'vfio:0000:00:05.0']}]
            """);
    assertThat(config.policies())
        .extracting(p -> p.match().toString())
        .containsExactly("1000:0010", "10e4:0011");
    assertThat(config.guests().getFirst().devices()).containsExactly(DISK, OTHER);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          polices: []                                        | 1:1  | polices                   | there is no such field; there are policies, guests, control
          [1, 2]                                             | 1:1  |                           | a group of fields is wanted
          policies:                                          | 1:10 | policies                  | a list is wanted, not nothing
          policies: {id: 1b36:0010}                          | 1:11 | policies                  | a list is wanted, not a group of fields
          policies: [vfio:x]                                 | 1:12 | policies[0]               | not 'vfio:x'
          policies: [{vectors: 1}]                           | 1:12 | policies[0]               | 'device' or about an 'id'
          policies: [{device: a:b, id: 1b36:0010}]           | 1:12 | policies[0]               | one of both
          policies: [{device: nowhere}]                      | 1:21 | policies[0].device        | 'nowhere' has no scheme
          policies: [{id: 1b36}]                             | 1:17 | policies[0].id            | VENDOR:DEVICE, such as 1b36:0010
          policies: [{id: 1b36:0010}, {id: 1B36:0010}]       | 1:34 | policies[1].id            | a policy for 1b36:0010 already
          policies: [{id: 1b36:0010, permissive: no}]        | 1:40 | policies[0].permissive    | 'no' is neither true nor false
          policies: [{id: 1b36:0010, permissive: }]          | 1:39 | policies[0].permissive    | a value is wanted, not nothing
          policies: [{id: 1b36:0010, show: [sriov]}]         | 1:35 | policies[0].show[0]       | 'sriov' is not a hidden capability; hidden are
          policies: [{id: 1b36:0010, quirks: [0x48:3:0x1]}]  | 1:37 | policies[0].quirks[0]     | '0x48:3:0x1' is no quirk: REGISTER:SIZE:MASK
          policies: [{id: 1b36:0010, quirks: [0x49:2:0x1]}]  | 1:37 | policies[0].quirks[0]     | 2 bytes at offset 0x49
          policies: [{id: 1b36:0010, accept: [danger]}]      | 1:37 | policies[0].accept[0]     | there are unprotected-dma
          policies: [{id: 1b36:0010, vectors: 2049}]         | 1:37 | policies[0].vectors       | '2049' is too large: at most 2048
          policies: [{id: 1b36:0010, vectors: -1}]           | 1:37 | policies[0].vectors       | '-1' is not a number
          policies: [{id: 1b36:0010, bars: {6: []}}]         | 1:35 | policies[0].bars.6        | there are 0, 1, 2, 3, 4, 5
          policies: [{id: 1b36:0010, bars: {0: all}}]        | 1:38 | policies[0].bars.0        | a list is wanted, not 'all'
          policies: [{id: 1b36:0010, bars: {0: [{offset: 0}]}}] | 1:39 | policies[0].bars.0[0]  | the field 'length' is missing
          policies: [{id: 1b36:0010, bars: {0: [{offset: 4, length: 8}]}}] | 1:39 | policies[0].bars.0[0] | multiples of 8
          policies: [{id: 1b36:0010, bars: {0: [{offset: 010, length: 8}]}}] | 1:48 | policies[0].bars.0[0].offset | '010' is not a number
          guests: [{devices: [a:b]}]                         | 1:10 | guests[0]                 | the field 'name' is missing
          guests: [{name: ../x, devices: [a:b]}]             | 1:17 | guests[0].name            | '../x' is no name
          guests: [{name: g, uids: [root]}]                  | 1:27 | guests[0].uids[0]         | 'root' is not a number
          guests: [{name: g, gid: 4G}]                       | 1:25 | guests[0].gid             | too large: at most 2147483647
          control: {users: root}                             | 1:18 | control.users             | a list is wanted, not 'root'
          control: {uids: [0]}                               | 1:11 | control.uids              | there are users
          guests: [{name: g, devices: [a:b, {a: b}]}]        | 1:35 | guests[0].devices[1]      | a value is wanted, not a group of fields
          guests: [{name: g, devices: [a:b, a:b]}]           | 1:35 | guests[0].devices[1]      | a:b goes to guest g already
          guests: [{name: g, devices: [a:b]}, {name: g, devices: [a:c]}] | 1:44 | guests[1].name | a guest 'g' already
          guests: [{name: g, devices: [a:b]}, {name: h, devices: [a:b]}] | 1:57 | guests[1].devices[0] | a:b goes to guest g already
          guests: [{name: g, devices: [a:b], quota: {dma: 1.5G}}] | 1:49 | guests[0].quota.dma  | '1.5G' is not a number
          guests: [{name: g, devices: [a:b], quota: {dma: 9999999T}}] | 1:49 | guests[0].quota.dma | too large
          guests: [{name: g, devices: [a:b], quota: {mappings: 4G}}] | 1:54 | guests[0].quota.mappings | too large: at most 2147483647
          guests: [{name: g, devices: [a:b], quota: {memory: 1}}] | 1:44 | guests[0].quota.memory | there are dma, mappings
          """)
  void errorsPointAtLineAndField(String text, String place, String field, String problem) {
    ConfigFileException e = failure(text);
    assertThat(e.problems()).hasSize(1);
    assertThat(e)
        .hasMessageStartingWith("test.yaml:" + place + ": " + (field == null ? "" : field + ": "))
        .hasMessageContaining(problem)
        .hasMessageNotContaining("\n");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          guests: [                              | 1:10 | this is no YAML
          guests: {a: b}}                        | 1:15 | this is no YAML
          guests: &x []                          | 1:9  | anchors
          guests: *x                             | 1:9  | aliases
          guests: !!set {}                       | 1:9  | tags
          guests: !java.io.File [x]              | 1:9  | tags
          {guests: [], guests: []}               | 1:14 | field 'guests' is there twice
          {[a]: b}                               | 1:2  | a field has a name
          """)
  void whatIsNotTheYamlThatIsTakenIsRefused(String text, String place, String problem) {
    assertThat(failure(text))
        .hasMessageStartingWith("test.yaml:" + place + ": ")
        .hasMessageContaining(problem);
  }

  @Test
  void aFileIsOneDocumentAndNotEmpty() {
    assertThat(failure("guests: []\n---\nguests: []\n"))
        .hasMessageStartingWith("test.yaml:3:1: a second document");
    assertThat(failure("")).hasMessageContaining("there is nothing in the file");
    assertThat(failure("# only this\n")).hasMessageContaining("there is nothing in the file");
  }

  @Test
  void allProblemsAreToldAtOnceInTheOrderOfTheFile() {
    ConfigFileException e =
        failure(
            """
            guests:
              - name: g
                devices: [x]
            policies:
              - id: 1b36:0010
                permissive: maybe
              - colour: red
                id: what
            """);
    assertThat(e.problems())
        .extracting(p -> p.line() + " " + p.field())
        .containsExactly(
            "3 guests[0].devices[0]",
            "6 policies[0].permissive",
            "7 policies[1].colour",
            "8 policies[1].id");
  }

  /** A terminal obeys control characters, and a log believes line breaks. */
  @Test
  void whatAFileSaysCanNotForgeTheError() {
    ConfigFileException e =
        failure(
            "guests: [{name: \"a\\e[31m\\nok%s\", devices: [a:b]}]".formatted("x".repeat(9999)));
    assertThat(e.getMessage()).doesNotContainPattern("\\p{Cntrl}").hasSizeLessThan(500);
  }

  @ParameterizedTest
  @CsvSource({"[, 100000", "'{a: ', 50000", "'- ', 100000", "'? ', 100000", "'[{a: ', 40000"})
  void deepNestingIsRefused(String open, int count) {
    assertThat(failure(open.repeat(count))).hasMessageContaining("nested too deeply");
  }

  @Test
  void manyErrorsAreAnErrorToo() {
    assertThat(failure("guests: [" + "a, ".repeat(50_000) + "]").problems())
        .hasSizeLessThanOrEqualTo(100);
  }

  @Test
  void filesAreReadToALimit() throws IOException {
    assertThatThrownBy(() -> BrokerConfig.read(Path.of("/dev/zero")))
        .isInstanceOf(ConfigFileException.class)
        .hasMessageContaining("larger than 256 KiB");
    assertThatThrownBy(() -> BrokerConfig.read(folder.resolve("none")))
        .isInstanceOf(NoSuchFileException.class);
    Path file = folder.resolve("policy.yaml");
    Files.write(file, new byte[] {'a', ':', '\n', 'b', (byte) 0xff});
    assertThatThrownBy(() -> BrokerConfig.read(file))
        .hasMessage(file + ":2:2: this is not UTF-8 text");
    Files.write(file, new byte[] {'a', ':', '\n', 0});
    assertThatThrownBy(() -> BrokerConfig.read(file))
        .hasMessageStartingWith(file + ":2:1: this is no YAML: the character U+0000");
    Files.writeString(file, ALL);
    assertThat(BrokerConfig.read(file)).isEqualTo(parse(ALL));
  }

  private static BrokerConfig parse(String text) {
    return BrokerConfig.parse("test.yaml", text);
  }

  private static ConfigFileException failure(String text) {
    ConfigFileException e =
        catchThrowableOfType(
            ConfigFileException.class, () -> BrokerConfig.parse("test.yaml", text));
    assertThat(e).as(text).isNotNull();
    return e;
  }
}
