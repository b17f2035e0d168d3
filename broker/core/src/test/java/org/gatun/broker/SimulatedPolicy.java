package org.gatun.broker;

import java.util.List;
import java.util.Set;
import org.gatun.broker.policy.ConfigPolicy;
import org.gatun.broker.policy.Quirk;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.spi.Hazard;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.SimulatedBus;
import org.gatun.testkit.GuestPolicyContract;
import org.junit.jupiter.api.AfterEach;

/** The policy suite on a device of the simulated bus. */
abstract class SimulatedPolicy extends GuestPolicyContract {
  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final Broker broker = new Broker(List.of(bus));
  private final DeviceName device;

  SimulatedPolicy(DeviceModel model) {
    device = bus.plug("device", model);
    broker.seize(device);
  }

  @AfterEach
  final void closeAll() {
    broker.close();
    bus.close();
  }

  @Override
  protected PciDevice grant(Knobs knobs) {
    ConfigPolicy policy =
        new ConfigPolicy(
            knobs.permissive(),
            knobs.allowInterruptControl(),
            Set.of(),
            knobs.quirks().stream().map(Quirk::parse).toList());
    if (broker.devices().getFirst().quarantine().isPresent()) {
      // A device without a reset: the suite looks at what is written, not at what is left.
      broker.release(device);
      broker.seize(device);
    }
    return broker
        .grant(
            "guest",
            Quota.DEFAULT,
            List.of(DeviceRequest.of(device).withConfig(policy).accepting(Hazard.MISSING_RESET)))
        .connect()
        .getFirst();
  }

  @Override
  protected ConfigSpace hardware() {
    return bus.hardware(device);
  }
}
