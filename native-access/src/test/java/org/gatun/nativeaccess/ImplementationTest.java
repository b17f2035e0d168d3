package org.gatun.nativeaccess;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.lang.module.ModuleFinder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.StringJoiner;
import org.junit.jupiter.api.Test;

/** Which implementation is used, and what is said if it can't be. */
class ImplementationTest {
  private static final String ASKED = System.getProperty(Linux.PROPERTY, FfmCalls.NAME);

  @Test
  void theOneAskedForIsUsed() {
    assertThat(Linux.calls().name()).isEqualTo(ASKED);
  }

  @Test
  void itWorksOnTheClassPath() throws Exception {
    assertThat(
            run(
                classPath(),
                "-D" + Linux.PROPERTY + "=" + ASKED,
                "--enable-native-access=ALL-UNNAMED"))
        .isEqualTo(ASKED + " says page size " + Mapping.pageSize());
  }

  @Test
  void itWorksOnTheModulePath() throws Exception {
    assertThat(
            run(
                modulePath(),
                "-D" + Linux.PROPERTY + "=" + ASKED,
                "--enable-native-access=" + module()))
        .isEqualTo(ASKED + " says page size " + Mapping.pageSize());
  }

  @Test
  void withoutNativeAccessTheFlagToPassIsNamedEachTime() throws Exception {
    assertThat(run(classPath(), "-D" + Linux.PROPERTY + "=" + ASKED).lines())
        .hasSize(2)
        .allMatch(line -> line.contains("start Java with --enable-native-access=ALL-UNNAMED"));
    assertThat(run(modulePath(), "-D" + Linux.PROPERTY + "=" + ASKED).lines())
        .hasSize(2)
        .allMatch(line -> line.contains("start Java with --enable-native-access=" + module()));
  }

  @Test
  void anUnknownOneIsRefused() throws Exception {
    assertThat(run(classPath(), "-D" + Linux.PROPERTY + "=nonesuch").lines())
        .hasSize(2)
        .allMatch(line -> line.contains("-Dgatun.native=nonesuch") && line.contains("[ffm"));
  }

  /** The module that the flag has to name. */
  private static String module() {
    return ASKED.equals(FfmCalls.NAME) ? "org.gatun.nativeaccess" : "com.sun.jna";
  }

  private static List<String> classPath() {
    return List.of("-cp", System.getProperty("java.class.path"), Main.class.getName());
  }

  /** The same modules as on the class path, and {@link Main} in the module under test. */
  private static List<String> modulePath() {
    Set<String> modules =
        Set.of("org.gatun.nativeaccess", "org.gatun.nativeaccess.jna", "com.sun.jna");
    StringJoiner path = new StringJoiner(File.pathSeparator);
    StringJoiner patch = new StringJoiner(File.pathSeparator);
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
      if (entry.endsWith("test-classes")) {
        patch.add(entry);
      } else if (ModuleFinder.of(Path.of(entry)).findAll().stream()
          .anyMatch(found -> modules.contains(found.descriptor().name()))) {
        path.add(entry);
      }
    }
    return List.of(
        "-p",
        path.toString(),
        "--patch-module",
        "org.gatun.nativeaccess=" + patch,
        "-m",
        "org.gatun.nativeaccess/" + Main.class.getName());
  }

  /** Runs {@link Main} in a JVM that has native access only by the given flags. */
  private static String run(List<String> program, String... flags)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--illegal-native-access=deny");
    command.addAll(List.of(flags));
    command.addAll(program);
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    process.waitFor();
    return output.trim();
  }

  /**
   * Prints the page size, or twice why there is none: the second time must not be a mere
   * NoClassDefFoundError.
   */
  static final class Main {
    private Main() {}

    public static void main(String[] arguments) {
      try {
        System.out.println(Linux.calls().name() + " says page size " + Mapping.pageSize());
      } catch (IllegalStateException first) {
        System.out.println(first.getMessage());
        try {
          EventFd.create("test").close();
        } catch (IllegalStateException second) {
          System.out.println(second.getMessage());
        }
      }
    }
  }
}
