package org.gatun.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import org.gatun.broker.service.BrokerInterface;
import org.gatun.broker.service.varlink.VarlinkClient;
import org.gatun.broker.service.varlink.VarlinkException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The running broker that a command talks to. A mixin. */
final class ControlOption {
  @Option(
      names = "--control",
      paramLabel = "SOCKET",
      description = "Of the broker: 'control' in its DIRECTORY. Without it: that of 'broker run'.")
  private @Nullable Path socket;

  /** What is done with a connection. */
  @FunctionalInterface
  interface Talk<T> {
    T with(VarlinkClient broker) throws IOException;
  }

  /** Calls a method, and gives what it replies. */
  ObjectNode call(String method, ObjectNode parameters) throws IOException {
    return talk(broker -> broker.call(BrokerInterface.NAME + "." + method, parameters));
  }

  <T> T talk(Talk<T> talk) throws IOException {
    Path path = socket != null ? socket : BrokerFolders.usualControl();
    try (VarlinkClient broker = connect(path)) {
      return talk.with(broker);
    } catch (VarlinkException e) {
      throw new IOException(
          switch (e.error()) {
            case BrokerInterface.REFUSED -> e.parameters().path("reason").asText();
            case VarlinkException.PERMISSION_DENIED ->
                path
                    + ": this user may not control the broker: be root, or one of control.users in"
                    + " its policy file";
            default -> path + ": the broker answers " + e.getMessage();
          },
          e);
    }
  }

  private static VarlinkClient connect(Path path) throws IOException {
    try {
      return VarlinkClient.connect(path);
    } catch (IOException e) {
      throw new IOException(
          "no broker answers at %s (%s): start one with 'gatun broker run', or name its socket with --control"
              .formatted(path, e.getMessage()),
          e);
    }
  }
}
