package org.gatun.vmtests;

import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.gatun.vmtests.inside.Command;
import org.gatun.vmtests.inside.Inside;

/**
 * A systemd inside the machine, in a pid namespace, in which it is process 1. It knows the units of
 * one folder, and what of its own they need. What it says is on the console.
 */
final class Systemd implements AutoCloseable {
  /** As Debian's package has it. */
  static final Path PROGRAM = Path.of("/lib/systemd/systemd");

  private static final Path UNITS = Path.of("/lib/systemd/system");

  /** What each service requires, and how modules are loaded. */
  private static final List<String> NEEDED =
      List.of("sysinit.target", "basic.target", "shutdown.target", "modprobe@.service");

  private static final Duration START_LIMIT = Duration.ofMinutes(1);
  private static final Duration COMMAND_LIMIT = Duration.ofMinutes(4);

  private final Process namespace;
  private final long init;

  private Systemd(Process namespace, long init) {
    this.namespace = namespace;
    this.init = init;
  }

  /**
   * Starts it.
   *
   * @param units a folder with units, to which those are added that they need
   */
  static Systemd start(Path units) throws IOException, InterruptedException {
    for (String needed : NEEDED) {
      Files.copy(UNITS.resolve(needed), units.resolve(needed));
    }
    Files.writeString(units.resolve("nothing.target"), "[Unit]\nDefaultDependencies=no\n");
    Process namespace =
        new ProcessBuilder(
                "unshare",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "env",
                "-i",
                // By that it knows that the machine is not its own.
                "container=gatun",
                "PATH=" + System.getenv("PATH"),
                "SYSTEMD_UNIT_PATH=" + units,
                PROGRAM.toString(),
                "--system",
                "--unit=nothing.target")
            .redirectInput(Path.of("/dev/null").toFile())
            .redirectOutput(Redirect.INHERIT)
            .redirectError(Redirect.INHERIT)
            .start();
    boolean started = false;
    try {
      Inside.await(Path.of("/run/systemd/private"), START_LIMIT);
      long init = namespace.children().findFirst().orElseThrow().pid();
      started = true;
      return new Systemd(namespace, init);
    } finally {
      if (!started) {
        namespace.destroyForcibly().waitFor();
      }
    }
  }

  /** Runs a command among its processes. */
  Command run(String... words) throws IOException, InterruptedException {
    List<String> all = new ArrayList<>(List.of("nsenter", "-t", Long.toString(init), "-m", "-p"));
    all.addAll(List.of(words));
    return Command.run(COMMAND_LIMIT, all.toArray(String[]::new));
  }

  /** Ends it, and with it all that it has started. */
  @Override
  public void close() {
    namespace.destroyForcibly().onExit().join();
  }
}
