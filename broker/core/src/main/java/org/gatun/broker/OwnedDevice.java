package org.gatun.broker;

import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.Optional;
import org.gatun.broker.policy.ConfigField;
import org.gatun.broker.policy.ConfigLayout;
import org.gatun.broker.policy.DeviceSnapshot;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciAddress;
import org.gatun.pci.ShutdownException;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.Hazard;
import org.gatun.pci.spi.PciBackend;
import org.gatun.pci.spi.SeizedDevice;
import org.jspecify.annotations.Nullable;

/**
 * A device that the broker owns: seized, fenced while no guest has it, and, once it could not be
 * had back clean, in quarantine. Guarded by its group's monitor.
 */
final class OwnedDevice {
  private static final System.Logger LOG = System.getLogger(OwnedDevice.class.getName());

  private final PciBackend backend;
  private final DeviceName name;
  private final Optional<FoundDevice> found;
  private final DeviceSnapshot snapshot;
  private final Departure departure;
  private @Nullable SeizedDevice seized;
  private @Nullable String quarantine;
  private @Nullable String leaving;

  /** Hears that a device is wanted back, or has gone. Called by threads of the backend's. */
  interface Departure {
    /**
     * A device goes.
     *
     * @param deadline how long until the device is taken; zero if it has gone
     */
    void of(OwnedDevice device, Duration deadline, String cause);
  }

  private OwnedDevice(
      PciBackend backend,
      DeviceName name,
      Optional<FoundDevice> found,
      SeizedDevice seized,
      DeviceSnapshot snapshot,
      Departure departure) {
    this.backend = backend;
    this.name = name;
    this.found = found;
    this.seized = seized;
    this.snapshot = snapshot;
    this.departure = departure;
  }

  /** Opens a device, fenced, and notes what it is. */
  static OwnedDevice seize(
      PciBackend backend, DeviceName name, Optional<FoundDevice> found, Departure departure) {
    SeizedDevice seized = backend.seize(name);
    boolean done = false;
    try {
      DeviceSnapshot snapshot = DeviceSnapshot.of(seized);
      OwnedDevice owned = new OwnedDevice(backend, name, found, seized, snapshot, departure);
      owned.listen(seized);
      done = true;
      return owned;
    } finally {
      if (!done) {
        seized.close();
      }
    }
  }

  private void listen(SeizedDevice device) {
    device.onDetach(
        new DetachListener() {
          @Override
          public void requested(Duration deadline) {
            departure.of(OwnedDevice.this, deadline, "somebody wants it back");
          }

          @Override
          public void gone(String cause) {
            departure.of(OwnedDevice.this, Duration.ZERO, cause);
          }
        });
  }

  DeviceName name() {
    return name;
  }

  Optional<PciAddress> address() {
    return found.flatMap(FoundDevice::address);
  }

  boolean has(Hazard hazard) {
    return found.filter(f -> f.hazards().contains(hazard)).isPresent();
  }

  /**
   * Whether it has no reset, or has none any more: a bus reset goes when a neighbour comes. What
   * can't be found out counts as none.
   */
  boolean lacksReset() {
    try {
      return has(Hazard.MISSING_RESET)
          || backend
              .find(name)
              .filter(now -> now.hazards().contains(Hazard.MISSING_RESET))
              .isPresent();
    } catch (RuntimeException | InternalError e) {
      LOG.log(Level.ERROR, name + ": whether it has a reset can't be found out", e);
      return true;
    }
  }

  DeviceSnapshot snapshot() {
    return snapshot;
  }

  Optional<String> quarantine() {
    return Optional.ofNullable(quarantine);
  }

  /** The device, if it is not in quarantine. */
  Optional<SeizedDevice> seized() {
    return Optional.ofNullable(seized);
  }

  /** It is not granted any more, and when it was taken from its guest it is let go. */
  void leave(String cause) {
    leaving = cause;
  }

  boolean isLeaving() {
    return leaving != null;
  }

