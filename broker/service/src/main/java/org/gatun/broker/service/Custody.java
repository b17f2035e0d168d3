package org.gatun.broker.service;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.gatun.broker.Broker;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.Grant;
import org.gatun.broker.GrantRefusedException;
import org.gatun.broker.GrantedDevice;
import org.gatun.broker.Quota;
import org.gatun.broker.config.BrokerConfig;
import org.gatun.broker.config.OnRelease;
import org.gatun.broker.service.HolderStore.Holder;
import org.gatun.pci.DeviceName;
import org.gatun.pci.TimeSource;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.pci.spi.DeviceEraser;
import org.gatun.pci.spi.EraseMethod;
import org.gatun.pci.spi.Hazard;

/**
 * Keeps what a guest has left on a device from the next one: notes who gets a device, refuses it to
 * others, and has it erased when its guest has let go, if the policy says so. Any thread.
 */
final class Custody {
  /** Who has a device that is being erased. No guest has that name. */
  static final String ERASER = "the broker";

  private static final System.Logger LOG = System.getLogger(Custody.class.getName());

  private final Broker broker;
  private final BrokerConfig config;
  private final HolderStore store;
  private final List<DeviceEraser> erasers;
  private final Consumer<BrokerEvent> events;

  /**
   * Why a device goes to nobody just now: one thing at a time is done with it. Guarded by itself.
   */
  private final Map<DeviceName, String> busy = new HashMap<>();

  /** How many devices are being erased, or are about to. Guarded by {@link #busy}. */
  private int erasing;

  Custody(
      Broker broker,
      BrokerConfig config,
      HolderStore store,
      List<DeviceEraser> erasers,
      Consumer<BrokerEvent> events) {
    this.broker = broker;
    this.config = config;
    this.store = store;
    this.erasers = List.copyOf(erasers);
    this.events = events;
  }

  /** Whose data a device keeps, if that matters. */
  Optional<String> lastGuest(DeviceName device) {
    return store.holder(device).map(Holder::guest);
  }

  /** A device of the broker's; also in quarantine if its policy wanted that when it came back. */
  Broker.DeviceStatus status(Broker.DeviceStatus device) {
    if (device.guest().isPresent() || device.quarantine().isPresent()) {
      return device;
    }
    return new Broker.DeviceStatus(
        device.name(),
        device.guest(),
        store
            .holder(device.name())
            .filter(holder -> holder.onRelease() == OnRelease.QUARANTINE)
            .map(Custody::quarantine));
  }

  private static String quarantine(Holder holder) {
    return "guest " + holder.guest() + " has let go of it";
  }

  /**
   * Why a guest does not get a device, because of what is on it.
   *
   * @param device that the broker has
   */
  Optional<GrantRefusedException> refusal(String guest, DeviceName device) {
    Optional<Holder> last = store.holder(device);
    if (last.isEmpty()) {
      return Optional.empty();
    }
    boolean quarantined = last.get().onRelease() == OnRelease.QUARANTINE;
    if (last.get().guest().equals(guest) && !quarantined) {
      return Optional.empty();
    }
    if (isWith(device, last.get().guest())) {
      return Optional.of(
          new GrantRefusedException(
              device, "guest " + last.get().guest() + " has it", "revoke it first", null));
    }
    String problem =
        quarantined
            ? "it is in quarantine: " + quarantine(last.get())
            : "data of guest " + last.get().guest() + " may be on it";
    return Optional.of(
        new GrantRefusedException(
            device,
            problem,
            "erase it ('gatun erase %s'), or leave what is on it to the next guest ('gatun erase %s --clear')"
                .formatted(device, device),
            null));
  }

  private boolean isWith(DeviceName device, String guest) {
    return broker.device(device).flatMap(Broker.DeviceStatus::guest).equals(Optional.of(guest));
  }

  /**
   * Devices are to go to a guest: nobody else gets them meanwhile, and it is on the disk who does.
   *
   * @param devices that the broker has
   * @throws GrantRefusedException if the guest does not get one, or that can't be noted
   */
  Claims claim(String guest, List<DeviceName> devices) {
    Claims claims = new Claims();
    boolean claimed = false;
    try {
      devices.forEach(device -> claims.add(guest, device));
      claimed = true;
      return claims;
    } finally {
      if (!claimed) {
        claims.close();
      }
    }
  }

