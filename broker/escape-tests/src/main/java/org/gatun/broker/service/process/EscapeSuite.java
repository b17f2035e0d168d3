package org.gatun.broker.service.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadInfo;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.assertj.core.api.SoftAssertions;
import org.gatun.broker.DeviceRequest;
import org.gatun.hostile.Page;
import org.gatun.hostile.SystemCalls;
import org.gatun.pci.DeviceName;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a hostile guest gets of what it tries, in a process of its own, with its device on whatever
 * bus a subclass has. All the while another guest works beside it: after each test that one goes
 * on, and the broker has open what it had before.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@Timeout(300)
public abstract class EscapeSuite {
  private static final long DMA = 4L << 20;

  /** More than the attacker has: the end of it is where that one has no memory. */
  private static final long NEIGHBOURS_DMA = 8L << 20;

  /** Of what edu can address: all bits of it, and its last page. */
  private static final long EDU_ADDRESSES = (1L << 28) - 1;

  private static final long LAST_PAGE = EDU_ADDRESSES + 1 - Page.SIZE;

  private static final byte CANARY = 0x77;

  private static final Duration SETTLED = Duration.ofSeconds(30);
  private static final int FLOOD_SECONDS = 3;

  /** Messages in that time that are more than any driver sends: an emulated processor does it. */
  private static final long FLOOD = 10_000;

  private Path folder;
  private GuestRun guests;
  private DeviceName edu;
  private GuestProcess neighbour;
  private long neighboursCanary;
  private String holdings;

  /** Makes the broker. */
  protected abstract GuestRun open(Path temporary) throws Exception;

  /** After the broker is closed. */
  protected abstract void closeBackend() throws Exception;

  /** An edu of the attacker's, or of the neighbour's. */
  protected abstract DeviceName edu(String whose) throws Exception;

  /** The config space of a device as it is, past the broker. */
  protected abstract byte[] config(DeviceName device) throws Exception;

  /** What the IOMMU has refused since a moment. */
  @FunctionalInterface
  public interface Refusals {
    /** Checks that reading and writing at a bus address are among it. */
    void check(long busAddress) throws Exception;
  }

  /** Begins to watch a device for what the IOMMU refuses it. */
  protected abstract Refusals watch(DeviceName device) throws Exception;

  /** Which of some cases are worth the time there. */
  protected abstract List<String> choose(List<String> cases);

  protected final GuestRun guests() {
    return guests;
  }

