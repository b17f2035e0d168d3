package org.gatun.broker.service.process;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.gatun.broker.GrantedDevice;
import org.gatun.broker.Quota;
import org.gatun.broker.config.GuestProgram;
import org.gatun.broker.launcher.Assignment;
import org.gatun.broker.launcher.Control;
import org.gatun.broker.launcher.Plan;
import org.gatun.broker.launcher.Step;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.Mapping;
import org.gatun.nativeaccess.Memfd;
import org.gatun.nativeaccess.Signal;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.pci.Bar;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.Interrupts;
import org.gatun.pci.PciException;
import org.gatun.pci.SharedRange;
import org.gatun.vfiouser.DeviceExport;
import org.gatun.vfiouser.ExportOptions;
import org.jspecify.annotations.Nullable;

/**
 * A guest's process, from its start to its end: it has one device, and when it ends that is back.
 * Any thread.
 */
public final class GuestProcess {
  private static final System.Logger LOG = System.getLogger(GuestProcess.class.getName());

  /** For each step of a start: a JVM's, on a machine that is emulated and busy. */
  private static final Duration START_LIMIT = Duration.ofMinutes(3);

  /** Without a sign of life for so long it hangs, if it has no watchdog. */
  private static final Duration SILENCE_LIMIT = Duration.ofSeconds(15);

  /** How long a process may take to end that has let go of its device. */
  private static final Duration EXIT_LIMIT = Duration.ofSeconds(5);

  private static final Duration KILL_LIMIT = Duration.ofSeconds(10);

  /** For a JVM that hangs, to tell where. */
  private static final Duration DUMP_LIMIT = Duration.ofMillis(500);

  /** How often its signs of life are looked at, however many there are. */
  private static final Duration LOOK = Duration.ofMillis(100);

  /** The most vectors that a process gets eventfds for: two each, and four for notifications. */
  private static final int VECTORS = 32;

  private static final int NOTIFICATIONS = 4;

  /** {@code SIGSYS}, as the exit status of a process has it. */
  private static final int BROKE_A_LOCK = 128 + 31;

  /** Likewise, {@code SIGKILL}. */
  private static final int KILLED = 128 + 9;

  /** Of a JVM with {@code -XX:+ExitOnOutOfMemoryError}. */
  private static final int NO_HEAP = 3;

  /**
   * Apart from the users of people and of services. With its number, each process has one that no
   * other process of this system has: not even one that another broker started.
   */
  private static final int FIRST_USER = 0x7e00_0000;

  /**
   * What a process is started with.
   *
   * @param plan without the user
   */
  record Start(
      String guest,
      long number,
      GuestProgram program,
      Quota quota,
      Plan plan,
      Path socket,
      OutputStream copy) {}

  /**
   * How it ended.
   *
   * @param status its exit status; 128 and the signal's number if it was a signal
   * @param reason for people
   * @param lastLines of its output
   */
  public record End(int status, String reason, List<String> lastLines) {
    /** Copies the list. */
    public End {
      lastLines = List.copyOf(lastLines);
    }

    /** Whether it ended by itself, and said that all went well. */
    public boolean isSuccess() {
      return status == 0;
    }
  }

  /** A guest's process did not start: it has ended, and its device is back. */
  public static final class NotStartedException extends IOException {
    private static final long serialVersionUID = 1;

    /** Of its output, in a message. */
    private static final int LINES = 8;

    private static final int LONGEST_LINE = 160;

    private final long pid;
    private final transient End end;

    NotStartedException(String guest, long pid, End end, Exception cause) {
      super("guest %s did not start: %s%s".formatted(guest, end.reason, said(end)), cause);
      this.pid = pid;
      this.end = end;
    }

    /** What it said tells more than that it has gone: the beginning does, of what a JVM says. */
    private static String said(End end) {
      return end.lastLines.stream()
          .limit(LINES)
          .map(line -> line.substring(0, Math.min(line.length(), LONGEST_LINE)).strip())
          .reduce((all, line) -> all + " | " + line)
          .map(text -> "; it said: " + text)
          .orElse("");
    }

    /** Its process. */
    public long pid() {
      return pid;
    }

    /** How it ended. */
    public End end() {
      return end;
    }
  }

  /** Hears of the end. */
  @FunctionalInterface
  public interface Listener {
    /** The process has ended, and its device is back. */
    void ended(GuestProcess process, End end);
  }

  private final Start start;
  private final GuestLauncher launcher;
  private final GrantedDevice device;
  private final List<EventFd> events = new ArrayList<>();
  private final List<SharedRange> entrusted = new ArrayList<>();
  private @Nullable Mapping memory;
  private Optional<ControlGroup> group = Optional.empty();
  private @Nullable Process process;
  private @Nullable Plan confined;
  private @Nullable GuestOutput output;
  private @Nullable Control control;
  private @Nullable DeviceExport export;

