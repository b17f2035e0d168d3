package org.gatun.broker.guest;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.spi.ToolProvider;

/** Java sources, compiled for a test. */
final class Sources {
  private Sources() {}

  /**
   * Compiles files.
   *
   * @param files by their paths
   * @return the folder of the classes
   */
  static Path compile(Path folder, Map<String, String> files) throws IOException {
    List<String> arguments = new ArrayList<>();
    Path classes = folder.resolve("classes");
    String path = System.getProperty("java.class.path");
    arguments.addAll(List.of("-d", classes.toString(), "-proc:none"));
    arguments.addAll(
        List.of(files.containsKey("module-info.java") ? "-p" : "-cp", path, "-nowarn"));
    for (Map.Entry<String, String> file : files.entrySet()) {
      Path source = folder.resolve("src").resolve(file.getKey());
      Files.createDirectories(Optional.ofNullable(source.getParent()).orElseThrow());
      Files.writeString(source, file.getValue());
      arguments.add(source.toString());
    }
    int status =
        ToolProvider.findFirst("javac")
            .orElseThrow()
            .run(System.out, System.err, arguments.toArray(String[]::new));
    assertThat(status).as("javac").isZero();
    return classes;
  }
}
