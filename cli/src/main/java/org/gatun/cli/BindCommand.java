package org.gatun.cli;

import java.util.Optional;
import org.gatun.pci.PciAddress;
import org.gatun.vfio.sysfs.DriverBinding;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code gatun bind}. */
@Command(
    name = "bind",
    mixinStandardHelpOptions = true,
    description = {
      "Takes a device from its kernel driver and binds it to vfio-pci, or to uio_pci_generic.",
      "The former driver is noted first; 'gatun unbind' gives the device back to it. Refuses a"
          + " device that carries the default route, a mounted file system or the swap."
    })
final class BindCommand implements Runnable {
  @Parameters(paramLabel = "ADDRESS", description = "Like 0000:00:04.0.")
  private PciAddress address;

  @Option(
      names = "--driver",
      paramLabel = "DRIVER",
      defaultValue = DriverBinding.VFIO_PCI,
      description =
          "vfio-pci, the default, or uio_pci_generic, for a device that no IOMMU confines.")
  private String driver;

  @Mixin private final Output output = new Output();

  @Override
  public void run() {
    Optional<String> former = new DriverBinding().bind(address, driver);
    output.print(
        Driver.json(address, driver, former),
        out ->
            out.printf(
                "%s: bound to %s, formerly %s%n",
                address, driver, former.orElse("without a driver")));
  }
}
