package org.gatun.broker;

import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.gatun.broker.policy.ConfigLayout;
import org.gatun.pci.DeviceName;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.Hazard;
import org.gatun.pci.spi.PciBackend;

/**
 * Owns devices and grants them to guests. It stands in the way of set-up and tear-down only: a
 * guest's I/O does not pass it. Any thread.
 *
 * <pre>{@code
 * try (Broker broker = new Broker(Backends.installed())) {
 *   broker.seize(name);
 *   Grant grant = broker.grant("guest", Quota.DEFAULT, List.of(DeviceRequest.of(name)));
 *   PciDevice device = grant.connect().getFirst();
 *   ...
 *   grant.revoke(Duration.ofSeconds(2));
 * }
 * }</pre>
 */
public final class Broker implements AutoCloseable {
  /**
   * A device of the broker's.
   *
   * @param guest who has it
   * @param quarantine why it is not granted any more
   */
  public record DeviceStatus(
      DeviceName name, Optional<String> guest, Optional<String> quarantine) {}

  /** How long a guest may take to recover a device that reported an error, as in pciback. */
  public static final Duration RECOVERY_LIMIT = Duration.ofSeconds(60);

  private static final System.Logger LOG = System.getLogger(Broker.class.getName());

  private final Map<String, PciBackend> backends;
  private final Duration recoveryLimit;
  private final List<GrantListener> listeners = new CopyOnWriteArrayList<>();

  /** By name, in the order of seizing. Guarded by this. */
  private final Map<DeviceName, OwnedGroup> groups = new HashMap<>();

  /** Guarded by this. */
  private final List<OwnedDevice> devices = new ArrayList<>();

  /** Guarded by this. */
  private final List<Grant> grants = new ArrayList<>();

  /** Guarded by this. */
  private boolean closed;

  /**
   * @param backends one for each scheme of devices that are to be brokered
   */
  public Broker(List<? extends PciBackend> backends) {
    this(backends, RECOVERY_LIMIT);
  }

  /**
   * @param recoveryLimit how long a guest may take to recover a device that reported an error
   */
  public Broker(List<? extends PciBackend> backends, Duration recoveryLimit) {
    this.recoveryLimit = recoveryLimit;
    this.backends =
        backends.stream().collect(Collectors.toUnmodifiableMap(PciBackend::scheme, b -> b));
  }

  /** From now on this listener hears of all steps of all grants. */
  public void listen(GrantListener listener) {
    listeners.add(listener);
  }

  /**
   * Takes possession of a device: opens it, fences it, and notes what it is.
   *
   * @throws GrantRefusedException if the broker has it already, or no backend for it
   * @throws org.gatun.pci.DeviceUnavailableException if the device can't be opened
   */
  public synchronized void seize(DeviceName name) {
    checkOpen(name);
    PciBackend backend = backends.get(name.scheme());
    if (backend == null) {
      throw new GrantRefusedException(
          name,
          "the broker has no backend for '" + name.scheme() + "'",
          "it has " + backends.keySet().stream().sorted().toList(),
          null);
    }
    Optional<FoundDevice> found = backend.find(name);
    DeviceName own = backend.nameOf(name);
    if (groups.containsKey(own)) {
      throw new GrantRefusedException(own, "the broker has it already", null, null);
    }
    OwnedGroup group = groupOf(own, found.flatMap(FoundDevice::iommuGroup));
    synchronized (group) {
      OwnedDevice device = OwnedDevice.seize(backend, own, found, this::departs);
      group.devices().add(device);
      devices.add(device);
      groups.put(own, group);
    }
  }

  /**
   * Lets a device go, also one in quarantine.
   *
   * @throws GrantRefusedException if the broker does not have it, or a guest has it
   */
  public synchronized void release(DeviceName name) {
    OwnedDevice device = owned(name);
    OwnedGroup group = group(device.name());
    synchronized (group) {
      Grant grant = group.grant();
      if (grant != null) {
        throw new GrantRefusedException(
            device.name(), "guest " + grant.guest() + " has it", "revoke the grant first", null);
      }
      forget(device, group);
      device.release();
    }
  }

  private void forget(OwnedDevice device, OwnedGroup group) {
    group.devices().remove(device);
    devices.remove(device);
    groups.remove(device.name());
  }

  /** On a thread of its own: the one that calls is the backend's. */
  private void departs(OwnedDevice device, Duration deadline, String cause) {
    Thread.ofPlatform()
        .daemon()
        .name("gatun broker lets go of " + device.name())
        .start(() -> letGo(device, deadline, cause));
  }

