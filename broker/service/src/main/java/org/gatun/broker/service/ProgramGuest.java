package org.gatun.broker.service;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.gatun.broker.Grant;
import org.gatun.broker.GrantRefusedException;
import org.gatun.broker.config.GuestConfig;
import org.gatun.broker.config.GuestProgram;
import org.gatun.broker.service.process.GuestLauncher;
import org.gatun.broker.service.process.GuestProcess;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciException;
import org.gatun.pci.TimeSource;

/**
 * A guest that the broker runs: a grant and a process for each of its devices. One that ends by
 * itself is run again, if it is to be, after a pause that doubles each time.
 */
final class ProgramGuest implements Guest {
  private static final System.Logger LOG = System.getLogger(ProgramGuest.class.getName());

  /** For a process that was killed, or has let go of its device. */
  private static final Duration END_LIMIT = Duration.ofSeconds(20);

  private static final Duration FIRST_PAUSE = Duration.ofMillis(500);

  /** Up to half a minute. */
  private static final int MOST_DOUBLINGS = 6;

  /** One that ran for so long had not failed at its start. */
  private static final Duration SETTLED = Duration.ofMinutes(1);

  /** Of its last lines, in characters, since who watches has to take them; a file has all. */
  private static final int TOLD = 32 << 10;

  private final GuestHost host;
  private final GuestConfig settings;
  private final GuestProgram program;
  private final GuestLauncher launcher;

  /** Devices that are the guest's, whether a process has them just now or not. Guarded by this. */
  private final Map<DeviceName, Attempt> wanted = new HashMap<>();

  /** By device, until it is back. Guarded by this. */
  private final Map<DeviceName, Run> runs = new LinkedHashMap<>();

  /** Guarded by this. */
  private boolean closed;

  /**
   * To have a process for a device.
   *
   * @param failures in a row, each soon after its start
   * @param begin in nanoseconds
   */
  private record Attempt(int failures, long begin) {
    static Attempt first() {
      return new Attempt(0, System.nanoTime());
    }

    Attempt next() {
      boolean settled = System.nanoTime() - begin > SETTLED.toNanos();
      return new Attempt(settled ? 1 : failures + 1, System.nanoTime());
    }

    Duration pause() {
      return FIRST_PAUSE.multipliedBy(1L << Math.min(failures - 1, MOST_DOUBLINGS));
    }
  }

  /**
   * A device that is granted, and the process that has it, or is about to.
   *
   * @param process once it is at work
   * @param started completes when that has been told, or exceptionally if it does not come
   */
  private record Run(
      DeviceName device,
      Grant grant,
      CompletableFuture<GuestProcess> process,
      CompletableFuture<Void> started) {
    Run(DeviceName device, Grant grant) {
      this(device, grant, new CompletableFuture<>(), new CompletableFuture<>());
    }
  }

  ProgramGuest(GuestHost host, GuestConfig settings, GuestProgram program, GuestLauncher launcher) {
    this.host = host;
    this.settings = settings;
    this.program = program;
    this.launcher = launcher;
  }

  @Override
  public GuestConfig settings() {
    return settings;
  }

  @Override
  public CompletableFuture<Void> start() {
    List<CompletableFuture<?>> starts = new ArrayList<>();
    for (DeviceName device : host.devices(settings)) {
      try {
        if (!isWanted(device) && !host.holdsBack(device, settings)) {
          want(device).ifPresent(attempt -> begin(device, attempt).ifPresent(starts::add));
        }
      } catch (PciException | IllegalArgumentException e) {
        if (settings.devices().contains(device)) {
          throw e;
        }
        refused(device, e);
      }
    }
    return CompletableFuture.allOf(starts.toArray(CompletableFuture[]::new));
  }

  @Override
  public void grant(DeviceName device) {
    boolean seized = host.seizeIfNeeded(device);
    boolean granted = false;
    Optional<Attempt> attempt = Optional.empty();
    try {
      attempt = want(device);
      if (attempt.isEmpty()) {
        throw new GrantRefusedException(
            device, "guest " + settings.name() + " has it already", null, null);
      }
      launch(prepare(device, attempt.get()).orElseThrow(() -> takenBack(device)));
      granted = true;
    } finally {
      if (!granted) {
        attempt.ifPresent(unwanted -> forget(device, unwanted));
        if (seized) {
          host.release(device);
        }
      }
    }
  }

