package org.gatun.vmtests.machine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A kernel's modules and what each needs, as depmod wrote it. */
final class KernelModules {
  private final Path directory;

  /** By name with underscores: the file and what it needs, last first, as relative paths. */
  private final Map<String, List<String>> filesByName = new HashMap<>();

  private final Set<String> builtIn = new LinkedHashSet<>();

  KernelModules(Path directory) throws IOException {
    this.directory = directory;
    for (String line : Files.readAllLines(directory.resolve("modules.dep"))) {
      int colon = line.indexOf(':');
      if (colon > 0) {
        List<String> files = new ArrayList<>(List.of(line.substring(0, colon)));
        files.addAll(words(line.substring(colon + 1)));
        filesByName.put(name(files.getFirst()), files);
      }
    }
    for (String line : Files.readAllLines(directory.resolve("modules.builtin"))) {
      builtIn.add(name(line));
    }
  }

  /**
   * The files to load, in order, so that each comes after what it needs. What is built in needs no
   * file.
   *
   * @throws IOException if a module is neither there nor built in
   */
  List<Path> inLoadOrder(List<String> names) throws IOException {
    Set<Path> order = new LinkedHashSet<>();
    for (String name : names) {
      List<String> files = filesByName.get(name.replace('-', '_'));
      if (files != null) {
        // modules.dep lists all that is needed, also indirectly: the last is to be loaded first.
        files.reversed().forEach(file -> order.add(directory.resolve(file)));
      } else if (!builtIn.contains(name.replace('-', '_'))) {
        throw new IOException("no module " + name + " in " + directory + ", nor is it built in");
      }
    }
    return List.copyOf(order);
  }

  private static List<String> words(String text) {
    return text.isBlank() ? List.of() : List.of(text.trim().split(" +"));
  }

  private static String name(String path) {
    String file = path.substring(path.lastIndexOf('/') + 1);
    int dot = file.indexOf(".ko");
    return (dot < 0 ? file : file.substring(0, dot)).replace('-', '_');
  }
}
