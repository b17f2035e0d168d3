package org.gatun.broker;

import java.lang.System.Logger.Level;
import java.util.Optional;
import org.gatun.broker.policy.ConfigField;
import org.gatun.broker.policy.ConfigLayout;
import org.gatun.broker.policy.DeviceSnapshot;
import org.gatun.broker.policy.Effect;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciAddress;
import org.gatun.pci.config.Capabilities;
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
  private @Nullable SeizedDevice seized;
  private @Nullable String quarantine;

  private OwnedDevice(
      PciBackend backend,
      DeviceName name,
      Optional<FoundDevice> found,
      SeizedDevice seized,
      DeviceSnapshot snapshot) {
    this.backend = backend;
    this.name = name;
    this.found = found;
    this.seized = seized;
    this.snapshot = snapshot;
  }

  /** Opens a device, fenced, and notes what it is. */
  static OwnedDevice seize(PciBackend backend, DeviceName name, Optional<FoundDevice> found) {
    SeizedDevice seized = backend.seize(name);
    OwnedDevice owned = null;
    try {
      owned = new OwnedDevice(backend, name, found, seized, DeviceSnapshot.of(seized));
      return owned;
    } finally {
      if (owned == null) {
        seized.close();
      }
    }
  }

  DeviceName name() {
    return name;
  }

  Optional<PciAddress> address() {
    return found.map(FoundDevice::address);
  }

  boolean has(Hazard hazard) {
    return found.filter(f -> f.hazards().contains(hazard)).isPresent();
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

  /**
   * Opens it again, which resets it once more, and makes it what it was when it was seized first.
   *
   * @param layout which tells what the last guest may have changed
   */
  void reclaim(@Nullable ConfigLayout layout) {
    try {
      SeizedDevice again = backend.seize(name);
      seized = again;
      if (layout != null) {
        restore(layout, again.config());
      }
      String difference = difference(again.config());
      if (difference != null) {
        quarantine(difference);
      }
    } catch (RuntimeException | InternalError e) {
      quarantine("it can't be opened again: " + e.getMessage());
    }
  }

  /** Registers that a guest wrote, and that a reset does not clear. */
  private void restore(ConfigLayout layout, ConfigSpace config) {
    for (ConfigField field : layout.fields()) {
      int offset = field.offset();
      int width = field.rule().width();
      if (field.rule().effect() == Effect.PLAIN
          && field.writeMask(layout.policy().permissive()) != 0
          && config.read(offset, width) != snapshot.config().read(offset, width)) {
        config.write(offset, width, snapshot.config().read(offset, width));
      }
    }
  }

  /** What makes it another device than the one that was seized. */
  private @Nullable String difference(ConfigSpace config) {
    int[] identity = {
      ConfigRegisters.VENDOR_ID, ConfigRegisters.REVISION_ID, ConfigRegisters.SUBSYSTEM_VENDOR_ID
    };
    for (int offset : identity) {
      if (config.read32(offset) != snapshot.config().read32(offset)) {
        return "after its reset it is not the device that was seized: config space at 0x%x reads 0x%x"
            .formatted(offset, config.read32(offset));
      }
    }
    return Capabilities.walk(config).list().equals(snapshot.capabilities().list())
        ? null
        : "after its reset its capability list is not the one that was seized";
  }
}