  /** Why it is being ended, if it did not end by itself. */
  private volatile @Nullable String cause;

  private GuestProcess(Start start, GuestLauncher launcher, GrantedDevice device) {
    this.start = start;
    this.launcher = launcher;
    this.device = device;
  }

  static GuestProcess start(
      Start start, GuestLauncher launcher, GrantedDevice device, Listener listener)
      throws IOException {
    GuestProcess guest = new GuestProcess(start, launcher, device);
    boolean done = false;
    try {
      guest.start();
      done = true;
    } catch (IOException | LinuxException | PciException e) {
      guest.kill();
      throw guest.problem(e);
    } finally {
      if (!done) {
        guest.kill();
        guest.closeAll();
      }
    }
    Thread.ofPlatform()
        .name("gatun watches " + start.guest)
        .daemon()
        .start(() -> guest.watch(listener));
    return guest;
  }

  /** The guest's name. */
  public String guest() {
    return start.guest;
  }

  /** Its process. */
  public long pid() {
    return running().pid();
  }

  /** Its device. */
  public GrantedDevice device() {
    return device;
  }

  /** How many messages of its were served: none per I/O, where its registers are mapped. */
  public long served() {
    DeviceExport serving = export;
    return serving == null ? 0 : serving.served();
  }

  /** The last lines of its output. */
  public List<String> lastLines() {
    GuestOutput pumped = output;
    return pumped == null ? List.of() : pumped.last();
  }

  /**
   * What a process uses.
   *
   * @param processorTime since its start, of all threads
   */
  public record Usage(Duration processorTime, long residentBytes, int threads) {}

  /** What it uses now; empty if it has ended. */
  public Optional<Usage> usage() {
    try {
      return new ProcFiles(pid()).usage();
    } catch (IOException e) {
      LOG.log(Level.DEBUG, "guest " + start.guest + ": " + e.getMessage(), e);
      return Optional.empty();
    }
  }

  /** Ends it at once, for that reason; its device is back soon. Idempotent. */
  public void end(String reason) {
    if (cause == null) {
      cause = reason;
    }
    kill();
  }

  private void start() throws IOException {
    group = launcher.groups().make(start.guest + "-" + start.number, start.program);
    try (UnixSocket listener = UnixSocket.listen(start.socket, 1)) {
      listener.timeouts(START_LIMIT, START_LIMIT);
      Process spawned = launcher.spawn(start.socket);
      process = spawned;
      Plan plan = start.plan.as(FIRST_USER + (int) spawned.pid());
      confined = plan;
      output = new GuestOutput(start.guest, spawned.getInputStream(), start.copy);
      if (group.isPresent()) {
        group.get().add(spawned.pid());
      }
      // Before it is told anything: whatever becomes of us, it is found.
      launcher.journal().add(spawned.pid());
      device.onSilenced(() -> end("its device was taken back"));
      try (Handover handover = prepare()) { // while its JVM starts
        control = new Control(accept(listener, spawned));
        control().send(plan.encode(), List.of());
        control().await(Step.READY);
        control().send(handover.assignment.encode(), handover.descriptors);
      }
    } finally {
      Files.deleteIfExists(start.socket);
    }
    Control channel = control();
    channel.await(Step.LOCKED);
    List<String> problems = Inspection.problems(plan(), new ProcFiles(pid()), events.size(), group);
    if (!problems.isEmpty()) {
      throw new IOException("it is not locked: " + String.join(", ", problems));
    }
    channel.send(Step.GO);
    channel.await(Step.ATTACHED);
  }

  /** Its connection. A process that dies before it comes does not come. */
  static UnixSocket accept(UnixSocket listener, Process spawned) throws IOException {
    long begin = System.nanoTime();
    while (Fd.awaitReadable(List.of(listener.fd()), LOOK).isEmpty()) {
      if (!spawned.isAlive()) {
        throw new IOException("it ended with status " + spawned.exitValue());
      }
      if (System.nanoTime() - begin > START_LIMIT.toNanos()) {
        throw new IOException("it did not come in " + START_LIMIT);
      }
    }
    UnixSocket client = listener.accept();
    if (client.peer().pid() != spawned.pid()) {
      client.close();
      throw new IOException("somebody else came in its place");
    }
    client.timeouts(START_LIMIT, START_LIMIT);
    return client;
  }

  /**
   * All that the process ever gets of the device.
   *
   * @param descriptors that go with the assignment: those of the socket and the memory, which are
   *     ours only until it has them, and others
   */
  private record Handover(
      UnixSocket socket, Memfd memory, Assignment assignment, List<Fd> descriptors)
      implements AutoCloseable {
    @Override
    public void close() {
      memory.close();
      socket.close();
    }
  }

