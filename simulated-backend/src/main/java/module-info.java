import org.gatun.pci.spi.PciBackend;
import org.gatun.pci.spi.SharedMemoryProvider;
import org.gatun.simulated.SimulatedBackend;
import org.jspecify.annotations.NullMarked;

/**
 * An emulated PCI bus with its IOMMU and its device models, in the same process: {@link
 * org.gatun.simulated.SimulatedBus}. Plain Java, no native access.
 */
@NullMarked
module org.gatun.simulated {
  requires transitive org.gatun.pci;
  requires org.gatun.specs;
  requires static transitive org.jspecify;

  exports org.gatun.simulated;
  exports org.gatun.simulated.fault;
  exports org.gatun.simulated.trace;

  uses SharedMemoryProvider;

  provides PciBackend with
      SimulatedBackend;
}
