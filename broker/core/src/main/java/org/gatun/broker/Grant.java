package org.gatun.broker;

import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciAddress;
import org.jspecify.annotations.Nullable;

/**
 * The right of one guest to some devices. Made by {@link Broker#grant}; the guest takes it up with
 * {@link #connect}, and gives it back by closing its devices; {@link #revoke} ends it in any case.
 * Any thread.
 */
public final class Grant {
  private static final System.Logger LOG = System.getLogger(Grant.class.getName());

  private static final int SLOTS = 32;
  private static final String TAKEN_BACK = "the broker took it back";

  private final String guest;
  private final QuotaAccount quota;
  private final Duration recoveryLimit;
  private final GrantListener listener;
  private final GuestOperations operations = new GuestOperations(this);

  /** Guarded by this. */
  private final List<Holding> holdings = new ArrayList<>();

  /** Of the first device, which stands for the grant. Guarded by this. */
  private @Nullable DeviceName name;

  /** Guarded by this. */
  private GrantState state = GrantState.INITIALISING;

  Grant(String guest, Quota quota, Duration recoveryLimit, GrantListener listener) {
    this.guest = guest;
    this.recoveryLimit = recoveryLimit;
    this.quota = new QuotaAccount(quota);
    this.listener = listener;
  }

  /** Who has it. */
  public String guest() {
    return guest;
  }

  /** Where it is in its life. */
  public synchronized GrantState state() {
    return state;
  }

  /** The devices that the guest has, or can have, by slot. */
  public synchronized List<GrantedDevice> devices() {
    return holdings.stream().map(Holding::device).toList();
  }

  /**
   * What the guest did, on devices that it has now.
   *
   * @param deniedAccesses how often it tried what its policy does not allow
   * @param dmaMappings how often it made memory reachable
   * @param dmaFaults how often the IOMMU is known to have refused an access of its devices
   */
  public record Counters(long deniedAccesses, long dmaMappings, long dmaFaults) {
    /** Both together. */
    public Counters plus(Counters other) {
      return new Counters(
          deniedAccesses + other.deniedAccesses,
          dmaMappings + other.dmaMappings,
          dmaFaults + other.dmaFaults);
    }
  }

  /** What the guest did, on devices that it has now. */
  public synchronized Counters counters() {
    return holdings.stream()
        .map(h -> h.activity().counters())
        .reduce(new Counters(0, 0, 0), Counters::plus);
  }

  /**
   * The guest has come: its devices answer from now on. It must close each of them.
   *
   * @return the devices, by slot
   * @throws DeviceGoneException if the grant was revoked, or a device fails
   * @throws IllegalStateException if the guest has come already
   */
  public List<GrantedDevice> connect() {
    synchronized (this) {
      if (state == GrantState.CLOSING || state == GrantState.CLOSED) {
        throw new DeviceGoneException(name(), "connecting to a grant that ended", null);
      }
      if (state != GrantState.INIT_WAIT && state != GrantState.RECONFIGURED) {
        throw new IllegalStateException(this + ": its guest has come already");
      }
    }
    if (state() == GrantState.INIT_WAIT) {
      change(GrantState.INITIALISED);
    }
    boolean connected = false;
    try {
      for (Holding holding : current()) {
        if (!holding.isConnected()) {
          holding.connect(new Recovery(this, holding.device(), recoveryLimit));
        }
      }
      connected = true;
    } finally {
      if (!connected) {
        revoke(Duration.ZERO);
      }
    }
    // Neither, if a device is just being added or removed: that settles it.
    if (!change(GrantState.INITIALISED, GrantState.CONNECTED)) {
      change(GrantState.RECONFIGURED, GrantState.CONNECTED);
    }
    GrantState reached = state();
    if (reached == GrantState.CLOSING || reached == GrantState.CLOSED) {
      throw new DeviceGoneException(name(), "connecting to a grant that ended", null);
    }
    return devices();
  }

  /**
   * Takes all devices back: asks the guest first, and at the deadline takes them by force. When it
   * returns the guest has nothing any more. Idempotent.
   *
   * @param deadline zero or more; zero does not ask
   */
  public void revoke(Duration deadline) {
    boolean first = change(GrantState.CLOSING);
    try {
      // Only now: what is added after this is taken back by who adds it.
      takeAll(current(), first ? deadline : Duration.ZERO, TAKEN_BACK);
    } finally {
      if (first) {
        change(GrantState.CLOSED);
      }
    }
  }

  /** Does what the guest asks for, and never throws: an error is an answer. */
  public GuestOperation.Answer operate(GuestOperation operation) {
    return operations.answer(operation);
  }

  @Override
  public String toString() {
    return "grant of " + name() + " to " + guest;
  }

  QuotaAccount quota() {
    return quota;
  }

  synchronized void add(Holding holding) {
    if (name == null) {
      name = holding.owned().name();
    }
    holdings.add(holding);
  }

