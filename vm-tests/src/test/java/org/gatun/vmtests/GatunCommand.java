package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.gatun.cli.Gatun;
import org.gatun.vmtests.inside.Command;

/**
 * The {@code gatun} command inside the machine, as a user runs it: on the module path, in a process
 * of its own.
 *
 * @param output what it wrote to standard output
 * @param errors what it wrote to standard error
 */
record GatunCommand(int exitStatus, String output, String errors) {
  private static final long LIMIT_SECONDS = 300;

  /**
   * Outside of the machine: archives the command's classes (JEP 350), since it takes an emulated
   * processor long to load them, for each command anew.
   */
  static synchronized void archiveClasses() throws Exception {
    run(words(List.of("-XX:+AutoCreateSharedArchive"), "list")).expectSuccess();
  }

  private static Path archive() throws URISyntaxException {
    return modulePath().resolveSibling("gatun.jsa");
  }

  /** Starts it, and leaves it to itself. */
  static Running start(String... arguments) throws Exception {
    return Running.start(words(List.of(), arguments));
  }

  /**
   * The same without the right to signal other users' processes. When it ends, the kernel does not
   * end those either that are to end with it, since the signal counts as sent by it.
   */
  static Running startUnableToKill(String... arguments) throws Exception {
    List<String> words =
        new ArrayList<>(List.of("setpriv", "--inh-caps=-kill", "--bounding-set=-kill", "--"));
    words.addAll(words(List.of(), arguments));
    return Running.start(words);
  }

  /** Runs it. */
  static GatunCommand run(String... arguments) throws Exception {
    return run(words(List.of(), arguments));
  }

  /** Runs it with native calls through JNA. */
  static GatunCommand runThroughJna(String... arguments) throws Exception {
    return run(words(List.of("-Dgatun.native=jna"), arguments));
  }

  /** Runs it as a user that may do nothing. */
  static GatunCommand runAsNobody(String... arguments) throws Exception {
    List<String> words =
        new ArrayList<>(List.of("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"));
    words.addAll(words(List.of(), arguments));
    return run(words);
  }

  private static List<String> words(List<String> jvmOptions, String... arguments)
      throws URISyntaxException {
    List<String> words = new ArrayList<>();
    words.add(Path.of(System.getProperty("java.home"), "bin/java").toString());
    words.addAll(List.of("-XX:SharedArchiveFile=" + archive(), "-Xlog:cds=off"));
    words.addAll(jvmOptions);
    words.addAll(program(modulePath()));
    words.addAll(List.of(arguments));
    return words;
  }

  private static List<String> program(Path modules) {
    List<String> words = new ArrayList<>();
    // What starts fast and runs little.
    words.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"));
    words.addAll(
        List.of(
            "--enable-native-access=org.gatun.nativeaccess,com.sun.jna",
            "--illegal-native-access=deny"));
    words.addAll(List.of("--module-path", modules.toString()));
    words.addAll(List.of("--add-modules", "ALL-MODULE-PATH"));
    words.addAll(List.of("--module", "org.gatun.cli/org.gatun.cli.Gatun"));
    return words;
  }

  /**
   * Installs it in the machine, as a package would: what runs it may not see where it was built.
   *
   * @param folder for what it needs, the JDK too
   * @param script by which it is run
   */
  static void install(Path folder, Path script) throws Exception {
    Path jdk = Files.createDirectories(folder.resolve("jdk"));
    Path modules = folder.resolve("modules");
    Command.run("mount", "--bind", System.getProperty("java.home"), jdk.toString()).expectSuccess();
    Command.run("cp", "-r", modulePath().toString(), modules.toString()).expectSuccess();
    Files.writeString(
        script,
        "#!/bin/sh\nexec %s/bin/java %s \"$@\"\n"
            .formatted(jdk, String.join(" ", program(modules))));
    Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  /** Demands that it was done. */
  GatunCommand expectSuccess() {
    assertThat(exitStatus).as("exit status of %s", this).isZero();
    return this;
  }

  private static GatunCommand run(List<String> words) throws Exception {
    return Running.start(words).end();
  }

  /**
   * One that runs.
   *
   * @param output the file that its standard output goes to
   * @param errors the file that its standard error goes to
   */
  record Running(Process process, Path output, Path errors) {
    private static Running start(List<String> words) throws Exception {
      Path output = Files.createTempFile("gatun", ".out");
      Path errors = Files.createTempFile("gatun", ".err");
      Process process =
          new ProcessBuilder(words)
              .redirectInput(new File("/dev/null"))
              .redirectOutput(output.toFile())
              .redirectError(errors.toFile())
              .start();
      return new Running(process, output, errors);
    }

    /** Waits for its end. */
    GatunCommand end() throws Exception {
      try {
        boolean ended = process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS);
        process.destroyForcibly();
        assertThat(ended).as("%s ends", process.info()).isTrue();
        return new GatunCommand(
            process.exitValue(), Files.readString(output), Files.readString(errors));
      } finally {
        Files.delete(output);
        Files.delete(errors);
      }
    }
  }

  /** Where the build puts the command with all that it needs: the folder that its jar is in. */
  private static Path modulePath() throws URISyntaxException {
    Path jar = Path.of(Gatun.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    Path modules = Objects.requireNonNull(jar.getParent());
    assertThat(modules.getFileName())
        .as("folder of %s; build with 'mvn verify', the command needs its jars", jar)
        .hasToString("modules");
    return modules;
  }
}
