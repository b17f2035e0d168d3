package org.gatun.hostile;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.spi.ToolProvider;

/** For tests: Java sources of guests, compiled. */
public final class Sources {
  private Sources() {}

  /**
   * Compiles files against what the test itself runs on.
   *
   * @param files by their paths
   * @return the folder of the classes
   */
  public static Path compile(Path folder, Map<String, String> files) throws IOException {
    return compile(folder, files, System.getProperty("java.class.path"));
  }

  /**
   * Compiles files.
   *
   * @param files by their paths
   * @param path of the modules that they need; of the classes, if they are no module
   * @return the folder of the classes
   */
  public static Path compile(Path folder, Map<String, String> files, String path)
      throws IOException {
    Path classes = folder.resolve("classes");
    List<String> arguments = new ArrayList<>(List.of("-d", classes.toString()));
    arguments.addAll(List.of(files.containsKey("module-info.java") ? "-p" : "-cp", path));
    arguments.addAll(List.of("-proc:none", "-nowarn", "-Xlint:none"));
    for (Map.Entry<String, String> file : files.entrySet()) {
      Path source = folder.resolve("src").resolve(file.getKey());
      Files.createDirectories(Objects.requireNonNull(source.getParent()));
      Files.writeString(source, file.getValue());
      arguments.add(source.toString());
    }
    int status =
        ToolProvider.findFirst("javac")
            .orElseThrow()
            .run(System.out, System.err, arguments.toArray(String[]::new));
    if (status != 0) {
      throw new AssertionError("javac " + arguments + " ended with status " + status);
    }
    return classes;
  }
}
