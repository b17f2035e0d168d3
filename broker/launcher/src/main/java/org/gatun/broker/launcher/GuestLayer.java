package org.gatun.broker.launcher;

import java.lang.module.Configuration;
import java.lang.module.ModuleFinder;
import java.nio.file.Path;
import java.util.List;
import java.util.ServiceLoader;
import java.util.Set;
import org.gatun.pci.spi.PciGuest;

/**
 * The guest's modules, in a layer of their own without native access. What they may do beyond that
 * the kernel says.
 */
final class GuestLayer {
  private GuestLayer() {}

  /**
   * Loads a guest.
   *
   * @throws IllegalArgumentException if its modules do not provide one
   * @throws java.lang.module.FindException if they are not sound
   * @throws java.lang.module.ResolutionException if they do not fit together
   */
  static PciGuest load(List<Path> modulePath, String module) {
    ModuleLayer host = ModuleLayer.boot();
    Configuration configuration =
        host.configuration()
            .resolve(
                ModuleFinder.of(),
                ModuleFinder.of(modulePath.toArray(Path[]::new)),
                Set.of(module));
    ModuleLayer layer =
        host.defineModulesWithOneLoader(configuration, ClassLoader.getPlatformClassLoader());
    List<PciGuest> guests =
        ServiceLoader.load(layer, PciGuest.class).stream()
            // Those of the parents come along.
            .filter(provider -> provider.type().getModule().getLayer() == layer)
            .map(ServiceLoader.Provider::get)
            .toList();
    if (guests.size() != 1) {
      throw new IllegalArgumentException(
          "the modules of %s provide %d guests: there has to be one"
              .formatted(module, guests.size()));
    }
    return guests.getFirst();
  }
}
