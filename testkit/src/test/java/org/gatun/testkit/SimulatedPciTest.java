package org.gatun.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.testkit.engine.EventConditions.event;
import static org.junit.platform.testkit.engine.EventConditions.finishedSuccessfully;
import static org.junit.platform.testkit.engine.EventConditions.finishedWithFailure;
import static org.junit.platform.testkit.engine.EventConditions.test;
import static org.junit.platform.testkit.engine.TestExecutionResultConditions.instanceOf;
import static org.junit.platform.testkit.engine.TestExecutionResultConditions.message;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.assertj.core.api.Condition;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.pci.Vector;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.SpecimenModel;
import org.gatun.simulated.fault.Effect;
import org.gatun.simulated.fault.Fault;
import org.gatun.simulated.fault.Faults;
import org.gatun.simulated.fault.Point;
import org.gatun.simulated.trace.Recorder;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.extension.ParameterResolutionException;
import org.junit.jupiter.api.io.TempDir;
import org.junit.platform.testkit.engine.EngineExecutionResults;
import org.junit.platform.testkit.engine.EngineTestKit;
import org.opentest4j.AssertionFailedError;

/** Runs the classes below, some of which must fail, through JUnit. */
class SimulatedPciTest {
  private static final List<PciDevice> SEEN = new ArrayList<>();

  private static EngineExecutionResults run(Class<?> testClass) {
    SEEN.clear();
    return EngineTestKit.engine("junit-jupiter").selectors(selectClass(testClass)).execute();
  }

  @SimulatedPci
  static class Clean {
    @Test
    void closes(@Device("edu") PciDevice device) {
      SEEN.add(device);
      device.bar(0).orElseThrow().map(0, 4).close();
      device.dma().allocate(4096, 4096).close();
    }

    @Test
    void closesTheDevice(@Device("edu") PciDevice device) {
      SEEN.add(device);
      assertThat(device.dma().allocate(4096, 4096).size()).isEqualTo(4096);
      device.close();
    }
  }

  @Test
  void aTestThatClosesWhatItOpensPasses() {
    run(Clean.class).testEvents().assertStatistics(s -> s.succeeded(2).failed(0));

    assertThat(SEEN).hasSize(2).doesNotHaveDuplicates();
    assertThat(SEEN.getFirst().usage()).isEqualTo(PciDevice.Usage.NONE);
  }

  @SimulatedPci
  static class Leaking {
    @Test
    void leaksAll(@Device("edu") PciDevice device) {
      SEEN.add(device);
      Mmio mapping = device.bar(0).orElseThrow().map(0, 4);
      List<DmaBuffer> buffers =
          List.of(device.dma().allocate(4096, 4096), device.dma().allocate(8192, 4096));
      assertThat(device.interrupts().enable(Kind.MSI, 1)).hasSize(1);
      assertThat(mapping.size()).isEqualTo(4);
      assertThat(buffers).hasSize(2);
    }

    @Test
    void leaksOne(@Device("edu") PciDevice device) {
      assertThat(device.bar(0).orElseThrow().map(0, 4).size()).isEqualTo(4);
    }

    @Test
    void failsAnyway(@Device("edu") PciDevice device) {
      assertThat(device.bar(0).orElseThrow().map(0, 4).size()).as("on purpose").isEqualTo(5);
    }
  }

  @Test
  void aTestThatLeaksFailsAndSaysWhat() {
    EngineExecutionResults results = run(Leaking.class);

    results
        .testEvents()
        .assertThatEvents()
        .haveExactly(
            1,
            event(
                test("leaksAll"),
                finishedWithFailure(
                    instanceOf(AssertionFailedError.class),
                    message(
                        "left open after the test: simulated:edu: 1 mapping, 2 DMA buffers (12288"
                            + " bytes), 1 interrupt vector. Close what was opened"))))
        .haveExactly(
            1,
            event(
                test("leaksOne"),
                finishedWithFailure(
                    message(
                        "left open after the test: simulated:edu: 1 mapping. Close what was"
                            + " opened"))))
        .haveExactly(
            1,
            event(
                test("failsAnyway"),
                finishedWithFailure(
                    message(m -> m.contains("on purpose")),
                    new Condition<>(t -> t.getSuppressed().length == 0, "nothing suppressed"))));
    assertThat(SEEN.getFirst().usage()).as("closed all the same").isEqualTo(PciDevice.Usage.NONE);
  }

  @SimulatedPci
  static class WithAfterEach {
    private final PciDevice device;
    private final Mmio mapping;

    WithAfterEach(@Device("edu") PciDevice device) {
      this.device = device;
      this.mapping = device.bar(0).orElseThrow().map(0, 4);
    }