  /** Claims of one guest, until it has the devices, or does not get them. One thread. */
  final class Claims implements AutoCloseable {
    private record Claim(DeviceName device, Optional<Holder> before) {}

    private final List<Claim> claims = new ArrayList<>();
    private boolean granted;

    private Claims() {}

    private void add(String guest, DeviceName device) {
      begin(device, "it is being granted to guest " + guest);
      boolean noted = false;
      try {
        Optional<Holder> before = store.holder(device);
        Optional<GrantRefusedException> refusal = refusal(guest, device);
        if (refusal.isPresent()) {
          throw refusal.get();
        }
        OnRelease step = config.onRelease(device, broker.id(device), broker.pciClass(device));
        step.method().ifPresent(method -> eraser(device, method));
        if (step != OnRelease.NOTHING) {
          note(device, Optional.of(new Holder(guest, step)));
        }
        claims.add(new Claim(device, before));
        noted = true;
      } finally {
        if (!noted) {
          end(device);
        }
      }
    }

    /** The guest gets them: when they come back, the policy's step is taken. */
    void granted(List<GrantedDevice> devices) {
      granted = true;
      for (GrantedDevice device : devices) {
        claims.stream()
            .filter(claim -> claim.device.equals(device.name()))
            .findFirst()
            .ifPresent(claim -> device.onReturned(() -> returned(claim.device)));
      }
    }

    @Override
    public void close() {
      for (Claim claim : claims.reversed()) {
        try {
          if (!granted) {
            store.put(claim.device, claim.before);
          }
        } catch (IOException e) {
          // It stays noted: too strict is safe.
          LOG.log(Level.WARNING, claim.device + ": who has it can't be noted: " + e.getMessage());
        } finally {
          end(claim.device);
        }
      }
      claims.clear();
    }
  }

  private void note(DeviceName device, Optional<Holder> holder) {
    try {
      store.put(device, holder);
    } catch (IOException e) {
      throw new GrantRefusedException(
          device,
          "whose data is on it can't be noted: " + e.getMessage(),
          "see to the broker's state folder",
          e);
    }
  }

  /** A guest has let go of a device. Returns soon. */
  private void returned(DeviceName device) {
    store
        .holder(device)
        .ifPresent(
            holder -> {
              if (holder.onRelease() == OnRelease.QUARANTINE) {
                events.accept(new BrokerEvent.Quarantined(device, quarantine(holder)));
              }
              holder.onRelease().method().ifPresent(method -> eraseSoon(device, method));
            });
  }

  /** Takes the steps that a former broker did not come to, of devices that no guest has. */
  void resume() {
    for (Broker.DeviceStatus device : broker.devices()) {
      if (device.guest().isEmpty() && device.quarantine().isEmpty()) {
        store
            .holder(device.name())
            .flatMap(holder -> holder.onRelease().method())
            .ifPresent(method -> eraseSoon(device.name(), method));
      }
    }
  }

  /** On a thread of its own, since it may take hours; the device is busy when this returns. */
  private void eraseSoon(DeviceName device, EraseMethod method) {
    boolean begun;
    synchronized (busy) {
      erasing++;
      begun = busy.putIfAbsent(device, erasing(method)) == null;
    }
    try {
      Thread.ofPlatform()
          .daemon()
          .name("gatun broker erases " + device)
          .start(() -> eraseLater(device, method, begun));
    } catch (OutOfMemoryError e) {
      // No thread: it is kept, until an administrator has it erased.
      if (begun) {
        end(device);
      }
      erased();
      events.accept(new BrokerEvent.NotErased(device, method, String.valueOf(e.getMessage())));
    }
  }

  private void eraseLater(DeviceName device, EraseMethod method, boolean begun) {
    try {
      if (!begun) {
        awaitTurn(device, method);
      }
      run(device, method);
    } catch (IOException | RuntimeException | InternalError e) {
      LOG.log(Level.DEBUG, device + ": it was not erased", e); // an event has said so
    } finally {
      erased();
    }
  }

