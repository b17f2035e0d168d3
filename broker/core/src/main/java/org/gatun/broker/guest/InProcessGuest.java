package org.gatun.broker.guest;

import java.io.IOException;
import java.lang.module.Configuration;
import java.lang.module.FindException;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleFinder;
import java.lang.module.ResolutionException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.Set;
import org.gatun.pci.spi.PciGuest;

/**
 * Loads a guest into this process: its module and the drivers that it requires, in a layer of their
 * own without native access.
 *
 * <p><b>This is a guard rail, not a boundary.</b> It keeps code that means well from doing by
 * mistake what a guest should not: native calls, files, sockets, other devices, {@code
 * System.exit}. Modules that are open or automatic, or that require others than {@code java.base},
 * {@code org.gatun.pci} and {@code org.gatun.specs}, are refused; so are classes that name what is
 * not on a list. It does <em>not</em> protect from code that means ill: that can loop for ever,
 * take all memory, start as many threads as it likes, find a way past the list, or have its device
 * do what the device can, and it shares its fate with this process. Such code belongs into a
 * process of its own.
 */
public final class InProcessGuest {
  /** What a guest's modules may require, besides each other. */
  private static final Set<String> ALLOWED =
      Set.of("java.base", "org.gatun.pci", "org.gatun.specs", "org.jspecify");

  private InProcessGuest() {}

  /**
   * Loads a guest. Any thread.
   *
   * @param modulePath where its modules are: jars, or folders of jars
   * @param module that provides a {@link PciGuest}, one
   * @throws GuestRefusedException if it breaks a rule, or does not fit together
   * @throws IOException if a file can't be read
   */
  public static PciGuest load(List<Path> modulePath, String module) throws IOException {
    CheckedModules modules = read(modulePath, module);
    List<String> reasons = check(modules);
    if (modules.find(module).isEmpty()) {
      reasons.add("there is no module %s in %s".formatted(module, modulePath));
    }
    if (!reasons.isEmpty()) {
      throw new GuestRefusedException(module, reasons);
    }
    ModuleLayer layer = define(modules, module);
    List<PciGuest> guests =
        ServiceLoader.load(layer, PciGuest.class).stream()
            // Those of the parents come along.
            .filter(provider -> provider.type().getModule().getLayer() == layer)
            .map(ServiceLoader.Provider::get)
            .toList();
    if (guests.size() != 1) {
      throw new GuestRefusedException(
          module,
          List.of(
              "its modules provide %d of %s: there has to be one"
                  .formatted(guests.size(), PciGuest.class.getName())));
    }
    return guests.getFirst();
  }

  private static CheckedModules read(List<Path> modulePath, String module) throws IOException {
    try {
      return CheckedModules.read(ModuleFinder.of(modulePath.toArray(Path[]::new)), module);
    } catch (FindException e) {
      throw new GuestRefusedException(module, List.of(String.valueOf(e.getMessage())));
    }
  }

  private static List<String> check(CheckedModules modules) throws IOException {
    List<String> reasons = new ArrayList<>();
    Set<String> classes = new HashSet<>();
    for (String module : modules.names()) {
      classes.addAll(modules.classes(module));
    }
    ClassCheck check = new ClassCheck(AllowedApi.read(), classes::contains);
    for (ModuleDescriptor module : modules.descriptors()) {
      checkDescriptor(module, modules.names(), reasons);
      if (modules.wantsNativeAccess(module.name())) {
        reasons.add(module.name() + ": its manifest asks for native access");
      }
      modules
          .resources(module.name())
          .forEach(
              (name, bytes) -> {
                if (name.endsWith(CheckedModules.CLASS) && !name.equals("module-info.class")) {
                  reasons.addAll(check.check(module.name() + "/" + name, bytes));
                }
              });
    }
    return reasons;
  }

  private static void checkDescriptor(
      ModuleDescriptor module, Set<String> sameLayer, List<String> reasons) {
    String name = module.name();
    if (module.isAutomatic()) {
      reasons.add(name + ": it has no module descriptor");
    }
    if (module.isOpen()) {
      reasons.add(name + ": it is open");
    }
    if (ALLOWED.contains(name)) {
      reasons.add(name + ": that is a module of the host's: take it from the module path");
    }
    module.requires().stream()
        .map(ModuleDescriptor.Requires::name)
        .filter(required -> !ALLOWED.contains(required) && !sameLayer.contains(required))
        .sorted()
        .forEach(required -> reasons.add(name + ": it may not require " + required));
  }

  private static ModuleLayer define(CheckedModules modules, String module) {
    ModuleLayer host =
        Optional.ofNullable(InProcessGuest.class.getModule().getLayer())
            .orElseThrow(
                () ->
                    new GuestRefusedException(
                        module,
                        List.of(
                            "its host runs on the class path: guests need it on the module path")));
    try {
      Configuration configuration =
          host.configuration().resolve(modules, ModuleFinder.of(), Set.of(module));
      return host.defineModulesWithOneLoader(configuration, ClassLoader.getPlatformClassLoader());
    } catch (ResolutionException | LayerInstantiationException e) {
      throw new GuestRefusedException(module, List.of(String.valueOf(e.getMessage())));
    }
  }
}
