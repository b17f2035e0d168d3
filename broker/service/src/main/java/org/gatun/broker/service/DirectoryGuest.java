package org.gatun.broker.service;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.gatun.broker.Grant;
import org.gatun.broker.GrantState;
import org.gatun.broker.GrantedDevice;
import org.gatun.broker.config.GuestConfig;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciException;
import org.jspecify.annotations.Nullable;

/**
 * A guest that comes by itself, and finds what it has in a {@link GrantDirectory}. What it is given
 * and what is taken happens one after the other.
 */
final class DirectoryGuest implements Guest {
  private final GuestHost host;
  private final GuestConfig settings;
  private volatile @Nullable GrantDirectory directory;
  private volatile @Nullable Grant grant;

  DirectoryGuest(GuestHost host, GuestConfig settings) {
    this.host = host;
    this.settings = settings;
  }

  @Override
  public GuestConfig settings() {
    return settings;
  }

  @Override
  public synchronized CompletableFuture<Void> start() throws IOException {
    if (directory == null) {
      directory =
          GrantDirectory.open(
              host.folders().guests(), settings.name(), settings.gid(), settings.uids());
    }
    List<DeviceName> held = status().devices();
    List<DeviceName> configured = new ArrayList<>();
    List<DeviceName> later = new ArrayList<>();
    for (DeviceName device : host.devices(settings)) {
      if (held.contains(device)) {
        continue;
      }
      if (!settings.devices().contains(device)) {
        later.add(device);
      } else if (!host.holdsBack(device, settings)) {
        configured.add(device);
      }
    }
    if (held.isEmpty() && !configured.isEmpty()) {
      take(configured); // in one grant
    } else {
      for (DeviceName device : configured) {
        grant(device);
      }
    }
    for (DeviceName device : later) {
      grantAgain(device);
    }
    return CompletableFuture.completedFuture(null);
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
  public synchronized void grant(DeviceName device) throws IOException {
    boolean seized = host.seizeIfNeeded(device);
    boolean granted = false;
    try {
      Grant current = grant;
      if (current == null || current.state() == GrantState.CLOSED) {
        take(List.of(device));
      } else {
        GrantedDevice added = host.add(current, device);
        current.connect();
        publish(List.of(added));
      }
      granted = true;
    } finally {
      if (!granted && seized) {
        host.release(device);
      }
    }
  }

  /** The guest's devices answer from now on, as its processes come and go without the broker. */
  private void take(List<DeviceName> devices) throws IOException {
    Grant taken;
    try {
      taken = host.grant(settings, devices);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "guest %s: %s".formatted(settings.name(), e.getMessage()), e);
    }
    grant = taken;
    publish(taken.connect());
  }

  private void publish(List<GrantedDevice> devices) throws IOException {
    GrantDirectory open = Objects.requireNonNull(directory);
    boolean published = false;
    try {
      for (GrantedDevice device : devices) {
        open.publish(device, settings.quota());
      }
      published = true;
    } finally {
      if (!published) {
        devices.forEach(GrantedDevice::close);
      }
    }
  }

  @Override
  public synchronized boolean revoke(DeviceName device, Duration deadline) {
    Grant current = grant;
    if (current == null || !has(current, device)) {
      return false;
    }
    if (current.devices().size() == 1) {
      current.revoke(deadline);
    } else {
      host.broker().remove(current, device, deadline);
    }
    return true;
  }

  private static boolean has(Grant grant, DeviceName device) {
    return grant.devices().stream().anyMatch(d -> d.name().equals(device));
  }

  @Override
  public BrokerService.GuestStatus status() {
    Grant current = grant;
    return new BrokerService.GuestStatus(
        settings.name(),
        host.folders().guests().resolve(settings.name()),
        Optional.ofNullable(current).map(Grant::state),
        current == null ? List.of() : current.devices().stream().map(GrantedDevice::name).toList(),
        current == null ? new Grant.Counters(0, 0, 0) : current.counters(),
        Optional.empty());
  }

  @Override
  public synchronized void stop(Duration deadline) {
    Grant current = grant;
    if (current != null) {
      current.revoke(deadline);
    }
  }

  @Override
  public synchronized void close(Duration deadline) {
    stop(deadline);
    GrantDirectory open = directory;
    if (open != null) {
      open.close();
    }
  }
}
