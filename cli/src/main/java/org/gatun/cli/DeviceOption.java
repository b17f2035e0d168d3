package org.gatun.cli;

import org.gatun.pci.DeviceName;
import org.gatun.pci.spi.Backends;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** The device that a command uses. A mixin. */
final class DeviceOption {
  @Option(
      names = "--device",
      required = true,
      paramLabel = "DEVICE",
      description = "The device, like vfio:0000:00:04.0 or simulated:nvme,size=1G.")
  private DeviceName name;

  /** Opens it for a command. */
  HeldDevice open(CommandSpec command) {
    return HeldDevice.of(Backends.open(name), Gatun.of(command).interruption);
  }
}
