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
import org.gatun.broker.Broker;
import org.gatun.broker.Grant;
import org.gatun.broker.GrantRefusedException;
import org.gatun.broker.GrantedDevice;
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

  private final GuestHost host;
  private final GuestConfig settings;
  private final GuestProgram program;
  private final GuestLauncher launcher;

  /** By device, while it runs. Guarded by itself. */
  private final Map<DeviceName, Running> running = new LinkedHashMap<>();

  /** Devices that are the guest's, whether a process has them just now or not. Guarded by this. */
  private final Map<DeviceName, Attempts> wanted = new HashMap<>();

  private record Running(Grant grant, GuestProcess process) {}

  /**
   * @param asked by which name the policy file is asked for the device
   * @param failures in a row, each soon after its start
   * @param started the last time, in nanoseconds
   */
  private record Attempts(DeviceName asked, int failures, long started) {
    Duration pause() {
      return FIRST_PAUSE.multipliedBy(1L << Math.min(failures, MOST_DOUBLINGS));
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
  public synchronized void start() throws IOException {
    for (DeviceName device : host.devices(settings)) {
      DeviceName name = host.broker().device(device).map(Broker.DeviceStatus::name).orElse(device);
      if (wanted.containsKey(name)) {
        continue;
      }
      if (!settings.devices().contains(device)) {
        grantAgain(device);
      } else if (!host.holdsBack(device, settings)) {
        grant(device);
      }
    }
  }

  private void grantAgain(DeviceName device) throws IOException {
    try {
      if (!host.holdsBack(device, settings)) {
        grant(device);
      }
    } catch (PciException | IllegalArgumentException e) {
      host.tell(new BrokerEvent.Refused(settings.name(), device, String.valueOf(e.getMessage())));
    }
  }

  @Override
  public synchronized DeviceName grant(DeviceName device) throws IOException {
    Optional<DeviceName> owned = host.broker().device(device).map(Broker.DeviceStatus::name);
    DeviceName name = owned.isPresent() ? owned.get() : host.seize(device);
    boolean granted = false;
    try {
      wanted.put(name, new Attempts(device, 0, System.nanoTime()));
      run(name, device);
      granted = true;
      return name;
    } finally {
      if (!granted) {
        wanted.remove(name);
        if (owned.isEmpty()) {
          host.release(name);
        }
      }
    }
  }

  private void run(DeviceName name, DeviceName asked) {
    Grant grant = host.grant(settings, List.of(asked));
    boolean started = false;
    try {
      GrantedDevice device = grant.connect().getFirst();
      GuestProcess process =
          launcher.start(
              settings.name(),
              program,
              settings.quota(),
              device,
              OutputStream.nullOutputStream(),
              (ended, end) -> ended(name, ended, end));
      synchronized (running) {
        running.put(name, new Running(grant, process));
      }
      started = true;
      host.tell(new BrokerEvent.Started(settings.name(), name, process.pid()));
    } catch (IOException e) {
      throw new GrantRefusedException(name, String.valueOf(e.getMessage()), null, e);
    } finally {
      if (!started) {
        grant.revoke(Duration.ZERO);
      }
    }
  }

  /** Not before what started it is done with that. */
  private synchronized void ended(DeviceName device, GuestProcess process, GuestProcess.End end) {
    host.tell(
        new BrokerEvent.Ended(
            settings.name(), device, process.pid(), end.status(), end.reason(), end.lastLines()));
    if (!end.isSuccess()) {
      host.postMortems()
          .keep(
              settings.name(),
              device,
              process.pid(),
              end,
              folder -> host.tell(new BrokerEvent.Kept(settings.name(), process.pid(), folder)));
    }
    synchronized (running) {
      running.values().removeIf(entry -> entry.process.equals(process));
      running.notifyAll();
    }
    runAgain(device, end.isSuccess());
  }

  /** After a pause, on a thread of its own, if it is wanted still. */
  private synchronized void runAgain(DeviceName device, boolean succeeded) {
    Attempts last = wanted.get(device);
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
    boolean settled = System.nanoTime() - last.started > SETTLED.toNanos();
    Attempts next = new Attempts(last.asked, settled ? 0 : last.failures + 1, System.nanoTime());
    wanted.put(device, next);
    Thread.ofPlatform()
        .daemon()
        .name("gatun runs guest " + settings.name() + " again")
        .start(() -> runAgain(device, next));
  }

  private void runAgain(DeviceName device, Attempts attempt) {
    TimeSource.system().sleep(attempt.pause());
    synchronized (this) {
      if (!attempt.equals(wanted.get(device))) {
        return; // revoked meanwhile, or granted anew
      }
      try {
        run(device, attempt.asked);
        return;
      } catch (PciException | IllegalArgumentException e) {
        host.tell(new BrokerEvent.Refused(settings.name(), device, String.valueOf(e.getMessage())));
        if (host.broker().device(device).isEmpty()) {
          wanted.remove(device); // it has gone
        }
      }
    }
    runAgain(device, false);
  }

  @Override
  public boolean revoke(DeviceName device, Duration deadline) {
    boolean had;
    synchronized (this) {
      had = wanted.remove(device) != null;
    }
    Running entry;
    synchronized (running) {
      entry = running.get(device);
    }
    if (entry != null) {
      take(entry, deadline);
    }
    return had || entry != null;
  }

  /** Its process has ended, and all that it had is closed, when this returns. */
  private void take(Running entry, Duration deadline) {
    entry.grant.revoke(deadline);
    long end = System.nanoTime() + END_LIMIT.toNanos();
    boolean interrupted = false;
    synchronized (running) {
      while (running.containsValue(entry)) {
        long left = Duration.ofNanos(end - System.nanoTime()).toMillis();
        if (left <= 0) {
          LOG.log(Level.WARNING, "guest {0}: its process does not end", settings.name());
          break;
        }
        try {
          running.wait(left);
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
    List<Running> now = running();
    Grant.Counters counters = new Grant.Counters(0, 0, 0);
    List<DeviceName> devices = new ArrayList<>();
    for (Running entry : now) {
      counters = counters.plus(entry.grant.counters());
      entry.grant.devices().forEach(device -> devices.add(device.name()));
    }
    return new BrokerService.GuestStatus(
        settings.name(),
        host.folders().guests().resolve(settings.name()),
        now.stream().findFirst().map(entry -> entry.grant.state()),
        devices,
        counters,
        Optional.of(now.stream().map(entry -> entry.process.pid()).toList()));
  }

  /** What its processes use. */
  List<GuestSample> samples() {
    List<GuestSample> samples = new ArrayList<>();
    for (Running entry : running()) {
      entry
          .process
          .usage()
          .ifPresent(
              usage ->
                  samples.add(
                      new GuestSample(
                          settings.name(),
                          entry.process.device().name().toString(),
                          entry.process.pid(),
                          usage.processorTime().toMillis(),
                          usage.residentBytes(),
                          usage.threads())));
    }
    return samples;
  }

  @Override
  public void close(Duration deadline) {
    stop(deadline);
  }

  @Override
  public void stop(Duration deadline) {
    synchronized (this) {
      wanted.clear();
    }
    running().forEach(entry -> take(entry, deadline));
  }

  private List<Running> running() {
    synchronized (running) {
      return List.copyOf(running.values());
    }
  }
}
