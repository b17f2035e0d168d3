import org.gatun.pci.spi.PciBackend;
import org.jspecify.annotations.NullMarked;

/**
 * What a PCI device is to Gatun: {@link org.gatun.pci.PciDevice} and its parts, config-space
 * parsing in {@link org.gatun.pci.config}, and what backends and guests implement in {@link
 * org.gatun.pci.spi}.
 *
 * <p>Nothing here has native access, or knows of descriptors or of addresses that are not bus
 * addresses.
 */
@NullMarked
module org.gatun.pci {
  requires static transitive org.jspecify;

  exports org.gatun.pci;
  exports org.gatun.pci.config;
  exports org.gatun.pci.spi;

  uses PciBackend;
}