  @BeforeAll
  final void start(@TempDir Path temporary) throws Exception {
    folder = temporary;
    assumeTrue(
        Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0),
        "a guest's locks need root: run the tests as root");
    guests = open(temporary);
    edu = edu("attacker");
    DeviceName other = edu("neighbour");
    guests.seize(edu);
    guests.seize(other);
    neighbour =
        guests.start(DeviceRequest.of(other), NEIGHBOURS_DMA, GuestRun.program("neighbour"));
    String canary = GuestRun.awaitLine(neighbour, line -> line.startsWith("canary at "));
    neighboursCanary = Long.decode(canary.substring("canary at ".length()));
    awaitProgress();
    // What is loaded and opened once for all, is.
    outcomes("getpid");
    holdings = GuestRun.holdings();
  }

  @AfterAll
  final void stop() throws Exception {
    if (guests != null) {
      neighbour.end("the tests are done");
      guests.awaitEnd(neighbour);
      guests.close();
    }
    closeBackend();
  }

  @AfterEach
  final void nobodyElseWasHurt() throws Exception {
    awaitProgress();
    long end = System.nanoTime() + SETTLED.toNanos();
    while (!GuestRun.holdings().equals(holdings) && System.nanoTime() - end < 0) {
      Thread.sleep(50);
    }
    assertThat(GuestRun.holdings()).isEqualTo(holdings);
  }

  private int progress() throws InterruptedException {
    return Integer.parseInt(
        GuestRun.awaitLine(neighbour, line -> line.startsWith("done ")).substring(5));
  }

  /** The neighbour gets on, finds its memory as it left it, and its device. */
  private void awaitProgress() throws InterruptedException {
    int before = progress();
    GuestRun.awaitLine(
        neighbour,
        line -> line.startsWith("done ") && Integer.parseInt(line.substring(5)) > before);
  }

  protected final GuestProcess start(DeviceRequest request, String... arguments)
      throws IOException {
    return guests.start(request, DMA, GuestRun.program(arguments));
  }

  private GuestProcess.End run(String... arguments) throws Exception {
    return guests.awaitEnd(start(DeviceRequest.of(edu), arguments));
  }

  /** The outcomes of attempts, that one guest makes one after the other. */
  private List<String> outcomes(String... attempts) throws Exception {
    return outcomes(DeviceRequest.of(edu), attempts);
  }

  protected final List<String> outcomes(DeviceRequest request, String... attempts)
      throws Exception {
    GuestProcess.End end = guests.awaitEnd(start(request, attempts));
    assertThat(end.status()).as(end.toString()).isZero();
    return Stream.of(attempts).map(attempt -> outcome(end.lastLines(), attempt)).toList();
  }

  private static String outcome(List<String> lines, String attempt) {
    return lines.stream()
        .filter(line -> line.startsWith("[" + attempt + "] "))
        .findFirst()
        .map(line -> line.substring(attempt.length() + 3))
        .orElse("no outcome of " + attempt + " in " + lines);
  }

  /**
   * Has one guest make attempts.
   *
   * @param table a line each: the attempt, and a pattern that the outcome matches
   */
  private void expect(String table) throws Exception {
    List<String[]> lines =
        table
            .replace("BROKER", Long.toString(ProcessHandle.current().pid()))
            .replace("NEIGHBOUR", Long.toString(neighbour.pid()))
            .replace("FOLDER", folder.toString())
            .lines()
            .map(line -> line.split(" => ", 2))
            .toList();
    List<String> outcomes = outcomes(lines.stream().map(line -> line[0]).toArray(String[]::new));
    SoftAssertions softly = new SoftAssertions();
    for (int i = 0; i < outcomes.size(); i++) {
      softly.assertThat(outcomes.get(i)).as(lines.get(i)[0]).matches(lines.get(i)[1]);
    }
    softly.assertAll();
  }

  /** Of {@code /etc} there is what links in the JDK lead to, as in Debian's. */
  @Test
  void filesAndProcessesOfTheHostAreNotThere() throws Exception {
    expect(
        """
        read /etc/passwd => refused: java.nio.file.*
        read /dev/vfio/vfio => refused: java.nio.file.*
        list /dev/vfio => refused: java.nio.file.*
        read /dev/mem => refused: java.nio.file.*
        read /dev/kmsg => refused: java.nio.file.*
        list /sys/bus/pci/devices => refused: java.nio.file.*
        read /sys/bus/pci/devices/0000:00:00.0/resource0 => refused: java.nio.file.*
        list /root => refused: java.nio.file.*
        list /tmp => refused: java.nio.file.*
        list FOLDER => refused: java.nio.file.*
        read /proc/BROKER/mem => refused: java.nio.file.*
        read /proc/BROKER/environ => refused: java.nio.file.*
        list /proc/BROKER/fd => refused: java.nio.file.*
        list /proc/BROKER/root => refused: java.nio.file.*
        read /proc/NEIGHBOUR/mem => refused: java.nio.file.*
        read /proc/NEIGHBOUR/maps => refused: java.nio.file.*
        list /proc/NEIGHBOUR/fd => refused: java.nio.file.*
        list /proc/NEIGHBOUR/root => refused: java.nio.file.*
        read /proc/1/mem => refused: java.nio.file.*
        list /proc/self/root/root => refused: java.nio.file.*
        read /proc/kcore => refused: java.nio.file.*
        frame => refused: java.io.FileNotFoundException: /proc/self/pagemap .Permission denied.
        list /proc/self/fd => found \\[0, 1, .*
        list / => found \\[(dev, )?(etc, )?gatun, lib, (lib64, )?proc, usr\\]
        list /etc => refused: .*|found \\[(java-\\d+-openjdk, )?ssl\\]
        list /etc/ssl => refused: .*|found \\[certs\\]
        list /etc/ssl/certs => refused: .*|found \\[java\\]
        read /dev/null => read 0
        read /dev/urandom => read 1
        write /x => refused: java.io.FileNotFoundException.*
        write /gatun/x => refused: java.io.FileNotFoundException.*
        write /dev/null => refused: java.io.FileNotFoundException.*
        write /proc/self/mem => refused: java.io.FileNotFoundException.*
        write /proc/self/oom_score_adj => refused: java.io.FileNotFoundException.*
        write /proc/sys/kernel/core_pattern => refused: java.io.FileNotFoundException.*
        write /proc/sysrq-trigger => refused: java.io.FileNotFoundException.*
        exec /gatun/jdk/bin/java -version => refused: .*
        exec /bin/sh => refused: .*
        tcp => refused: .*
        udp => refused: .*
        unix /run/x => refused: .*
        destroy BROKER => refused.*
        destroy NEIGHBOUR => refused.*
        destroy 1 => refused.*
        processes => sees 1
        """);
  }

  @Test
  void javasOwnLocksHold() throws Exception {
    expect(
        """
        native => refused: java.lang.IllegalCallerException.*
        module org.gatun.nativeaccess.Fd => refused: java.lang.IllegalAccessException.*
        module org.gatun.broker.launcher.Stage2 => refused: java.lang.IllegalAccessException.*
        internal => refused: java.lang.IllegalAccessException.*
        modules org.gatun => LAUNCHER
        unsafe => refused: java.util.NoSuchElementException.*
        own-layer jdk.unsupported => refused: java.lang.(IllegalAccess|LayerInstantiation).*
        own-layer jdk.management => refused: .*
        attach SELF => refused: .*
        attach BROKER => refused: java.(lang.ClassNotFound|io.IO)Exception.*
        attach NEIGHBOUR => refused: java.(lang.ClassNotFound|io.IO)Exception.*
        write /tmp/.attach_pidSELF => refused: java.io.FileNotFoundException.*
        write /proc/self/cwd/.attach_pidSELF => refused: java.io.FileNotFoundException.*
        tgkill SELF 3 => result 0
        list /tmp => refused: java.nio.file.*
        """
            // What the launcher needs: nothing of the broker's, and no backend.
            .replace(
                "LAUNCHER",
                Pattern.quote(
                    "[org.gatun.broker.launcher, org.gatun.hostile.nativehelper,"
                        + " org.gatun.nativeaccess, org.gatun.pci, org.gatun.vfio.common,"
                        + " org.gatun.vfiouser]")));
  }

  @Test
  void theDeviceIsWhatWasGranted() throws Exception {
    expect(
        """
        config => unchanged
        bar => refused: java.lang.IllegalArgumentException.*
        dma => refused: .*
        dma-own => 0x[0-9a-f]+
        """);
  }

  @Test
  void nativeCodeGetsNothingThatTheFilterHasNotLeft() throws Exception {
    String sockets =
        IntStream.range(0, 46)
            .mapToObj(family -> "socket " + family + " 1 => result -1\n")
            .reduce("", String::concat);
    // Numbers are those of open(2), clone(2), prctl(2), fcntl(2) and socket(7).
    expect(
        """
        openat /proc/self/mem 2 => result -1
        openat /proc/self/mem 1 => result -1
        openat /x 0x41 => result -1
        openat /tmp 0x410002 => result -1
        openat /dev/vfio/vfio 0 => result -2
        openat /dev/mem 0 => result -2
        openat /proc/self/pagemap 0 => result -13
        openat /sys/bus/pci/devices/0000:00:00.0/resource0 0 => result -2
        openat /proc/self/ns/user 0 => result \\d+
        openat /proc/BROKER/mem 0 => result -(1|2|13)
        openat /proc/NEIGHBOUR/mem 0 => result -(1|2|13)
        openat /proc/NEIGHBOUR/root 0x200000 => result -(1|2|13)
        openat /proc/1/mem 0 => result -(1|2|13)
        openat /dev/null 0 => result \\d+
        readlink /proc/NEIGHBOUR/exe => result -(1|2|13)
        pwrite 0 => result -\\d+
        fork => result -1
        vfork => result -1
        clone 17 => result -1
        clone 0x10000000 => result -1
        clone 0x10010900 => result -1
        clone3 => result -38
        socketpair 1 => result -1
        kill BROKER 9 => result -1
        kill NEIGHBOUR 9 => result -1
        kill NEIGHBOUR 0 => result -1
        kill 0 0 => result -1
        kill -1 9 => result -1
        tkill BROKER 9 => result -1
        tkill NEIGHBOUR 9 => result -1
        tgkill BROKER 9 => result -1
        tgkill NEIGHBOUR 9 => result -1
        memfd_create => result -1
        setresuid => result -1
        capset => result -1
        prctl 4 1 => result -1
        prctl 22 0 => result -1
        prctl 8 1 => result -1
        prctl 0x59616d61 -1 => result -1
        prlimit64 => result -1
        limit-of BROKER => result -(1|3)
        limit-of NEIGHBOUR => result -(1|3)
        getrlimit => result 0
        seccomp => result -1
        fcntl 3 4 0 => result -1
        fcntl 3 8 1 => result -1
        fcntl 3 10 9 => result -1
        fcntl 3 1024 0 => result -1
        fcntl 3 1033 15 => result -1
        fcntl 3 3 0 => result \\d+
        ioctl 3 0x5401 => result -1
        dup 3 => result \\d+
        madvise-poison => result -\\d+
        setsockopt 3 1 16 => result -1
        setsockopt 3 1 33 => result -1
        setsockopt 3 1 76 => result -1
        getsockopt 3 1 77 => result -1
        connect 3 /run/x => result -1
        map files => opened 0
        map reopen => opened \\[\\], results .*
        map descriptors => readable \\[.*\\], writable \\[\\]
        getpid => result \\d+
        """
            + sockets);
  }

  @Test
  void eachSystemCallThatIsNotOnTheListIsRefused() throws Exception {
    assertThat(outcomes("numbers").getFirst()).matches("4[0-9]{2} refused, others \\{\\}");
  }

  @TestFactory
  Stream<DynamicTest> anAttackEndsTheProcess() throws IOException {
    List<String> attacks = attacks();
    SystemCalls.notRefused().stream()
        .filter(call -> call.outcome() == SystemCalls.Outcome.FATAL)
        .filter(call -> attacks.stream().noneMatch(attack -> name(attack).equals(call.name())))
        .forEach(call -> attacks.add("number " + call.number()));
    return choose(attacks).stream()
        .map(attack -> DynamicTest.dynamicTest(attack, () -> endsTheProcess(attack)));
  }

  /**
   * Calls with arguments that would do; a guest each, as each ends one. First those that are
   * different ways out: for a bus where there is no time for all.
   */
  private List<String> attacks() throws IOException {
    long pid = neighbour.pid();
    String memory = pid + " 0x%x".formatted(memory(pid));
    return new ArrayList<>(
        List.of(
            "ptrace " + pid,
            "mount /proc /gatun",
            "bpf",
            "pidfd_getfd 3 3", // there is none that is a pidfd: pidfd_open ends it, too
            "execve /gatun/jdk/bin/java",
            "unshare 0x10000000",
            "io_uring_setup",
            "userfaultfd",
            "execveat /gatun/jdk/bin/java",
            "pidfd_open " + pid,
            "process_vm_readv " + memory,
            "process_vm_writev " + memory,
            "umount2 /proc",
            "chroot /proc",
            "pivot_root /proc /proc",
            "setns /proc/self/ns/user",
            "perf_event_open",
            "keyctl",
            "iopl",
            "init_module",
            "x32"));
  }

  /** Where a process has memory that it writes to. */
  private static long memory(long pid) throws IOException {
    return Files.readAllLines(Path.of("/proc", Long.toString(pid), "maps")).stream()
        .filter(line -> line.contains(" rw-p "))
        .map(line -> line.substring(0, line.indexOf('-')))
        .mapToLong(start -> Long.parseUnsignedLong(start, 16))
        .findFirst()
        .orElseThrow();
  }

  private static String name(String attempt) {
    return attempt.split(" ", -1)[0];
  }

  /** A kernel that has no calls of 32 bits ends the process for the instruction itself. */
  @Test
  void theWayOfProgramsOf32BitsIsShut() throws Exception {
    GuestProcess.End end = run("int-80");
    assertThat(end.status()).as(end.toString()).isIn(128 + 31, 128 + 6);
    assertThat(end.lastLines()).noneMatch(line -> line.contains("result"));
  }

  private void endsTheProcess(String attack) throws Exception {
    GuestProcess.End end = run("getpid", attack); // to see that calls can be made
    assertThat(end.status()).as(end.toString()).isEqualTo(128 + 31);
    assertThat(end.reason()).isEqualTo("it made a system call that it may not make");
    assertThat(end.lastLines())
        .anyMatch(line -> line.matches("\\[getpid] result \\d+"))
        .noneMatch(line -> line.startsWith("[" + attack));
  }

  @Test
  void whatCanBeExhaustedIsTheGuestsOwn() throws Exception {
    List<String> outcomes = outcomes("descriptors", "threads");
    assertThat(outcomes.get(0)).matches("got \\d{1,3}, then .*Too many open files.*");
    assertThat(outcomes.get(1)).matches("got \\d{1,3}, then .*");
    assertThat(run("memory").status()).isEqualTo(3); // -XX:+ExitOnOutOfMemoryError
  }

  @Test
  void outputWithoutEndHarmsNobody() throws Exception {
    GuestProcess.End end = run("output 20000", "stream 4096");
    assertThat(end.lastLines()).hasSizeLessThanOrEqualTo(501);
    assertThat(end.lastLines()).contains("[output 20000] printed 20000");
    assertThat(end.lastLines().getLast()).isEqualTo("[stream 4096] printed 4096");
    assertThat(end.lastLines()).allSatisfy(line -> assertThat(line).hasSizeLessThan(1025));
  }

  @Test
  void messagesOfItsOwnAreAnsweredOrRefusedAndBringNoDescriptor() throws Exception {
    byte[] before = config(edu);
    GuestProcess guest =
        start(
            DeviceRequest.of(edu),
            "wire regions",
            "wire io-fds",
            "wire unknown",
            "wire limits",
            "wire dma-map",
            "wire dma-unmap-all",
            "wire dma-read",
            "wire set-irqs-event",
            "wire reset",
            "wire config",
            "control receive",
            "stay");
    GuestRun.awaitLine(guest, line -> line.startsWith("[control receive]"));
    byte[] after = config(edu);
    List<String> lines = guest.lastLines();
    SoftAssertions softly = new SoftAssertions();
    Map.ofEntries(
            Map.entry("wire regions", "9 answered, flags 3, errors [22], 0 descriptors"),
            Map.entry("wire io-fds", "6 answered, 0 eventfds, errors [22], 0 descriptors"),
            Map.entry("wire unknown", "errors [22, 95], 0 descriptors"),
            Map.entry("wire limits", "errors [22], 0 descriptors"),
            Map.entry("wire dma-map", "error 1, 0 descriptors"),
            Map.entry("wire dma-unmap-all", "answered, 0 descriptors"),
            Map.entry("wire dma-read", "error 22, 0 descriptors"),
            Map.entry("wire set-irqs-event", "error 22, 0 descriptors"),
            Map.entry("wire reset", "answered, 0 descriptors"),
            Map.entry("wire config", "0 not answered, errors past its ends [22], 0 descriptors"),
            Map.entry("control receive", "0 bytes, 0 descriptors"))
        .forEach((attempt, text) -> softly.assertThat(outcome(lines, attempt)).isEqualTo(text));
    softly.assertThat(changes(before, after)).as("config space").isSubsetOf(4, 5, 6, 7, 12, 13);
    guest.end("the test has seen it");
    softly
        .assertThat(guests.awaitEnd(guest).reason())
        .as("its end")
        .isEqualTo("the test has seen it");
    softly.assertAll();
  }

  private static List<Integer> changes(byte[] before, byte[] after) {
    return IntStream.range(0, before.length).filter(i -> before[i] != after[i]).boxed().toList();
  }

  @TestFactory
  Stream<DynamicTest> aMessageThatBreaksTheProtocolEndsTheGuest() {
    return choose(
            List.of(
                "version",
                "dma-map-descriptor",
                "truncated",
                "set-irqs-descriptor",
                "info-descriptor",
                "oversized",
                "negative",
                "undersized",
                "reply"))
        .stream()
        .map(
            attempt ->
                DynamicTest.dynamicTest(
                    attempt,
                    () -> {
                      GuestProcess.End end = run("wire " + attempt, "stay");
                      assertThat(end.reason())
                          .as(end.toString())
                          .startsWith("it broke the protocol of its device: ");
                    }));
  }

  @TestFactory
  Stream<DynamicTest> nonsenseOnTheControlSocketEndsTheGuest() {
    return choose(List.of("byte", "descriptors", "flood " + FLOOD_SECONDS, "end", "descriptor"))
        .stream()
        .map(
            attempt ->
                DynamicTest.dynamicTest(
                    attempt,
                    () -> {
                      GuestProcess.End end = run("control " + attempt);
                      // Without a connection the launcher ends by itself, and says so.
                      assertThat(end.status())
                          .as(end.toString())
                          .isEqualTo(attempt.equals("end") ? 1 : 128 + 9);
                      assertThat(end.reason())
                          .isEqualTo(
                              attempt.equals("end")
                                  ? "it ended with status 1"
                                  : "it said what no guest says");
                      assertThat(end.lastLines()).noneMatch(line -> line.contains("still there"));
                    }));
  }

  @Test
  void aFloodOfMessagesKeepsOneThreadOfTheBrokersBusy() throws Exception {
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    GuestProcess guest =
        start(DeviceRequest.of(edu), "wire regions", "wire flood " + FLOOD_SECONDS, "stay");
    GuestRun.awaitLine(guest, line -> line.startsWith("[wire regions]"));
    long served = guest.served();
    int before = progress();
    Map<Long, Long> cpu = cpuTimes(threads);
    String sent = GuestRun.awaitLine(guest, line -> line.startsWith("[wire flood"));
    List<String> busy = busySince(threads, cpu);
    int after = progress();
    served = guest.served() - served;
    guest.end("the test has seen it");
    guests.awaitEnd(guest);
    System.out.printf(
        "%s, served %d; busy were %s; the neighbour did %d%n", sent, served, busy, after - before);
    assertThat(served).as("messages of the flood that were served").isGreaterThan(FLOOD);
    assertThat(busy).as("threads that were busy").isSubsetOf("gatun export " + edu);
    assertThat(after - before).as("what the neighbour did meanwhile").isPositive();
  }

  private static Map<Long, Long> cpuTimes(ThreadMXBean threads) {
    Map<Long, Long> times = new TreeMap<>();
    for (long thread : threads.getAllThreadIds()) {
      times.put(thread, threads.getThreadCpuTime(thread));
    }
    return times;
  }

  /** Threads that had a processor for a fifth of the time of a flood. */
  private static List<String> busySince(ThreadMXBean threads, Map<Long, Long> before) {
    List<String> busy = new ArrayList<>();
    cpuTimes(threads)
        .forEach(
            (thread, time) -> {
              ThreadInfo info = threads.getThreadInfo(thread);
              long used = time - before.getOrDefault(thread, 0L);
              if (info != null && used > TimeUnit.SECONDS.toNanos(FLOOD_SECONDS) / 5) {
                busy.add(info.getThreadName());
              }
            });
    return busy;
  }

  @Test
  void dmaReachesNothingOfOthers() throws Exception {
    Refusals refusals = watch(edu);
    List<String> attempts = new ArrayList<>();
    long own = Long.decode(outcomes("dma-own").getFirst());
    for (long address :
        new long[] {
          neighboursCanary,
          neighboursCanary + Page.SIZE / 2,
          0,
          Page.SIZE,
          own - Page.SIZE,
          own + DMA,
          LAST_PAGE
        }) {
      attempts.add("dma-at 0x%x".formatted(address));
    }
    List<String> outcomes;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment brokers = arena.allocate(Page.SIZE, Page.SIZE).fill(CANARY);
      Page page = Page.at(brokers.address());
      assertThat(page.frame()).as("where %s is in the machine's memory", page).isPositive();
      attempts.add("dma-at 0x%x".formatted(brokers.address() & EDU_ADDRESSES));
      attempts.add("dma-at 0x%x".formatted((page.frame() * Page.SIZE) & EDU_ADDRESSES));
      attempts.add("dma-at 0x%x".formatted(own));
      outcomes = outcomes(attempts.toArray(String[]::new));
      assertThat(brokers.toArray(ValueLayout.JAVA_BYTE)).as("the broker's").containsOnly(CANARY);
    }
    assertThat(outcomes.subList(0, outcomes.size() - 1))
        .as(attempts.toString())
        .allSatisfy(outcome -> assertThat(outcome).isIn("saw nothing", "saw 0x00", "saw 0xff"));
    refusals.check(neighboursCanary);
    awaitProgress(); // it has looked at its memory
  }

  @Test
  void noCodeOfTheGuestsRunsBeforeTheLock() throws Exception {
    EarlyCode early = EarlyCode.compile(folder.resolve("early"));
    GuestProcess.End end =
        guests.awaitEnd(
            guests.start(
                DeviceRequest.of(edu),
                DMA,
                GuestRun.program(early.modulePath(), EarlyCode.MODULE)));
    System.out.println(String.join("\n", end.lastLines()));
    List<String> ran =
        end.lastLines().stream().filter(line -> line.startsWith(EarlyCode.SIGN)).toList();
    assertThat(ran).allSatisfy(line -> assertThat(line).contains("NoNewPrivs 1, Seccomp 2, Uid 2"));
    assertThat(ran)
        .extracting(line -> line.split(" ", -1)[1])
        .contains("clinit", "provider-method", "instance", "attach", "cleaner", "hook")
        .doesNotContain("agent", "fake");
    assertThat(end.lastLines()).contains("no fake of org.gatun.pci", "trusted false");
  }
}
