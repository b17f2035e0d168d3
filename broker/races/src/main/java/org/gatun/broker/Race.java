package org.gatun.broker;

import java.time.Duration;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.Mmio;
import org.gatun.pci.Vector;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.HardwareConfig;
import org.gatun.simulated.SimulatedBus;

/** A device in the hands of a guest, and the broker, who is about to take it away. */
final class Race {
  /** What an access came to. */
  static final int REFUSED = -1;

  static final int RETURNED = 1;

  /** It began after the revocation had ended, and yet returned as if nothing were the matter. */
  static final int RETURNED_TOO_LATE = 2;

  private static final int MSI_ENABLE = 1;
  private static final int MSIX_ENABLE = 1 << 15;
  private static final int ENTRY_CONTROL = 12;

  /** Kept, so that its level is: nobody reads the life of a million grants. */
  private static final Logger LOG = Logger.getLogger("org.gatun.broker");

  static {
    LOG.setLevel(Level.OFF);
  }

  final SimulatedBus bus = SimulatedBus.virtualTime();
  final DeviceName name;
  final Grant grant;
  final GrantedDevice device;
  private final Broker broker = new Broker(List.of(bus));
  private volatile boolean revoked;

  Race(DeviceModel model) {
    name = bus.plug("device", model);
    broker.seize(name);
    grant = grant("guest");
    device = grant.connect().getFirst();
  }

  Mmio map(long offset, long length) {
    return device.bar(0).orElseThrow().map(offset, length);
  }

  /** Enables the one vector of that kind, with bus master on: a message is a write. */
  Vector enable(Kind kind) {
    device.busMaster(true);
    return device.interrupts().enable(kind, 1).getFirst();
  }

  /** What the hardware may send, MSI and MSI-X: 0 if nothing. */
  int enabledMessages() {
    HardwareConfig hardware = bus.hardware(name);
    Capabilities capabilities = Capabilities.walk(hardware);
    int msi = capabilities.find(Capability.MSI).orElseThrow().offset();
    int msix = capabilities.find(Capability.MSIX).orElseThrow().offset();
    return (hardware.read16(msi + 2) & MSI_ENABLE) | (hardware.read16(msix + 2) & MSIX_ENABLE);
  }

  /** The hardware's own mask of the one entry of its MSI-X table. */
  boolean isEntryMasked() {
    return (bus.peek(name, 0, RacedModel.TABLE + ENTRY_CONTROL, 4) & 1) != 0;
  }

  void revoke() {
    grant.revoke(Duration.ZERO);
    revoked = true;
  }

  /** The next guest takes it up. */
  GrantedDevice grantToNext() {
    return grant("next").connect().getFirst();
  }

  /** What an access of the guest comes to. */
  int attempt(Runnable access) {
    boolean late = revoked;
    try {
      access.run();
      return late ? RETURNED_TOO_LATE : RETURNED;
    } catch (DeviceGoneException _) {
      return REFUSED;
    }
  }

  void end() {
    broker.close();
    bus.close();
  }

  private Grant grant(String guest) {
    return broker.grant(guest, Quota.DEFAULT, List.of(DeviceRequest.of(name)));
  }
}