  private Handover prepare() throws IOException {
    UnixSocket.Pair pair = UnixSocket.pair();
    Memfd file = null;
    Handover handover = null;
    try {
      file = Memfd.create("gatun DMA of " + start.guest);
      long size = Math.ceilDiv(start.quota.dmaBytes(), Mapping.pageSize()) * Mapping.pageSize();
      file.resize(size);
      file.sealSize();
      Mapping mapped = file.map(size);
      memory = mapped;
      mapped.populate();
      long busAddress = device.dma().map(mapped.segment(), DmaDirection.BIDIRECTIONAL).busAddress();
      makeEvents();
      List<Fd> descriptors = new ArrayList<>(List.of(pair.second().fd(), file.fd()));
      events.forEach(event -> descriptors.add(event.fd()));
      List<Assignment.Range> ranges = entrust(descriptors);
      // What is done for it is no more than it may do itself: so an honest guest, whose part of a
      // message costs it as much, does not meet that limit, and a flooder has half of what it
      // costs.
      ExportOptions options =
          ExportOptions.withInherited(events).withProcessorShare(start.program.limits().cpu());
      export = DeviceExport.serve(device, pair.first(), options);
      Assignment assignment =
          new Assignment(
              start.guest,
              start.program.module(),
              plan().modulePathInside(),
              start.program.arguments(),
              device.name(),
              start.program.supervision().watchdog().isPresent(),
              plan().locks(),
              busAddress,
              size,
              events.size(),
              ranges);
      handover = new Handover(pair.second(), file, assignment, List.copyOf(descriptors));
      return handover;
    } finally {
      if (export == null) {
        pair.first().close();
      }
      if (handover == null) {
        if (file != null) {
          file.close();
        }
        pair.second().close();
      }
    }
  }

  private void makeEvents() {
    Interrupts interrupts = device.interrupts();
    int vectors = 0;
    for (Interrupts.Kind kind : Interrupts.Kind.values()) {
      vectors = Math.max(vectors, interrupts.count(kind));
    }
    for (int i = 0; i < 2 * Math.min(vectors, VECTORS) + NOTIFICATIONS; i++) {
      events.add(EventFd.create("event %d of guest %s".formatted(i, start.guest)));
    }
  }

  private List<Assignment.Range> entrust(List<Fd> descriptors) {
    List<Assignment.Range> ranges = new ArrayList<>();
    for (Bar bar : device.bars()) {
      for (Bar.Range range : bar.ranges()) {
        Optional<SharedRange> shared =
            range.access() == Bar.Access.DIRECT ? bar.entrust(range) : Optional.empty();
        if (shared.isPresent()) {
          entrusted.add(shared.get());
          descriptors.add(shared.get().unwrap(Fd.class).orElseThrow());
          ranges.add(
              new Assignment.Range(
                  bar.index(), range.offset(), range.length(), shared.get().offset()));
        }
      }
    }
    return ranges;
  }

  /** What comes now is the guest's own, whatever it claims to be. */
  private void watch(Listener listener) {
    try {
      listen();
    } catch (LinuxException e) {
      LOG.log(Level.DEBUG, "guest " + start.guest + ": " + e.getMessage(), e);
    }
    endForMisconduct();
    int status;
    try {
      if (!running().waitFor(EXIT_LIMIT.toSeconds(), TimeUnit.SECONDS)) {
        end("it let go of the broker and did not end");
      }
      status = running().waitFor();
      GuestOutput pumped = output;
      if (pumped != null) {
        pumped.join(EXIT_LIMIT);
      }
    } catch (InterruptedException e) {
      throw new IllegalStateException("nobody interrupts this", e);
    }
    DeviceExport served = export;
    if (served != null) {
      served.close();
    }
    endForMisconduct(); // one that was faster has ended, and the reason is known only now
    String reason = reason(status);
    closeAll();
    listener.ended(this, new End(status, reason, lastLines()));
  }

  private void endForMisconduct() {
    DeviceExport served = export;
    if (served != null) {
      served.misconduct().ifPresent(how -> end("it broke the protocol of its device: " + how));
    }
  }

  private String reason(int status) {
    String known = cause;
    if (known != null) {
      return known;
    }
    if (status == BROKE_A_LOCK) {
      return "it made a system call that it may not make";
    }
    if (status == NO_HEAP && said("Terminating due to java.lang.OutOfMemoryError")) {
      return "it ran out of memory: its heap has " + mebibytes(start.program.heapBytes());
    }
    // A JVM that gets none for itself says so at length, of which the last lines are kept.
    boolean ranOut =
        said("There is insufficient memory for the Java Runtime Environment")
            || wasEndedForItsMemory();
    return ranOut
        ? "it ran out of memory: its limit is " + mebibytes(start.program.memoryBytes())
        : "it ended with status " + status;
  }

