package org.gatun.cli;

import java.util.Optional;
import org.gatun.pci.PciAddress;
import org.gatun.vfio.sysfs.DriverBinding;
import org.gatun.vfio.sysfs.Sysfs;
import org.gatun.vfio.sysfs.SysfsDevice;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code gatun unbind}. */
@Command(
    name = "unbind",
    mixinStandardHelpOptions = true,
    description =
        "Takes a device from vfio-pci or uio_pci_generic and gives it back to the driver that it"
            + " had before.")
final class UnbindCommand implements Runnable {
  @Parameters(paramLabel = "ADDRESS", description = "Like 0000:00:04.0.")
  private PciAddress address;

  @Mixin private final Output output = new Output();

  @Override
  public void run() {
    Optional<String> before = Sysfs.ofThisMachine().device(address).flatMap(SysfsDevice::driver);
    Optional<String> now = new DriverBinding().restore(address);
    output.print(
        Driver.json(address, now.orElse(null), before),
        out ->
            out.printf(
                "%s: %s%n",
                address, now.map("bound to "::concat).orElse("without a driver, as before")));
  }
}
