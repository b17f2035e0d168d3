package org.gatun.broker.service.process;

import java.lang.module.Configuration;
import java.lang.module.FindException;
import java.lang.module.ModuleFinder;
import java.lang.module.ModuleReference;
import java.lang.module.ResolvedModule;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Where the modules are that this process runs with. */
final class HostModules {
  /**
   * A module and what it requires: jars and folders; none of those that are in the JDK's image,
   * where all of them are if it was made with jlink.
   *
   * @return empty if it is not there
   */
  static Optional<List<Path>> find(String name) {
    Configuration configuration =
        Optional.ofNullable(HostModules.class.getModule().getLayer())
            .map(ModuleLayer::configuration)
            .orElseGet(() -> onClassPath(name));
    return configuration.findModule(name).map(HostModules::paths);
  }

  private static List<Path> paths(ResolvedModule first) {
    Set<Path> paths = new LinkedHashSet<>();
    Set<ResolvedModule> seen = new LinkedHashSet<>();
    Deque<ResolvedModule> open = new ArrayDeque<>();
    open.add(first);
    while (!open.isEmpty()) {
      ResolvedModule module = open.remove();
      if (seen.add(module)) {
        module.reference().location().flatMap(HostModules::file).ifPresent(paths::add);
        // What is only there while compiling is there for somebody else.
        module.reads().stream()
            .filter(read -> isRequired(module.reference(), read.name()))
            .forEach(open::add);
      }
    }
    return List.copyOf(paths);
  }

  private static boolean isRequired(ModuleReference module, String name) {
    return module.descriptor().requires().stream()
        .anyMatch(
            required ->
                required.name().equals(name)
                    && !required
                        .modifiers()
                        .contains(java.lang.module.ModuleDescriptor.Requires.Modifier.STATIC));
  }

  private static Optional<Path> file(URI location) {
    return location.getScheme().equals("file") ? Optional.of(Path.of(location)) : Optional.empty();
  }

  /** As it would be if what is on the class path were on the module path. */
  private static Configuration onClassPath(String name) {
    List<ModuleFinder> finders = new ArrayList<>();
    for (String entry : System.getProperty("java.class.path").split(":", -1)) {
      ModuleFinder finder = ModuleFinder.of(Path.of(entry));
      try {
        finder.findAll();
        finders.add(finder);
      } catch (FindException _) {
        // No module, and so none of ours.
      }
    }
    ModuleFinder all = ModuleFinder.compose(finders.toArray(ModuleFinder[]::new));
    return ModuleLayer.boot()
        .configuration()
        .resolve(all, ModuleFinder.of(), all.find(name).isPresent() ? Set.of(name) : Set.of());
  }
}
