package org.gatun.cli;

import java.nio.file.Path;
import org.gatun.broker.service.BrokerService;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Where a broker keeps what it has. A mixin. */
final class BrokerFolders {
  @Option(
      names = "--directory",
      paramLabel = "DIRECTORY",
      description =
          "For its sockets. Without it: what systemd says, or /run/gatun for root, or a folder of"
              + " the user's.")
  private @Nullable Path runtime;

  @Option(
      names = "--state",
      paramLabel = "DIRECTORY",
      description =
          "For what it remembers. Without it: what systemd says, or /var/lib/gatun for root, or a"
              + " folder of the user's.")
  private @Nullable Path state;

  BrokerService.Folders get() {
    Path ofRuntime = runtime;
    Path ofState = state;
    return new BrokerService.Folders(
        ofRuntime != null
            ? ofRuntime
            : usual("RUNTIME_DIRECTORY", "/run/gatun", "XDG_RUNTIME_DIR", "run"),
        ofState != null
            ? ofState
            : usual("STATE_DIRECTORY", "/var/lib/gatun", "XDG_STATE_HOME", "state"));
  }

  /** The control socket of the broker that runs with no options. */
  static Path usualControl() {
    return new BrokerFolders().get().control();
  }

  private static Path usual(String systemd, String ofRoot, String ofUser, String name) {
    String given = System.getenv(systemd);
    if (given != null) {
      return Path.of(given);
    }
    if (System.getProperty("user.name").equals("root")) {
      return Path.of(ofRoot);
    }
    String parent = System.getenv(ofUser);
    return parent != null
        ? Path.of(parent, "gatun")
        : Path.of(System.getProperty("user.home"), ".gatun", name);
  }
}