  /**
   * A device goes: it is taken from its guest, who is asked first if there is time, and then it is
   * not the broker's any more; unless it can't be proven that nobody has it: that stays known.
   */
  private void letGo(OwnedDevice device, Duration deadline, String cause) {
    OwnedGroup group;
    Grant grant;
    synchronized (this) {
      if (!devices.contains(device)) {
        return;
      }
      group = group(device.name());
      synchronized (group) {
        device.leave(cause);
        grant = group.grant();
      }
    }
    LOG.log(Level.WARNING, "{0}: the broker lets it go: {1}", device.name(), cause);
    if (grant != null) {
      grant.lose(device, deadline, cause);
    }
    synchronized (this) {
      synchronized (group) {
        device.releaseAnyhow().ifPresent(device::quarantine);
        if (device.quarantine().isEmpty() && devices.contains(device)) {
          forget(device, group);
        }
      }
    }
  }

  /** The devices that the broker has, in the order of seizing. */
  public synchronized List<DeviceStatus> devices() {
    return devices.stream().map(this::status).toList();
  }

  /** The name that the backend has for a device, whether it is there or not: others may mean it. */
  public DeviceName nameOf(DeviceName name) {
    PciBackend backend = backends.get(name.scheme());
    return backend == null ? name : backend.nameOf(name);
  }

  /** A device, by any of its names; empty if the broker does not have it. */
  public synchronized Optional<DeviceStatus> device(DeviceName name) {
    return find(name).map(this::status);
  }

  private DeviceStatus status(OwnedDevice device) {
    OwnedGroup group = group(device.name());
    synchronized (group) {
      return new DeviceStatus(
          device.name(), Optional.ofNullable(group.grant()).map(Grant::guest), device.quarantine());
    }
  }

  /**
   * The ids of a device, as they were when it was seized.
   *
   * @throws GrantRefusedException if the broker does not have it
   */
  public synchronized PciId id(DeviceName name) {
    return PciId.of(owned(name).snapshot().config());
  }

  /**
   * The class of a device, as it was when it was seized.
   *
   * @throws GrantRefusedException if the broker does not have it
   */
  public synchronized PciClass pciClass(DeviceName name) {
    return PciClass.of(owned(name).snapshot().config());
  }

  /** The grants that have not ended, in the order of granting. */
  public synchronized List<Grant> grants() {
    grants.removeIf(grant -> grant.state() == GrantState.CLOSED);
    return List.copyOf(grants);
  }

  /**
   * Grants devices to a guest, who takes them up with {@link Grant#connect}. All or nothing.
   *
   * @param guest a name, for people
   * @throws GrantRefusedException if a device is not the broker's, is another guest's (it or one of
   *     its IOMMU group), is in quarantine, or has a hazard that is not accepted
   * @throws IllegalArgumentException if the policy does not fit the device
   */
  public Grant grant(String guest, Quota quota, List<DeviceRequest> requests) {
    Grant grant = new Grant(guest, quota, recoveryLimit, this::changed);
    synchronized (this) {
      if (requests.isEmpty()) {
        throw new IllegalArgumentException("a grant is of one device at least");
      }
      boolean granted = false;
      try {
        requests.forEach(request -> grantOne(grant, request));
        grants.add(grant);
        granted = true;
      } finally {
        if (!granted) {
          abandon(grant);
        }
      }
    }
    grant.change(GrantState.INIT_WAIT);
    return grant;
  }

  /**
   * Grants a guest one more device, while it has others. It takes it up with {@link Grant#connect}.
   *
   * @throws GrantRefusedException as {@link #grant}, or if the guest is not connected
   */
  public GrantedDevice add(Grant grant, DeviceRequest request) {
    if (!grant.change(GrantState.RECONFIGURING)) {
      throw new GrantRefusedException(
          request.device(), grant + " is " + grant.state(), "its guest connects first", null);
    }
    GrantedDevice device = null;
    try {
      synchronized (this) {
        device = grantOne(grant, request);
      }
    } finally {
      if (device == null) {
        grant.settle();
      }
    }
    if (!grant.change(GrantState.RECONFIGURING, GrantState.RECONFIGURED)) {
      // Revoked meanwhile: whoever did that does not know of this device.
      device.close();
      throw new GrantRefusedException(request.device(), grant + " has ended", null, null);
    }
    return device;
  }

  /**
   * Takes one device from a guest, who keeps the others.
   *
   * @param deadline as for {@link Grant#revoke}
   * @throws GrantRefusedException if the guest is not connected, or does not have it
   */
  public void remove(Grant grant, DeviceName device, Duration deadline) {
    DeviceName own = nameOf(device);
    if (grant.devices().stream().noneMatch(d -> d.name().equals(own))) {
      throw new GrantRefusedException(
          own, "guest " + grant.guest() + " does not have it", null, null);
    }
    if (!grant.change(GrantState.RECONFIGURING)) {
      throw new GrantRefusedException(
          device, grant + " is " + grant.state(), "its guest connects first", null);
    }
    grant.remove(own, deadline);
    grant.settle();
  }

  /**
   * Grants nothing any more, and revokes all grants by force: failures are logged. The devices that
   * come back are not opened again; {@link #devices} tells of each whether it came back clean.
   * Idempotent.
   */
  public void stop() {
    List<Grant> open;
    synchronized (this) {
      closed = true;
      open = grants();
      for (OwnedDevice device : devices) {
        synchronized (group(device.name())) {
          device.leave("the broker stops");
        }
      }
    }
    open.reversed().forEach(grant -> attempt(grant, () -> grant.revoke(Duration.ZERO)));
  }