  private synchronized boolean isWanted(DeviceName device) {
    return wanted.containsKey(device);
  }

  /** Empty if it is the guest's already. */
  private synchronized Optional<Attempt> want(DeviceName device) {
    if (closed) {
      throw new GrantRefusedException(device, "the broker is closed", null, null);
    }
    Attempt first = Attempt.first();
    return wanted.putIfAbsent(device, first) == null ? Optional.of(first) : Optional.empty();
  }

  private synchronized void forget(DeviceName device, Attempt attempt) {
    wanted.remove(device, attempt);
  }

  private GrantRefusedException takenBack(DeviceName device) {
    return new GrantRefusedException(
        device, "it was taken back from guest " + settings.name() + " meanwhile", null, null);
  }

  /** On a thread of its own: the JVM of another guest may take minutes to start. */
  private Optional<CompletableFuture<Void>> begin(DeviceName device, Attempt attempt) {
    boolean prepared = false;
    try {
      Optional<Run> run = prepare(device, attempt);
      prepared = true;
      run.ifPresent(begun -> thread(() -> attempt(device, () -> launch(begun)), "starts"));
      return run.map(Run::started);
    } finally {
      if (!prepared) {
        forget(device, attempt);
      }
    }
  }

  private void thread(Runnable action, String what) {
    Thread.ofPlatform().daemon().name("gatun " + what + " guest " + settings.name()).start(action);
  }

  /** What does not start is begun again, as if it had failed later. */
  private void attempt(DeviceName device, Runnable start) {
    try {
      start.run();
    } catch (PciException | IllegalArgumentException e) {
      if (isWanted(device)) {
        refused(device, e);
        if (host.broker().device(device).isEmpty()) {
          synchronized (this) {
            wanted.remove(device); // it has gone
          }
        }
        runAgain(device, false);
      }
    }
  }

  private void refused(DeviceName device, Exception reason) {
    host.tell(
        new BrokerEvent.Refused(settings.name(), device, String.valueOf(reason.getMessage())));
  }

  /** Grants the device; empty if it is wanted no more. */
  private Optional<Run> prepare(DeviceName device, Attempt attempt) {
    Run run = new Run(device, host.grant(settings, List.of(device)));
    synchronized (this) {
      if (attempt.equals(wanted.get(device))) {
        runs.put(device, run);
        return Optional.of(run);
      }
    }
    run.grant.revoke(Duration.ZERO);
    return Optional.empty();
  }

  private void launch(Run run) {
    RuntimeException problem = takenBack(run.device);
    boolean started = false;
    try {
      GuestProcess process =
          launcher.start(
              settings.name(),
              program,
              settings.quota(),
              run.grant.connect().getFirst(),
              OutputStream.nullOutputStream(),
              (_, end) -> ended(run, end));
      started = true;
      run.process.complete(process);
      try {
        host.tell(new BrokerEvent.Started(settings.name(), run.device, process.pid()));
      } finally {
        run.started.complete(null);
      }
    } catch (GuestProcess.NotStartedException e) {
      keep(run.device, e.pid(), e.end());
      problem = new GrantRefusedException(run.device, String.valueOf(e.getMessage()), null, e);
      throw problem;
    } catch (IOException e) {
      problem = new GrantRefusedException(run.device, String.valueOf(e.getMessage()), null, e);
      throw problem;
    } finally {
      if (!started) {
        run.grant.revoke(Duration.ZERO);
        remove(run);
        run.started.completeExceptionally(problem);
      }
    }
  }

  private void keep(DeviceName device, long process, GuestProcess.End end) {
    host.postMortems()
        .keep(
            settings.name(),
            device,
            process,
            end,
            folder -> host.tell(new BrokerEvent.Kept(settings.name(), process, folder)));
  }