    @BeforeEach
    void sameDevice(@Device("edu") PciDevice other) {
      assertThat(other).isSameAs(device);
    }

    @Test
    void one() {
      SEEN.add(device);
    }

    @Test
    void two() {
      SEEN.add(device);
    }

    @AfterEach
    void close(@Device("edu") PciDevice other) {
      assertThat(other).isSameAs(device);
      mapping.close();
    }
  }

  @Test
  void constructorTestAndLifeCycleMethodsSeeOneDevicePerTest() {
    run(WithAfterEach.class).testEvents().assertStatistics(s -> s.succeeded(2).failed(0));

    assertThat(SEEN).hasSize(2).doesNotHaveDuplicates();
  }

  @SimulatedPci
  static class Shared {
    private static PciDevice shared;

    @BeforeAll
    static void open(@Device("edu") PciDevice device) {
      shared = device;
    }

    @Test
    void one(@Device("edu") PciDevice device) {
      assertThat(device).isSameAs(shared);
      assertThat(device.dma().allocate(4096, 4096).size()).isEqualTo(4096);
    }

    @Test
    void two(@Device("edu") PciDevice device) {
      assertThat(device).isSameAs(shared);
    }
  }

  @Test
  void whatBeforeAllAsksForIsCheckedAfterTheClass() {
    EngineExecutionResults results = run(Shared.class);

    results.testEvents().assertStatistics(s -> s.succeeded(2).failed(0));
    results
        .containerEvents()
        .assertThatEvents()
        .haveExactly(
            1, event(finishedWithFailure(message(m -> m.contains("1 DMA buffer (4096 bytes)")))));
  }

  @SimulatedPci
  static class Times {
    @Test
    void timeStandsStillUnlessWaitedFor(SimulatedBus bus, TimeSource time) {
      assertThat(time).isSameAs(bus.time());
      assertThat(time.nanoTime()).isZero();
      time.sleep(Duration.ofDays(1));
      assertThat(time.nanoTime()).isEqualTo(Duration.ofDays(1).toNanos());
    }

    @Nested
    class Inside {
      @Test
      void inherits(TimeSource time) {
        assertThat(time.nanoTime()).isZero();
      }
    }

    @Nested
    @SimulatedPci(time = SimulatedPci.Time.REAL)
    class OfItsOwn {
      @Test
      void timePasses(TimeSource time) {
        long start = time.nanoTime();
        while (time.nanoTime() == start) {
          time.spin();
        }
      }
    }
  }

  @Test
  void timeIsVirtualUnlessAskedFor() {
    run(Times.class).testEvents().assertStatistics(s -> s.succeeded(3).failed(0));
  }

  @SimulatedPci
  static class SeveralDevices {
    @Test
    void plugged(
        SimulatedBus bus,
        @Device("nvme,size=16M") PciDevice disk,
        @Device("edu") PciDevice edu,
        @Device("edu") PciDevice sameEdu) {
      assertThat(bus.scan()).extracting(FoundDevice::name).containsExactly(disk.name(), edu.name());
      assertThat(sameEdu).isSameAs(edu);
      SEEN.add(disk);
      SEEN.add(edu);
    }
  }

  @SimulatedPci
  static class Faulty {
    @Test
    void readsAllOnes(@Device("edu") Faults faults, @Device("edu") PciDevice device) {
      try (Mmio registers = device.bar(0).orElseThrow().map(0, 0x1000)) {
        faults.add(Fault.at(Point.REGISTER_READ, new Effect.Lose()).times(1));
        assertThat(registers.read32(0)).isEqualTo(-1);
        assertThat(registers.read32(0)).isEqualTo(0x0100_00ed);
      }
    }
  }

  @Test
  void aTestSwitchesTheFaultsOfADevice() {
    run(Faulty.class).testEvents().assertStatistics(stats -> stats.started(1).succeeded(1));
  }

  @SimulatedPci
  static class OnHardware {
    @Test
    void isTheOneThatIsNamed(@Device("edu,of=no,importance=") PciDevice device, TimeSource time) {
      assertThat(device.name()).isEqualTo(DeviceName.parse("simulated:specimen"));
      assertThat(time).isSameAs(TimeSource.system());
    }

    @Test
    void needsTheBus(@Device("edu") PciDevice device, SimulatedBus bus) {
      throw new AssertionError(device.name() + " among " + bus.scan());
    }

    @Test
    void needsFaults(@Device("edu") Faults faults) {
      throw new AssertionError(faults);
    }
  }

  @SimulatedPci
  static class BesideHardware {
    @Test
    void isInVirtualTime(@Device("specimen") PciDevice device, SimulatedBus bus, TimeSource time) {
      assertThat(bus.scan()).extracting(FoundDevice::name).containsExactly(device.name());
      assertThat(time).isSameAs(bus.time());
      assertThat(time.nanoTime()).isZero();
      time.sleep(Duration.ofDays(1));
    }