  /** Takes one device back; the others stay. */
  void remove(DeviceName device, Duration deadline) {
    List<Holding> these = current().stream().filter(h -> h.owned().name().equals(device)).toList();
    takeAll(these, deadline, TAKEN_BACK);
  }

  /**
   * A device goes, whether the broker wants that or not: it is taken, and the others stay.
   *
   * @param deadline how long until then; zero if it has gone already
   * @param cause for the guest
   */
  void lose(OwnedDevice device, Duration deadline, String cause) {
    boolean reconfiguring = change(GrantState.RECONFIGURING);
    takeAll(current().stream().filter(h -> h.owned().equals(device)).toList(), deadline, cause);
    if (reconfiguring) {
      settle();
    }
    closeIfEmpty();
  }

  /** A device was added or removed, or was not. */
  void settle() {
    change(
        GrantState.RECONFIGURING,
        current().stream().allMatch(Holding::isConnected)
            ? GrantState.CONNECTED
            : GrantState.RECONFIGURED);
  }

  /** The guest closed a device: it is back when this returns. */
  void closedByGuest(Holding holding) {
    if (holding.take(false)) {
      synchronized (this) {
        holdings.remove(holding);
      }
      closeIfEmpty();
    }
  }

  private void closeIfEmpty() {
    if (current().isEmpty() && change(GrantState.CLOSING)) {
      change(GrantState.CLOSED);
    }
  }

  /** Takes the step, if it is one that may come next. */
  boolean change(GrantState next) {
    return change(from -> from.next().contains(next), next);
  }

  /** Takes the step, if the grant is there. */
  boolean change(GrantState from, GrantState next) {
    return change(from::equals, next);
  }

  private boolean change(Predicate<GrantState> fits, GrantState next) {
    GrantState from;
    synchronized (this) {
      if (!fits.test(state)) {
        return false;
      }
      from = state;
      state = next;
    }
    LOG.log(Level.INFO, "{0}: {1} -> {2}", this, from, next);
    GrantEvent.emit(guest, name().toString(), from, next);
    listener.changed(this, from, next);
    return true;
  }

  /**
   * A slot for a device, as the guest sees it: functions of one device share one, and keep their
   * function numbers.
   *
   * @throws GrantRefusedException if none is free
   */
  synchronized int freeSlot(OwnedDevice device) {
    int function = device.address().map(PciAddress::function).orElse(0);
    for (Holding holding : holdings) {
      if (areSiblings(holding.owned(), device)) {
        return (holding.device().slot() & ~7) | function;
      }
    }
    for (int slot = 0; slot < SLOTS; slot++) {
      int candidate = slot;
      if (holdings.stream().noneMatch(h -> h.device().slot() >>> 3 == candidate)) {
        return slot << 3 | function;
      }
    }
    throw new GrantRefusedException(
        device.name(),
        "all " + SLOTS + " slots of the guest are taken",
        "use a second grant",
        null);
  }

  private static boolean areSiblings(OwnedDevice one, OwnedDevice other) {
    return one.address().isPresent()
        && other.address().isPresent()
        && one.address().get().isSiblingOf(other.address().get());
  }

  private synchronized List<Holding> current() {
    return List.copyOf(holdings);
  }

  private void takeAll(List<Holding> these, Duration deadline, String cause) {
    if (deadline.isPositive()) {
      ask(these, deadline);
    }
    for (Holding holding : these.reversed()) {
      if (holding.take(true)) {
        tell(holding, l -> l.gone(cause));
      }
    }
    synchronized (this) {
      holdings.removeAll(these);
    }
  }

  private void ask(List<Holding> these, Duration deadline) {
    long limit = TimeUnit.NANOSECONDS.convert(deadline);
    long start = System.nanoTime();
    these.forEach(holding -> tell(holding, l -> l.requested(deadline)));
    try {
      for (Holding holding : these) {
        if (holding.device().listeners().isEmpty()) {
          continue; // nobody there to be asked
        }
        if (!holding.taken().await(limit - (System.nanoTime() - start), TimeUnit.NANOSECONDS)) {
          LOG.log(
              Level.WARNING,
              "{0}: {1} did not give {2} back in {3}: it is taken by force",
              this,
              guest,
              holding.owned().name(),
              deadline);
        }
      }
    } catch (InterruptedException _) {
      // By force, then: the caller wants to go on.
      Thread.currentThread().interrupt();
    }
  }

  /** On a thread of its own: a listener is the guest's code, and may never return. */
  private static void tell(Holding holding, Consumer<DetachListener> message) {
    List<DetachListener> listeners = holding.device().listeners();
    if (listeners.isEmpty()) {
      return;
    }
    try {
      Thread.ofPlatform()
          .daemon()
          .name("gatun broker tells the driver of " + holding.owned().name())
          .start(() -> listeners.forEach(message));
    } catch (OutOfMemoryError e) {
      // No thread: the guest learns of it at its next use.
      LOG.log(Level.ERROR, "{0}: its driver is not told: {1}", holding.owned().name(), e);
    }
  }

  private synchronized DeviceName name() {
    return name == null ? new DeviceName("grant", "none") : name;
  }
}