  /** For people only: a guest can say that, too, without it being so. */
  private boolean said(String text) {
    return lastLines().stream().anyMatch(line -> line.contains(text));
  }

  private boolean wasEndedForItsMemory() {
    try {
      return group.isPresent() && group.get().ranOutOfMemory();
    } catch (IOException e) {
      LOG.log(Level.WARNING, "guest " + start.guest + ": " + e.getMessage(), e);
      return false;
    }
  }

  private static String mebibytes(long bytes) {
    return (bytes >> 20) + " MiB";
  }

  private void listen() {
    Control channel = control();
    channel.socket().timeouts(LOOK, LOOK);
    Duration limit = start.program.supervision().watchdog().orElse(SILENCE_LIMIT);
    long heard = System.nanoTime();
    DeviceExport served = export;
    while (true) {
      switch (channel.heard()) {
        case ALIVE -> heard = System.nanoTime();
        case NOTHING -> {}
        case NONSENSE -> {
          end("it said what no guest says");
          return;
        }
        case END -> {
          return;
        }
      }
      if (System.nanoTime() - heard > limit.toNanos()) {
        askWhereItHangs();
        end("it gave no sign of life for " + limit.toSeconds() + " s");
        return;
      }
      try {
        if (served != null && served.awaitEnd(LOOK)) {
          return; // it has let go of its device, or lost it
        }
      } catch (InterruptedException e) {
        throw new IllegalStateException("nobody interrupts this", e);
      }
    }
  }

  /** A JVM answers by its threads' stacks, on its standard output, if it still can. */
  private void askWhereItHangs() {
    try {
      Signal.QUIT.send(pid());
      running().waitFor(DUMP_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
    } catch (LinuxException e) {
      LOG.log(Level.DEBUG, "guest " + start.guest + ": " + e.getMessage(), e);
    } catch (InterruptedException e) {
      throw new IllegalStateException("nobody interrupts this", e);
    }
  }

  /** Whatever there is of it, in the reverse order: first who could do something. */
  private void closeAll() {
    DeviceExport served = export;
    if (served != null) {
      served.close();
    }
    Control channel = control;
    if (channel != null) {
      channel.close();
    }
    entrusted.forEach(SharedRange::close);
    device.close();
    events.forEach(EventFd::close);
    Mapping mapped = memory;
    if (mapped != null) {
      mapped.close();
    }
    Process ended = process;
    if (ended != null && !ended.isAlive()) {
      try {
        launcher.journal().remove(ended.pid());
      } catch (IOException e) {
        LOG.log(Level.WARNING, "the journal of guests' processes: " + e.getMessage(), e);
      }
    }
    if (group.isPresent() && (ended == null || !ended.isAlive())) {
      try {
        group.get().remove();
      } catch (IOException e) {
        LOG.log(Level.WARNING, "guest " + start.guest + ": " + e.getMessage(), e);
      }
    }
  }

  private void kill() {
    Process target = process;
    if (target == null) {
      return;
    }
    try {
      if (group.isPresent()) {
        group.get().kill();
      }
    } catch (IOException e) {
      // It has been removed, as it had ended; and there is another way.
      LOG.log(Level.DEBUG, "guest " + start.guest + ": " + e.getMessage(), e);
    }
    target.destroyForcibly();
    try {
      if (!target.waitFor(KILL_LIMIT.toSeconds(), TimeUnit.SECONDS)) {
        // The kernel holds it. Its device is taken all the same, and looked for in its hands.
        LOG.log(Level.ERROR, "guest {0}: process {1} does not end", start.guest, pid());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Of one that was killed because of it, if it was there. */
  private IOException problem(Exception e) {
    Process spawned = process;
    if (spawned == null) {
      return new IOException(
          "guest %s did not start: %s".formatted(start.guest, e.getMessage()), e);
    }
    GuestOutput pumped = output;
    try {
      if (pumped != null) {
        pumped.join(EXIT_LIMIT);
      }
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
    String known = cause;
    String reason = known == null ? String.valueOf(e.getMessage()) : known;
    int status = spawned.isAlive() ? KILLED : spawned.exitValue();
    return new NotStartedException(
        start.guest, spawned.pid(), new End(status, reason, lastLines()), e);
  }

  private Plan plan() {
    Plan told = confined;
    if (told == null) {
      throw new IllegalStateException("guest " + start.guest + " was not started");
    }
    return told;
  }

  private Process running() {
    Process spawned = process;
    if (spawned == null) {
      throw new IllegalStateException("guest " + start.guest + " was not started");
    }
    return spawned;
  }

  private Control control() {
    Control channel = control;
    if (channel == null) {
      throw new IllegalStateException("guest " + start.guest + " was not started");
    }
    return channel;
  }
}
