package org.gatun.broker.service;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.gatun.broker.Broker;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.Grant;
import org.gatun.broker.GrantRefusedException;
import org.gatun.broker.GrantState;
import org.gatun.broker.GrantedDevice;
import org.gatun.broker.config.BrokerConfig;
import org.gatun.broker.config.GuestConfig;
import org.gatun.broker.service.process.GuestLauncher;
import org.gatun.broker.service.process.ProcessJournal;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciException;
import org.gatun.pci.spi.DeviceEraser;
import org.gatun.pci.spi.EraseMethod;
import org.gatun.pci.spi.PciBackend;
import org.jspecify.annotations.Nullable;

/**
 * A broker whose guests are other processes: it grants them what a policy file says, and what it is
 * told to while it runs, and remembers that. Any thread; what concerns one guest is done one after
 * the other.
 */
public final class BrokerService implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(BrokerService.class.getName());

  /**
   * Where a service keeps what it has.
   *
   * @param runtime for sockets: gone after a restart of the machine, such as {@code /run/gatun}
   * @param state for what is remembered, such as {@code /var/lib/gatun}
   */
  public record Folders(Path runtime, Path state) {
    /** The socket by which the service is controlled. */
    public Path control() {
      return runtime.resolve("control");
    }

    /** The folder of the guests' grant directories. */
    public Path guests() {
      return runtime.resolve("guests");
    }
  }

  /**
   * A guest.
   *
   * @param directory where its sockets are
   * @param state of its grant, or its first one; empty if nothing is granted to it
   * @param devices that it has
   * @param counters of its grants
   * @param processes that the broker runs for it; empty if the guest comes by itself
   */
  public record GuestStatus(
      String name,
      Path directory,
      Optional<GrantState> state,
      List<DeviceName> devices,
      Grant.Counters counters,
      Optional<List<Long>> processes) {
    /** Copies the lists. */
    public GuestStatus {
      devices = List.copyOf(devices);
      processes = processes.map(List::copyOf);
    }
  }

  /** How long each guest may take when the service ends. */
  private static final Duration FAREWELL = Duration.ofSeconds(2);

  /** How long what is being erased may take then: what is not done is begun anew. */
  private static final Duration ERASED = Duration.ofMinutes(1);

  private final BrokerConfig config;
  private final Folders folders;
  private final Broker broker;
  private final List<Consumer<BrokerEvent>> listeners = new CopyOnWriteArrayList<>();

  /** By name, in the order of the policy file. */
  private final Map<String, Guest> guests = new LinkedHashMap<>();

  /** In that order. Guarded by itself. */
  private final Set<DeviceName> seized = new LinkedHashSet<>();

  private final GrantStore store;
  private final Custody custody;
  private final FolderLocks locks;
  private final ProcessJournal journal;
  private final Host host = new Host();

  /** There once a guest needs it. */
  private @Nullable GuestLauncher launcher;

  /** Completes when the guests that the broker starts with are at work, or are not. */
  private CompletableFuture<Void> starting = CompletableFuture.completedFuture(null);

  private @Nullable Thread archiving;

  /** There once a guest needs it. */
  private @Nullable PostMortems postMortems;

  private BrokerService(
      BrokerConfig config,
      Folders folders,
      Broker broker,
      List<DeviceEraser> erasers,
      FolderLocks locks,
      GrantStore store,
      HolderStore holders,
      ProcessJournal journal) {
    this.config = config;
    this.folders = folders;
    this.broker = broker;
    this.locks = locks;
    this.store = store;
    this.custody = new Custody(broker, config, holders, erasers, this::tell);
    this.journal = journal;
    broker.listen(this::changed);
  }

  /** Makes a service, which has nothing yet, with the erasers that are installed. */
  public static BrokerService open(
      BrokerConfig config, Folders folders, List<? extends PciBackend> backends)
      throws IOException {
    List<DeviceEraser> erasers =
        ServiceLoader.load(DeviceEraser.class).stream().map(ServiceLoader.Provider::get).toList();
    return open(config, folders, backends, erasers);
  }

  /**
   * Makes a service, which has nothing yet.
   *
   * @param folders are made if they are missing; no other service has one of them
   * @throws IllegalArgumentException if two names of the configuration mean one device, and may not
   * @throws IOException if the folders can't be used, or another service has one of them
   */
  public static BrokerService open(
      BrokerConfig config,
      Folders folders,
      List<? extends PciBackend> backends,
      List<DeviceEraser> erasers)
      throws IOException {
    Broker broker = new Broker(backends);
    BrokerConfig named = config.named(broker::nameOf);
    Files.createDirectories(folders.runtime());
    Files.createDirectories(folders.state());
    FolderLocks locks = FolderLocks.take(folders.runtime(), folders.state());
    boolean opened = false;
    try {
      // Only who has the locks may: another broker's guests are not ours to end, nor is what it
      // remembers ours to read.
      GrantStore store = GrantStore.open(folders.state().resolve("grants.json"));
      HolderStore holders = HolderStore.open(folders.state().resolve("holders.json"));
      ProcessJournal journal = ProcessJournal.open(folders.state().resolve("processes"));
      BrokerService service =
          new BrokerService(named, folders, broker, erasers, locks, store, holders, journal);
      opened = true;
      return service;
    } finally {
      if (!opened) {
        locks.close();
      }
    }
  }

  /** From now on this listener hears of all that happens; on the thread that does it, so soon. */
  public void listen(Consumer<BrokerEvent> listener) {
    listeners.add(listener);
  }

  /** The end of {@link #listen}. */
  public void unlisten(Consumer<BrokerEvent> listener) {
    listeners.remove(listener);
  }

  /**
   * Seizes the devices of all guests, grants them, and begins to start the processes of guests, all
   * at a time. Steps on release that a former broker did not come to are begun.
   *
   * @throws PciException if a device of the policy file can't be had, or not granted. What was
   *     granted while a former broker ran, and can't be now, is an event; so is a device that goes
   *     to nobody, or to another guest, before it is erased; and so is a process that does not
   *     start, which is the fault of its guest alone.
   * @throws IllegalArgumentException if a policy does not fit its device
   * @throws IOException if there can't be a grant directory
   */
  public void start() throws IOException {
    for (GuestConfig guest : config.guests()) {
      guests.put(guest.name(), guest(guest));
    }
    List<CompletableFuture<Void>> starts = new ArrayList<>();
    for (Guest guest : guests.values()) {
      starts.add(guest.start());
    }
    starting = CompletableFuture.allOf(starts.toArray(CompletableFuture[]::new));
    custody.resume();
  }

  /**
   * Has the processes of guests start faster from now on: in the background, when those have
   * started that are about to, with about a second of a processor, once for a runtime folder.
   */
  public synchronized void speedUpStarts() {
    GuestLauncher used = launcher;
    if (used != null && archiving == null) {
      archiving =
          Thread.ofPlatform()
              .name("gatun archives classes")
              .daemon()
              .start(() -> archiveClasses(used));
    }
  }

  private void archiveClasses(GuestLauncher used) {
    starting.handle((_, problem) -> problem).join(); // which is an event
    try {
      used.archiveClasses();
    } catch (IOException | LinuxException e) {
      LOG.log(Level.DEBUG, "guests start slower: " + e.getMessage(), e);
    }
  }

  private Guest guest(GuestConfig settings) throws IOException {
    if (settings.program().isEmpty()) {
      return new DirectoryGuest(host, settings);
    }
    GuestLauncher started = launcher;
    if (started == null) {
      started = new GuestLauncher(folders.runtime().resolve("launch"), journal);
      launcher = started;
      postMortems =
          PostMortems.open(folders.state().resolve("post-mortem"), BrokerService.this::samples);
    }
    return new ProgramGuest(host, settings, settings.program().get(), started);
  }

  private List<GuestSample> samples() {
    List<GuestSample> samples = new ArrayList<>();
    for (Guest guest : guests.values()) {
      if (guest instanceof ProgramGuest program) {
        samples.addAll(program.samples());
      }
    }
    return samples;
  }

  /** The devices that the broker has, in the order of seizing. */
  public List<Broker.DeviceStatus> devices() {
    return broker.devices().stream().map(custody::status).toList();
  }

  /** Which guest's data a device keeps, by its backend's name; empty if anybody may have that. */
  public Optional<String> lastGuest(DeviceName device) {
    return custody.lastGuest(broker.nameOf(device));
  }

  /** The guests, in the order of the policy file. */
  public List<GuestStatus> guests() {
    return guests.values().stream().map(Guest::status).toList();
  }

  /**
   * Grants a guest one more device, now and when the service starts again.
   *
   * @return the device's name, as its backend has it
   * @throws GrantRefusedException if it can't be granted, or there is no such guest
   * @throws org.gatun.pci.DeviceUnavailableException if the device can't be had
   * @throws IOException if that can't be remembered, or there can't be a socket
   */
  public DeviceName grant(DeviceName device, String guest) throws IOException {
    DeviceName name = broker.nameOf(device);
    guest(guest).grant(name);
    store.decide(name, Optional.of(guest));
    return name;
  }

  /**
   * Takes a device from its guest, now and when the service starts again. The broker keeps it.
   *
   * @param deadline how long the guest may take to let go; zero does not ask
   * @return the guest that had it
   * @throws GrantRefusedException if no guest has it
   * @throws IOException if that can't be remembered
   */
  public String revoke(DeviceName device, Duration deadline) throws IOException {
    DeviceName name = broker.nameOf(device);
    for (Guest guest : guests.values()) {
      if (guest.revoke(name, deadline)) {
        store.decide(name, Optional.empty());
        return guest.settings().name();
      }
    }
    throw new GrantRefusedException(
        name, "no guest has it", "'gatun guests' shows who has what", null);
  }

  /**
   * Erases a device that no guest has, and returns when that is done: after seconds, or hours. Any
   * guest may have it then.
   *
   * @throws GrantRefusedException if a guest has it, or nothing here can erase it so
   * @throws PciException if it can't be had, or does not let itself be erased
   * @throws IOException if it was erased, and that can't be remembered
   */
  public void erase(DeviceName device, EraseMethod method) throws IOException {
    DeviceName name = broker.nameOf(device);
    boolean seized = host.seizeIfNeeded(name);
    try {
      custody.erase(name, method);
    } finally {
      if (seized) {
        release(name);
      }
    }
  }

  /**
   * Leaves what is on a device to whoever gets it next, as if it had been erased.
   *
   * @throws GrantRefusedException if a guest has it, or nobody's data is known to be on it
   * @throws IOException if that can't be remembered
   */
  public void clear(DeviceName device) throws IOException {
    custody.clear(broker.nameOf(device));
  }

  /**
   * Gives a guest what it is to have and has not: after {@link #stopGuest}, or when one that the
   * broker runs has ended. Its processes have started when this returns.
   *
   * @throws GrantRefusedException if there is no such guest, it can't be granted a device, or its
   *     process does not start
   * @throws org.gatun.pci.DeviceUnavailableException if a device can't be had
   * @throws IOException if there can't be a socket
   */
  public void startGuest(String guest) throws IOException {
    try {
      guest(guest).start().join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof PciException refused) {
        throw refused;
      }
      throw e;
    }
  }

  /**
   * Takes all from a guest, until it is started, granted something, or the service starts again.
   *
   * @param deadline how long the guest may take to let go; zero does not ask
   * @throws GrantRefusedException if there is no such guest
   */
  public void stopGuest(String guest, Duration deadline) {
    guest(guest).stop(deadline);
  }

  private Guest guest(String name) {
    Guest guest = guests.get(name);
    if (guest == null) {
      throw new GrantRefusedException(
          null, "there is no guest '" + name + "'", "there are " + guests.keySet(), null);
    }
    return guest;
  }

  /**
   * Grants nothing any more: takes all back, after asking the guests, and lets all devices go,
   * those that are being erased after a minute at most. Idempotent.
   */
  public synchronized void stop() {
    List.copyOf(guests.values()).reversed().forEach(guest -> guest.close(FAREWELL));
    custody.awaitErased(ERASED);
    broker.stop();
    List<DeviceName> left;
    synchronized (seized) {
      left = List.copyOf(seized);
    }
    left.reversed().forEach(this::release);
    broker.close();
    GuestLauncher used = launcher;
    if (used != null) {
      used.close();
    }
    Thread archives = archiving;
    if (archives != null) {
      try {
        archives.join();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** As {@link #stop}, and leaves the folders to the next service. */
  @Override
  public void close() {
    stop();
    if (postMortems != null) {
      postMortems.close();
    }
    locks.close();
  }

  private void release(DeviceName device) {
    broker
        .device(device)
        .flatMap(Broker.DeviceStatus::quarantine)
        .ifPresent(reason -> tell(new BrokerEvent.Quarantined(device, reason)));
    try {
      broker.release(device);
    } catch (GrantRefusedException e) {
      // The broker has let it go already: it was wanted back, or went; or a guest has it.
      LOG.log(Level.DEBUG, device + ": " + e.getMessage());
    }
    boolean released;
    synchronized (seized) {
      released = broker.device(device).isEmpty() && seized.remove(device);
    }
    if (released) {
      tell(new BrokerEvent.Released(device));
    }
  }

  private void changed(Grant grant, GrantState from, GrantState to) {
    if (grant.guest().equals(Custody.ERASER)) {
      return; // there are events of their own
    }
    tell(
        new BrokerEvent.Granted(
            grant.guest(), from, to, grant.devices().stream().map(GrantedDevice::name).toList()));
  }

  private void tell(BrokerEvent event) {
    listeners.forEach(listener -> listener.accept(event));
  }

  /** What guests need of the service. */
  private final class Host implements GuestHost {
    @Override
    public Broker broker() {
      return broker;
    }

    @Override
    public Folders folders() {
      return folders;
    }

    @Override
    public List<DeviceName> devices(GuestConfig guest) {
      return store.devices(guest);
    }

    @Override
    public boolean holdsBack(DeviceName device, GuestConfig guest) {
      seizeIfNeeded(device);
      Optional<GrantRefusedException> refusal = custody.refusal(guest.name(), device);
      refusal.ifPresent(
          e -> tell(new BrokerEvent.Refused(guest.name(), device, String.valueOf(e.getMessage()))));
      return refusal.isPresent();
    }

    @Override
    public Grant grant(GuestConfig guest, List<DeviceName> devices) {
      try (Custody.Claims claims = custody.claim(guest.name(), devices)) {
        Grant grant =
            broker.grant(guest.name(), guest.quota(), devices.stream().map(this::request).toList());
        claims.granted(grant.devices());
        return grant;
      }
    }

    @Override
    public GrantedDevice add(Grant grant, DeviceName device) {
      try (Custody.Claims claims = custody.claim(grant.guest(), List.of(device))) {
        GrantedDevice added = broker.add(grant, request(device));
        claims.granted(List.of(added));
        return added;
      }
    }

    private DeviceRequest request(DeviceName device) {
      return config.request(device, broker.id(device));
    }

    @Override
    public boolean seizeIfNeeded(DeviceName device) {
      if (broker.device(device).isPresent()) {
        return false;
      }
      broker.seize(device);
      synchronized (seized) {
        seized.add(device);
      }
      tell(new BrokerEvent.Seized(device));
      return true;
    }

    @Override
    public void release(DeviceName device) {
      BrokerService.this.release(device);
    }

    @Override
    public PostMortems postMortems() {
      return Objects.requireNonNull(postMortems, "guests that need it have it made");
    }

    @Override
    public void tell(BrokerEvent event) {
      BrokerService.this.tell(event);
    }
  }
}