    @Test
    void hasFaults(@Device("specimen") Faults faults) {
      assertThat(faults).isNotNull();
    }

    @Test
    void hasTheBusAlone(SimulatedBus bus) {
      assertThat(bus.time().nanoTime()).isZero();
    }

    @Test
    void waitsTogetherWithHardware(
        @Device("edu") PciDevice named, @Device("specimen") PciDevice simulated, TimeSource time) {
      assertThat(named.name()).isEqualTo(DeviceName.parse("simulated:specimen"));
      assertThat(time).isSameAs(TimeSource.system());
      Vector vector = simulated.interrupts().enable(Kind.MSIX, 1).getFirst();
      simulated.busMaster(true);
      try (Mmio registers = simulated.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100)) {
        registers.write32(SpecimenModel.INTERRUPT, 0);
        assertThat(vector.await(Duration.ofSeconds(10))).isTrue();
      }
      simulated.interrupts().disable();
    }
  }

  @SimulatedPci
  static class PreparedForTheBus {
    PreparedForTheBus(@Device("edu") PciDevice device) {
      SEEN.add(device);
    }

    @BeforeEach
    void prepare(SimulatedBus bus) {
      throw new AssertionError(bus);
    }

    @Test
    void one() {}

    @Nested
    class Inside {
      @Test
      void two() {}
    }
  }

  @SimulatedPci
  static class SharedHardware {
    @BeforeAll
    static void open(@Device("specimen") PciDevice device) {
      assertThat(device.name()).isEqualTo(DeviceName.parse("simulated:specimen"));
    }

    @Test
    void one(@Device("edu") PciDevice device, TimeSource time) {
      assertThat(device.name()).isEqualTo(DeviceName.parse("simulated:specimen"));
      assertThat(time).isSameAs(TimeSource.system());
    }
  }

  @SimulatedPci
  static class FailingOnHardware {
    @Test
    void fails(@Device("edu") PciDevice device, TimeSource time) {
      device.busMaster(true);
      time.sleep(Duration.ofMillis(2));
      device.busMaster(false);
      throw new AssertionError("on purpose");
    }
  }

  @AfterEach
  void nameNoDevice() {
    System.clearProperty("gatun.device.edu");
  }

  @Test
  void aDeviceThatIsNamedTakesThePlaceOfASimulatedOne() {
    System.setProperty("gatun.device.edu", "simulated:specimen");
    run(OnHardware.class)
        .testEvents()
        .assertStatistics(stats -> stats.started(1).succeeded(1).skipped(2));
    run(SharedHardware.class).testEvents().assertStatistics(stats -> stats.started(1).succeeded(1));

    System.setProperty("gatun.device.edu", "teapot:1");
    run(OnHardware.class)
        .testEvents()
        .assertThatEvents()
        .haveExactly(
            1, event(finishedWithFailure(message(m -> m.contains("no backend for 'teapot'")))));
  }

  @Test
  void testsOfOtherDevicesAreAsTheyAre() {
    System.setProperty("gatun.device.edu", "simulated:specimen");
    run(BesideHardware.class)
        .testEvents()
        .assertStatistics(stats -> stats.started(4).succeeded(4).skipped(0));
  }

  @Test
  void lifeCycleMethodsAskForTheirTests() {
    System.setProperty("gatun.device.edu", "simulated:specimen");
    run(PreparedForTheBus.class).testEvents().assertStatistics(stats -> stats.started(0));
    assertThat(SEEN).isEmpty();
  }

  @Test
  void theTraceOfHardwareHasTheTimeOfTheMachine(@TempDir Path folder) throws IOException {
    System.setProperty("gatun.device.edu", "simulated:specimen");
    System.setProperty(FailureTrace.FOLDER, folder.toString());
    try {
      run(FailingOnHardware.class).testEvents().assertStatistics(s -> s.failed(1));
    } finally {
      System.clearProperty(FailureTrace.FOLDER);
    }

    Path text;
    try (Stream<Path> files = Files.list(folder)) {
      text = files.filter(f -> f.toString().endsWith(".txt")).findFirst().orElseThrow();
    }
    String last = Files.readAllLines(text).getLast();
    assertThat(last).endsWith("bus-master = 0");
    assertThat(Double.parseDouble(last.strip().split(" +", 3)[1]))
        .as("microseconds after the first")
        .isGreaterThanOrEqualTo(2000);
  }

  @Test
  void devicesOfOneTestAreOnOneBus() {
    run(SeveralDevices.class).testEvents().assertStatistics(s -> s.succeeded(1).failed(0));

    assertThat(SEEN).extracting(d -> d.name().text()).containsExactly("nvme,size=16M", "edu");
  }

  @SimulatedPci(trace = 4)
  static class Failing {
    @Test
    void fails(@Device("edu") PciDevice device) {
      try (Mmio registers = device.bar(0).orElseThrow().map(0, 0x100)) {
        for (int i = 0; i < 10; i++) {
          registers.write32(4, i);
        }
        assertThat(registers.read32(4)).isEqualTo(1);
      }
    }

    @Test
    void passes(@Device("edu") PciDevice device) {
      device.busMaster(true);
    }
  }

  @SimulatedPci(trace = 0)
  static class Untraced {
    @Test
    void fails(@Device("nvme,doorbells=shared") PciDevice device) {
      try (Mmio doorbells = device.bar(0).orElseThrow().map(0x1000, 8)) {
        assertThat(doorbells.isDirect()).isFalse();
      }
    }
  }

  @Test
  void aFailureTellsTheLastAccesses(@TempDir Path folder) throws IOException {
    ByteArrayOutputStream errors = new ByteArrayOutputStream();
    PrintStream before = System.err;
    System.setErr(new PrintStream(errors, true, UTF_8));
    System.setProperty(FailureTrace.FOLDER, folder.toString());
    try {
      run(Failing.class).testEvents().assertStatistics(s -> s.succeeded(1).failed(1));
      run(Untraced.class).testEvents().assertStatistics(s -> s.succeeded(0).failed(1));
    } finally {
      System.setErr(before);
      System.clearProperty(FailureTrace.FOLDER);
    }

    List<String> lines = errors.toString(UTF_8).lines().toList();
    assertThat(lines).hasSize(7);
    assertThat(lines.getFirst())
        .startsWith("The last accesses before the failure of " + Failing.class.getName())
        .endsWith(" fails(PciDevice):");
    assertThat(lines.get(1)).isEqualTo("(7 earlier accesses are not shown)");
    assertThat(lines.get(5)).endsWith("simulated:edu  read32 BAR0+0x4 = 0xfffffff6");
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files.map(file -> file.getFileName().toString()).sorted())
          .hasSize(2)
          .first()
          .asString()
          .matches(".*SimulatedPciTest\\$Failing\\.fails-[0-9a-f]{8}\\.json");
    }
  }

  @SimulatedPci
  static class Replayed {
    @Test
    void asRecorded(@Device("replay,file=target/edu.recording") PciDevice device) {
      assertThat(identification(device)).isEqualTo(0x010000ed);
    }

    @Test
    void nothingDone(@Device("replay,file=target/edu.recording") PciDevice device) {
      assertThat(device.name().text()).startsWith("replay,");
    }
  }

  private static int identification(PciDevice device) {
    try (Mmio registers = device.bar(0).orElseThrow().map(0, 4)) {
      return registers.read32(0);
    }
  }

  @Test
  void aRecordingIsADevice() throws IOException {
    try (SimulatedBus bus = SimulatedBus.virtualTime()) {
      Recorder recorder = new Recorder(bus.open(bus.plug("edu")), bus.time());
      try (PciDevice device = recorder.device()) {
        assertThat(identification(device)).isEqualTo(0x010000ed);
      }
      recorder
          .recording()
          .save(Files.createDirectories(Path.of("target")).resolve("edu.recording"));
    }

    run(Replayed.class)
        .testEvents()
        .assertThatEvents()
        .haveExactly(1, event(test("asRecorded"), finishedSuccessfully()))
        .haveExactly(
            1,
            event(
                test("nothingDone"),
                finishedWithFailure(
                    message(m -> m.contains("expected read32 BAR0+0x0 = 0x10000ed, but")))));
  }

  @SimulatedPci
  static class Wrong {
    @Test
    void unnamed(PciDevice device) {
      SEEN.add(device);
    }

    @Test
    void unknown(@Device("teapot") PciDevice device) {
      SEEN.add(device);
    }

    @Test
    void ofOthers(TestInfo info) {
      assertThat(info.getDisplayName()).isNotEmpty();
    }
  }

  @Test
  void wrongParametersSayWhatToDo() {
    run(Wrong.class)
        .testEvents()
        .assertThatEvents()
        .haveExactly(
            1,
            event(
                test("unnamed"),
                finishedWithFailure(
                    instanceOf(ParameterResolutionException.class),
                    message(m -> m.contains("@Device(\"edu\")")))))
        .haveExactly(
            1, event(test("unknown"), finishedWithFailure(message(m -> m.contains("teapot")))))
        .haveExactly(1, event(test("ofOthers"), finishedSuccessfully()));
    assertThat(SEEN).isEmpty();
  }
}
