package org.gatun.broker;

import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.gatun.broker.policy.ConfigLayout;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.spi.SeizedDevice;

/** A device in the hands of a guest, and how it is taken back. Any thread. */
final class Holding {
  private static final System.Logger LOG = System.getLogger(Holding.class.getName());

  private final String guest;
  private final OwnedGroup group;
  private final OwnedDevice owned;
  private final ConfigLayout layout;
  private final GrantedDevice device;
  private final Activity activity;
  private final AtomicBoolean taking = new AtomicBoolean();
  private volatile boolean connected;
  private final CountDownLatch taken = new CountDownLatch(1);

  Holding(
      String guest,
      OwnedGroup group,
      OwnedDevice owned,
      ConfigLayout layout,
      GrantedDevice device,
      Activity activity) {
    this.guest = guest;
    this.group = group;
    this.owned = owned;
    this.layout = layout;
    this.device = device;
    this.activity = activity;
  }

  OwnedDevice owned() {
    return owned;
  }

  GrantedDevice device() {
    return device;
  }

  Activity activity() {
    return activity;
  }

  /** Whether the guest has taken it up. */
  boolean isConnected() {
    return connected;
  }

  /** Counted down when the guest has it no more. */
  CountDownLatch taken() {
    return taken;
  }

  /**
   * The guest's calls and mappings work from now on; not if it is just being taken.
   *
   * @param recovery what deals with errors that the device reports
   */
  void connect(Recovery recovery) {
    synchronized (group) {
      if (taking.get()) {
        return;
      }
      SeizedDevice seized =
          owned
              .seized()
              .orElseThrow(() -> new DeviceGoneException(owned.name(), "connecting a guest", null));
      seized.onError(recovery::start);
      seized.onDmaFault(activity::dmaFaulted);
      connected = true;
      seized.decode(true);
      device.open();
    }
  }

  /**
   * Takes the device from the guest, whatever it is doing with it: when this returns the guest
   * reaches neither it nor, through it, any memory. A second caller waits for the first.
   *
   * @param byForce whether the guest did not give it back by itself
   * @return whether this call took it
   */
  boolean take(boolean byForce) {
    if (!taking.compareAndSet(false, true)) {
      awaitTaken();
      return false;
    }
    // Who is interrupted still does all of it: each wait below would end at once.
    boolean interrupted = Thread.interrupted();
    RevocationEvent event = new RevocationEvent();
    event.begin();
    try {
      // In this order. The guest's calls are out; then no mapping works and no DMA starts; only
      // then is the device reset, and at last the memory freed that its DMA could reach.
      attempt("fence", this::fence);
      synchronized (group) {
        owned.seized().ifPresent(this::silence);
        attempt("ending who has it mapped", device::silenced);
        giveBack();
      }
    } finally {
      device.end();
      event.guest = guest;
      event.device = owned.name().toString();
      event.byForce = byForce;
      event.quarantine = owned.quarantine().orElse("");
      event.commit();
      attempt("telling that it is back", device::returned);
      taken.countDown();
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
    return true;
  }

  private void fence() {
    if (!device.fence()) {
      LOG.log(Level.ERROR, "{0}: a call of guest {1} does not come back", owned.name(), guest);
    }
  }

  private void silence(SeizedDevice seized) {
    // Decode first: a driver that still reaches a device whose DMA fails takes it for broken, and
    // not for gone.
    attempt("decode off", () -> seized.decode(false));
    attempt("bus master off", () -> seized.busMaster(false));
    attempt("interrupts off", () -> seized.interrupts().disable());
  }

  /** Reset and free; and, with the last device of the group, the proof that nobody has it. */
  private void giveBack() {
    List<OwnedDevice> returned = new ArrayList<>(List.of(owned));
    if (group.returned()) {
      group.devices().stream().filter(d -> !d.equals(owned)).forEach(returned::add);
    }
    boolean unclean = connected && owned.lacksReset();
    Optional<String> unproven = Optional.empty();
    for (OwnedDevice one : returned) {
      Optional<String> held = one.releaseAnyhow();
      unproven = unproven.isPresent() ? unproven : held;
    }
    for (OwnedDevice one : returned) {
      if (one.quarantine().isPresent()) {
        continue;
      }
      if (unproven.isPresent()) {
        one.quarantine(unproven.get());
      } else if (one.equals(owned) && unclean) {
        one.quarantine("it has no reset: what the guest did to it can't be undone");
      } else if (!one.isLeaving()) {
        one.reclaim(one.equals(owned) ? layout : null);
      }
      one.quarantine()
          .ifPresent(reason -> LOG.log(Level.ERROR, "{0}: in quarantine: {1}", one.name(), reason));
    }
  }

  /** What fails, since the device is gone for instance, must not keep the rest from it. */
  private void attempt(String step, Runnable action) {
    try {
      action.run();
    } catch (RuntimeException | InternalError e) {
      // InternalError: an access of this thread to registers that had gone, reported only now.
      LOG.log(Level.WARNING, "{0}: revocation: {1}: {2}", owned.name(), step, e.getMessage());
    }
  }

  private void awaitTaken() {
    boolean interrupted = false;
    while (true) {
      try {
        taken.await();
        break;
      } catch (InterruptedException _) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
