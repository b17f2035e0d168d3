package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import org.gatun.pci.DeviceName;
import org.gatun.pci.PciAddress;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.vfio.SysfsBackend;
import org.gatun.vfio.sysfs.DriverBinding;
import org.gatun.vfio.sysfs.Sysfs;
import org.gatun.vfio.sysfs.SysfsDevice;
import org.gatun.vmtests.inside.Inside;

/** A device that a test inside drives through sysfs. */
record UnprotectedDevices(PciAddress address) {
  private static final DriverBinding BINDING = new DriverBinding();
  private static final SysfsBackend BACKEND = new SysfsBackend();

  /** The device that the outer test gave this id. */
  static UnprotectedDevices of(String id) {
    return new UnprotectedDevices(PciAddress.parse(Inside.address(id)));
  }

  DeviceName name() {
    return SysfsBackend.unprotected(address);
  }

  SysfsDevice sysfs() {
    return Sysfs.ofThisMachine().device(address).orElseThrow();
  }

  /** Binds it to uio_pci_generic, if it is not. */
  UnprotectedDevices bind() {
    BINDING.bind(address, DriverBinding.UIO_PCI_GENERIC);
    assertThat(sysfs().driver()).contains(DriverBinding.UIO_PCI_GENERIC);
    return this;
  }

  PciDevice open() {
    return BACKEND.open(name());
  }

  /** Checks that it is at rest. */
  void checkStopped() {
    assertThat(isBusMaster()).as("bus master of %s", address).isFalse();
  }

  boolean isBusMaster() {
    return (sysfs().config().read16(ConfigRegisters.COMMAND) & ConfigRegisters.COMMAND_BUS_MASTER)
        != 0;
  }
}
