package org.gatun.broker.service;

import java.io.IOException;
import java.io.OutputStream;
import java.time.Duration;
import java.util.ArrayList;
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

/** A guest that the broker runs: a grant and a process for each of its devices. */
final class ProgramGuest implements Guest {
  private final GuestHost host;
  private final GuestConfig settings;
  private final GuestProgram program;
  private final GuestLauncher launcher;

  /** By device, while it runs. Guarded by itself. */
  private final Map<DeviceName, Running> running = new LinkedHashMap<>();

  private record Running(Grant grant, GuestProcess process) {}

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
      if (settings.devices().contains(device)) {
        grant(device);
      } else {
        grantAgain(device);
      }
    }
  }

  private void grantAgain(DeviceName device) throws IOException {
    try {
      grant(device);
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
      run(name, device);
      granted = true;
      return name;
    } finally {
      if (!granted && owned.isEmpty()) {
        host.release(name);
      }
    }
  }

  private void run(DeviceName name, DeviceName asked) {
    Grant grant =
        host.broker().grant(settings.name(), settings.quota(), List.of(host.request(asked)));
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

  private void ended(DeviceName device, GuestProcess process, GuestProcess.End end) {
    synchronized (running) {
      running.values().removeIf(entry -> entry.process.equals(process));
    }
    host.tell(
        new BrokerEvent.Ended(
            settings.name(), device, process.pid(), end.status(), end.reason(), end.lastLines()));
  }

  @Override
  public boolean revoke(DeviceName device, Duration deadline) {
    Running entry;
    synchronized (running) {
      entry = running.get(device);
    }
    if (entry == null) {
      return false;
    }
    entry.grant.revoke(deadline);
    return true;
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

  @Override
  public void close(Duration deadline) {
    running().forEach(entry -> entry.grant.revoke(deadline));
  }

  private List<Running> running() {
    synchronized (running) {
      return List.copyOf(running.values());
    }
  }
}
