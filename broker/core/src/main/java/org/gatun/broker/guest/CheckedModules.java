package org.gatun.broker.guest;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleFinder;
import java.lang.module.ModuleReader;
import java.lang.module.ModuleReference;
import java.net.URI;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.jar.Manifest;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The modules of a guest, read into memory once: what is checked is what is loaded, whoever changes
 * the files meanwhile.
 */
final class CheckedModules implements ModuleFinder {
  /** All that a guest's modules have, in bytes: what is larger is not read. */
  private static final long LARGEST = 64L << 20;

  static final String CLASS = ".class";

  private static final String MANIFEST = "META-INF/MANIFEST.MF";

  private final Map<String, InMemory> modules;

  private CheckedModules(Map<String, InMemory> modules) {
    this.modules = modules;
  }

  /**
   * Reads a module, and those that it requires, as far as they are there.
   *
   * @throws IOException if a file can't be read
   */
  static CheckedModules read(ModuleFinder finder, String root) throws IOException {
    Map<String, InMemory> modules = new LinkedHashMap<>();
    read(finder, root, modules, LARGEST);
    return new CheckedModules(modules);
  }

  private static long read(
      ModuleFinder finder, String name, Map<String, InMemory> modules, long room)
      throws IOException {
    Optional<ModuleReference> found = finder.find(name);
    if (found.isEmpty() || modules.containsKey(name)) {
      return room;
    }
    InMemory module = InMemory.of(found.get(), room);
    modules.put(name, module);
    long left = room - module.size();
    for (ModuleDescriptor.Requires required : module.descriptor().requires()) {
      left = read(finder, required.name(), modules, left);
    }
    return left;
  }

  Set<String> names() {
    return Set.copyOf(modules.keySet());
  }

  /** The descriptors, in the order in which they are required. */
  List<ModuleDescriptor> descriptors() {
    return modules.values().stream().map(ModuleReference::descriptor).toList();
  }

  /** What a module has, by name. */
  Map<String, byte[]> resources(String module) {
    return Optional.ofNullable(modules.get(module)).orElseThrow().resources;
  }

  /**
   * The classes that are loaded from it, by name. A file elsewhere than in the packages that its
   * descriptor has is none of them, whatever it is called: the class of that name is another
   * module's.
   */
  Set<String> classes(String module) {
    Set<String> packages =
        Optional.ofNullable(modules.get(module)).orElseThrow().descriptor().packages();
    return resources(module).keySet().stream()
        .filter(name -> name.endsWith(CLASS))
        .map(name -> name.substring(0, name.length() - CLASS.length()).replace('/', '.'))
        .filter(name -> packages.contains(name.substring(0, Math.max(0, name.lastIndexOf('.')))))
        .collect(Collectors.toUnmodifiableSet());
  }

  /** Whether its manifest asks for native access, as that of a main module can. */
  boolean wantsNativeAccess(String module) throws IOException {
    byte[] manifest = resources(module).get(MANIFEST);
    return manifest != null
        && new Manifest(new ByteArrayInputStream(manifest))
                .getMainAttributes()
                .getValue("Enable-Native-Access")
            != null;
  }

  @Override
  public Optional<ModuleReference> find(String name) {
    return Optional.ofNullable(modules.get(name));
  }

  @Override
  public Set<ModuleReference> findAll() {
    return Set.copyOf(modules.values());
  }

  private static final class InMemory extends ModuleReference {
    private final Map<String, byte[]> resources;

    InMemory(ModuleDescriptor descriptor, URI location, Map<String, byte[]> resources) {
      super(descriptor, location);
      this.resources = resources;
    }

    static InMemory of(ModuleReference module, long room) throws IOException {
      Map<String, byte[]> resources = new HashMap<>();
      long left = room;
      try (ModuleReader reader = module.open();
          Stream<String> names = reader.list()) {
        for (String name : (Iterable<String>) names::iterator) {
          if (name.endsWith("/")) {
            continue;
          }
          try (InputStream in =
              reader
                  .open(name)
                  .orElseThrow(() -> new IOException(module + ": " + name + " has gone"))) {
            byte[] bytes = in.readNBytes((int) left + 1);
            left -= bytes.length;
            if (left < 0) {
              throw new IOException(
                  "%s: a guest's modules have %d MiB at most"
                      .formatted(module.descriptor().name(), LARGEST >> 20));
            }
            resources.put(name, bytes);
          }
        }
      }
      URI location = module.location().orElse(URI.create("memory:" + module.descriptor().name()));
      return new InMemory(module.descriptor(), location, resources);
    }

    long size() {
      return resources.values().stream().mapToLong(bytes -> bytes.length).sum();
    }

    @Override
    public ModuleReader open() {
      return new ModuleReader() {
        @Override
        public Optional<URI> find(String name) {
          // What a URI leads to may have changed.
          return Optional.empty();
        }

        @Override
        public Optional<InputStream> open(String name) {
          return Optional.ofNullable(resources.get(name)).map(ByteArrayInputStream::new);
        }

        @Override
        public Stream<String> list() {
          return resources.keySet().stream();
        }

        @Override
        public void close() {}
      };
    }
  }
}