  /** As {@link #stop}, and lets all devices go. */
  @Override
  public void close() {
    stop();
    synchronized (this) {
      for (OwnedDevice device : List.copyOf(devices).reversed()) {
        attempt(device.name(), () -> release(device.name()));
      }
    }
  }

  /** What fails must not keep the rest from it. */
  private static void attempt(Object what, Runnable action) {
    try {
      action.run();
    } catch (RuntimeException | InternalError e) {
      LOG.log(Level.ERROR, what + ": giving it back failed", e);
    }
  }

  private GrantedDevice grantOne(Grant grant, DeviceRequest request) {
    checkOpen(request.device());
    OwnedDevice device = owned(request.device());
    DeviceName name = device.name();
    OwnedGroup group = group(name);
    synchronized (group) {
      checkGrantable(grant, device, group, request);
      ConfigLayout layout = ConfigLayout.of(device.snapshot(), request.config());
      Activity activity = new Activity(grant.guest(), name);
      AtomicReference<Holding> self = new AtomicReference<>();
      GrantedDevice granted =
          new GrantedDevice(
              device.seized().orElseThrow(),
              device.snapshot(),
              request,
              layout,
              grant.freeSlot(device),
              grant.quota(),
              activity,
              () -> Optional.ofNullable(self.get()).ifPresent(grant::closedByGuest));
      Holding holding = new Holding(grant.guest(), group, device, layout, granted, activity);
      self.set(holding);
      group.granted(grant);
      grant.add(holding);
      return granted;
    }
  }

  private static void checkGrantable(
      Grant grant, OwnedDevice device, OwnedGroup group, DeviceRequest request) {
    DeviceName name = device.name();
    Optional<String> quarantine = device.quarantine();
    if (quarantine.isPresent()) {
      throw new GrantRefusedException(
          name,
          "it is in quarantine: " + quarantine.get(),
          "release it, see to it, and seize it again",
          null);
    }
    Optional<String> leaving = device.leaving();
    if (leaving.isPresent()) {
      throw new GrantRefusedException(name, "it goes: " + leaving.get(), null, null);
    }
    Grant other = group.grant();
    if (other != null && !other.equals(grant)) {
      throw new GrantRefusedException(
          name,
          "guest %s has devices of %s, which go to one guest or to none"
              .formatted(other.guest(), group),
          "revoke that grant first",
          null);
    }
    if (grant.devices().stream().anyMatch(d -> d.name().equals(name))) {
      throw new GrantRefusedException(
          name, "guest " + grant.guest() + " has it already", null, null);
    }
    Set<Hazard> hazards = new LinkedHashSet<>();
    for (Hazard hazard : Hazard.values()) {
      if (device.has(hazard) && !request.accepted().contains(hazard)) {
        hazards.add(hazard);
      }
    }
    if (!hazards.isEmpty()) {
      throw new GrantRefusedException(
          name,
          "granting it is not safe: "
              + hazards.stream()
                  .map(h -> h.meaning() + " (" + h + ")")
                  .collect(Collectors.joining("; ")),
          "the grant may accept that by name: "
              + hazards.stream().map(Hazard::text).collect(Collectors.joining(", ")),
          null);
    }
  }

  /** What was granted before a later step failed goes back as if a guest had had it. */
  private static void abandon(Grant grant) {
    grant.devices().forEach(GrantedDevice::close);
    grant.change(GrantState.CLOSED);
  }

  private void changed(Grant grant, GrantState from, GrantState to) {
    for (GrantListener listener : listeners) {
      try {
        listener.changed(grant, from, to);
      } catch (RuntimeException e) {
        LOG.log(Level.ERROR, grant + ": a listener failed", e);
      }
    }
  }

  private OwnedGroup groupOf(DeviceName name, Optional<Integer> number) {
    return devices.stream()
        .filter(d -> number.isPresent() && d.name().scheme().equals(name.scheme()))
        .map(d -> group(d.name()))
        .filter(g -> g.number().equals(number))
        .findFirst()
        .orElseGet(() -> new OwnedGroup(number));
  }

  private OwnedDevice owned(DeviceName name) {
    return find(name)
        .orElseThrow(
            () ->
                new GrantRefusedException(
                    name,
                    "the broker does not have it",
                    "it has " + devices.stream().map(OwnedDevice::name).toList(),
                    null));
  }

  private Optional<OwnedDevice> find(DeviceName name) {
    DeviceName own = nameOf(name);
    return devices.stream().filter(d -> d.name().equals(own)).findFirst();
  }

  private OwnedGroup group(DeviceName name) {
    return Optional.ofNullable(groups.get(name)).orElseThrow();
  }

  private void checkOpen(DeviceName name) {
    if (closed) {
      throw new GrantRefusedException(name, "the broker is closed", null, null);
    }
  }
}