  /** Not before what started it has told so. */
  private void ended(Run run, GuestProcess.End end) {
    run.started.join();
    long process = run.process.join().pid();
    host.tell(
        new BrokerEvent.Ended(
            settings.name(),
            run.device,
            process,
            end.status(),
            end.reason(),
            told(end.lastLines())));
    if (!end.isSuccess()) {
      keep(run.device, process, end);
    }
    remove(run);
    runAgain(run.device, end.isSuccess());
  }

  private static List<String> told(List<String> lines) {
    int from = lines.size();
    for (int left = TOLD; from > 0 && lines.get(from - 1).length() <= left; from--) {
      left -= lines.get(from - 1).length();
    }
    return lines.subList(from, lines.size());
  }

  private synchronized void remove(Run run) {
    runs.remove(run.device, run);
    notifyAll();
  }

  /** After a pause, on a thread of its own, if it is wanted still. */
  private synchronized void runAgain(DeviceName device, boolean succeeded) {
    Attempt last = wanted.get(device);
    if (last == null) {
      return;
    }
    boolean again =
        switch (program.supervision().restart()) {
          case NEVER -> false;
          case ON_FAILURE -> !succeeded;
          case ALWAYS -> true;
        };
    if (!again) {
      wanted.remove(device);
      return;
    }
    Attempt next = last.next();
    wanted.put(device, next);
    thread(
        () -> {
          TimeSource.system().sleep(next.pause());
          // Empty if it was revoked meanwhile, or granted anew.
          attempt(device, () -> prepare(device, next).ifPresent(this::launch));
        },
        "runs again");
  }

  @Override
  public boolean revoke(DeviceName device, Duration deadline) {
    boolean had;
    Run run;
    synchronized (this) {
      had = wanted.remove(device) != null;
      run = runs.get(device);
    }
    if (run != null) {
      take(run, deadline);
    }
    return had || run != null;
  }

  /** Its process has ended, and all that it had is closed, when this returns. */
  private void take(Run run, Duration deadline) {
    run.grant.revoke(deadline);
    long end = System.nanoTime() + END_LIMIT.toNanos();
    boolean interrupted = false;
    synchronized (this) {
      while (runs.containsValue(run)) {
        long left = Duration.ofNanos(end - System.nanoTime()).toMillis();
        if (left <= 0) {
          LOG.log(Level.WARNING, "guest {0}: its process does not end", settings.name());
          break;
        }
        try {
          wait(left);
        } catch (InterruptedException _) {
          interrupted = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public BrokerService.GuestStatus status() {
    List<Run> now = runs();
    Grant.Counters counters = new Grant.Counters(0, 0, 0);
    List<DeviceName> devices = new ArrayList<>();
    for (Run run : now) {
      counters = counters.plus(run.grant.counters());
      run.grant.devices().forEach(device -> devices.add(device.name()));
    }
    return new BrokerService.GuestStatus(
        settings.name(),
        host.folders().guests().resolve(settings.name()),
        now.stream().findFirst().map(run -> run.grant.state()),
        devices,
        counters,
        Optional.of(processes().map(GuestProcess::pid).toList()));
  }

  /** What its processes use. */
  List<GuestSample> samples() {
    List<GuestSample> samples = new ArrayList<>();
    processes()
        .forEach(
            process ->
                process
                    .usage()
                    .ifPresent(
                        usage ->
                            samples.add(
                                new GuestSample(
                                    settings.name(),
                                    process.device().name().toString(),
                                    process.pid(),
                                    usage.processorTime().toMillis(),
                                    usage.residentBytes(),
                                    usage.threads()))));
    return samples;
  }

  @Override
  public void close(Duration deadline) {
    synchronized (this) {
      closed = true;
    }
    stop(deadline);
  }

  @Override
  public void stop(Duration deadline) {
    synchronized (this) {
      wanted.clear();
    }
    runs().forEach(run -> take(run, deadline));
  }

  private synchronized List<Run> runs() {
    return List.copyOf(runs.values());
  }

  private Stream<GuestProcess> processes() {
    return runs().stream()
        .map(run -> run.process)
        .filter(CompletableFuture::isDone)
        .map(CompletableFuture::join);
  }
}