  /**
   * Erases a device, now.
   *
   * @param device that the broker has
   * @throws GrantRefusedException if a guest has it, or nothing here erases it so
   * @throws org.gatun.pci.PciException if it does not let itself be erased
   * @throws IOException if it was erased, and that can't be noted
   */
  void erase(DeviceName device, EraseMethod method) throws IOException {
    begin(device, erasing(method));
    synchronized (busy) {
      erasing++;
    }
    try {
      run(device, method);
    } finally {
      erased();
    }
  }

  /**
   * Leaves what is on a device to whoever gets it next.
   *
   * @throws GrantRefusedException if a guest has it, or nothing is noted of it
   * @throws IOException if that can't be noted
   */
  void clear(DeviceName device) throws IOException {
    begin(device, "it is being cleared");
    try {
      Optional<String> guest = broker.device(device).flatMap(Broker.DeviceStatus::guest);
      if (guest.isPresent()) {
        throw new GrantRefusedException(
            device, "guest " + guest.get() + " has it", "revoke it first", null);
      }
      if (store.holder(device).isEmpty()) {
        throw new GrantRefusedException(
            device, "nobody's data is known to be on it", "there is nothing to clear", null);
      }
      store.put(device, Optional.empty());
      events.accept(new BrokerEvent.Cleared(device));
    } finally {
      end(device);
    }
  }

  /** Waits until nothing is being erased any more; or for that long. */
  void awaitErased(Duration limit) {
    long end = System.nanoTime() + limit.toNanos();
    boolean interrupted = false;
    synchronized (busy) {
      for (long left = limit.toMillis(); erasing > 0 && left > 0; ) {
        try {
          busy.wait(left);
        } catch (InterruptedException _) {
          interrupted = true;
        }
        left = Duration.ofNanos(end - System.nanoTime()).toMillis();
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** The device is busy with it; who hears of the end can have it at once. */
  private void run(DeviceName device, EraseMethod method) throws IOException {
    BrokerEvent outcome = new BrokerEvent.Erased(device, method);
    try {
      DeviceEraser eraser = eraser(device, method);
      // The policy may narrow what guests get, and accepts hazards for all.
      DeviceRequest request =
          DeviceRequest.of(device)
              .accepting(
                  config.request(device, broker.id(device)).accepted().toArray(Hazard[]::new));
      Grant grant = broker.grant(ERASER, Quota.DEFAULT, List.of(request));
      try {
        events.accept(new BrokerEvent.Erasing(device, method));
        eraser.erase(grant.connect().getFirst(), method, TimeSource.system());
      } finally {
        grant.revoke(Duration.ZERO);
      }
      store.put(device, Optional.empty());
    } catch (IOException | RuntimeException | InternalError e) {
      // InternalError: an access to registers that had gone.
      outcome = new BrokerEvent.NotErased(device, method, String.valueOf(e.getMessage()));
      throw e;
    } finally {
      end(device);
      events.accept(outcome);
    }
  }

  private DeviceEraser eraser(DeviceName device, EraseMethod method) {
    PciId id = broker.id(device);
    PciClass pciClass = broker.pciClass(device);
    return erasers.stream()
        .filter(eraser -> eraser.methods().contains(method))
        .filter(eraser -> eraser.matches().stream().anyMatch(m -> m.matches(id, pciClass)))
        .findFirst()
        .orElseThrow(
            () ->
                new GrantRefusedException(
                    device,
                    "nothing here can %s a device like it (%s, class %s)"
                        .formatted(method.text(), id, pciClass),
                    "have its policy say another step on release: nothing, keep, quarantine",
                    null));
  }

  private static String erasing(EraseMethod method) {
    return "it is being erased (" + method.text() + ")";
  }

  private void begin(DeviceName device, String what) {
    String other;
    synchronized (busy) {
      other = busy.putIfAbsent(device, what);
    }
    if (other != null) {
      throw new GrantRefusedException(device, other, "wait for the end of that", null);
    }
  }

  private void awaitTurn(DeviceName device, EraseMethod method) {
    boolean interrupted = false;
    synchronized (busy) {
      while (busy.putIfAbsent(device, erasing(method)) != null) {
        try {
          busy.wait();
        } catch (InterruptedException _) {
          interrupted = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void end(DeviceName device) {
    synchronized (busy) {
      busy.remove(device);
      busy.notifyAll();
    }
  }

  private void erased() {
    synchronized (busy) {
      erasing--;
      busy.notifyAll();
    }
  }
}