  /** Why it is about to go. */
  Optional<String> leaving() {
    return Optional.ofNullable(leaving);
  }

  /** Gives it no more, for that reason. */
  void quarantine(String reason) {
    quarantine = reason;
    SeizedDevice open = seized;
    seized = null;
    if (open == null) {
      return;
    }
    try {
      open.close();
    } catch (RuntimeException | InternalError e) {
      // Nothing depends on it any more: nobody gets the device.
      LOG.log(Level.ERROR, name + ": closing it failed", e);
    }
  }

  /**
   * Closes it, and with it all that was given out.
   *
   * @return empty if it is proven that nobody has it any more, else why it is not
   */
  Optional<String> release() {
    SeizedDevice open = seized;
    seized = null;
    return open == null ? Optional.empty() : open.release();
  }

  /** As {@link #release}; a failure is a reason, too. */
  Optional<String> releaseAnyhow() {
    try {
      return release();
    } catch (RuntimeException | InternalError e) {
      LOG.log(Level.ERROR, name + ": giving it back failed", e);
      return Optional.of("giving it back failed: " + e.getMessage());
    }
  }

  /**
   * Opens it again, which resets it once more, and makes it what it was when it was seized first.
   * In a JVM that is shutting down it is not opened again: it leaves.
   *
   * @param layout which tells what the last guest may have changed
   */
  void reclaim(@Nullable ConfigLayout layout) {
    try {
      SeizedDevice again = backend.seize(name);
      seized = again;
      listen(again);
      if (layout != null) {
        restore(layout, again.config());
      }
      String difference = difference(DeviceSnapshot.of(again));
      if (difference != null) {
        quarantine(difference);
      }
    } catch (ShutdownException e) {
      leave(String.valueOf(e.getMessage()));
    } catch (RuntimeException | InternalError e) {
      quarantine("it can't be opened again: " + e.getMessage());
    }
  }

  /** Registers that a guest may have written, and that a reset does not clear. */
  private void restore(ConfigLayout layout, ConfigSpace config) {
    ConfigSpace saved = snapshot.config();
    for (ConfigField field : layout.fields()) {
      int mask =
          switch (field.rule().effect()) {
            case PLAIN -> field.writeMask(layout.policy().permissive());
            case COMMAND ->
                field.writeMask(layout.policy().permissive()) & ~ConfigRegisters.COMMAND_BUS_MASTER;
            case SNAPSHOT, LINK, BAR, ROM, BIST, VPD_ADDRESS, MSI_CONTROL, MSIX_CONTROL -> 0;
          };
      int offset = field.offset();
      int width = field.rule().width();
      int now = config.read(offset, width);
      int wanted = (now & ~mask) | (saved.read(offset, width) & mask);
      if (wanted != now) {
        config.write(offset, width, wanted);
      }
    }
    for (int offset = 0; offset < layout.size(); offset++) {
      if (layout.isRaw(offset) && config.read8(offset) != saved.read8(offset)) {
        config.write8(offset, saved.read8(offset));
      }
    }
  }

  /** What makes it another device than the one that was seized. */
  private @Nullable String difference(DeviceSnapshot now) {
    int[] identity = {
      ConfigRegisters.VENDOR_ID, ConfigRegisters.REVISION_ID, ConfigRegisters.SUBSYSTEM_VENDOR_ID
    };
    for (int offset : identity) {
      int value = now.config().read32(offset);
      if (value != snapshot.config().read32(offset)) {
        return "after its reset it is not the device that was seized: config space at 0x%x reads 0x%x"
            .formatted(offset, value);
      }
    }
    if (!now.capabilities().list().equals(snapshot.capabilities().list())) {
      return "after its reset its capability list is not the one that was seized";
    }
    return now.hasSameRegisters(snapshot)
        ? null
        : "after its reset its BARs, or its MSI-X table, are not where they were when it was"
            + " seized";
  }
}
