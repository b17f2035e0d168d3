package org.gatun.containertests;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import org.opentest4j.TestAbortedException;
import org.testcontainers.DockerClientFactory;
import org.testcontainers.images.builder.ImageFromDockerfile;
import org.testcontainers.images.builder.Transferable;

/** The machine's Docker engine, and an image that is made of what the machine has. */
final class Engine {
  private static final String REQUIRE = "GATUN_REQUIRE";
  private static final String REMEDY =
      "run, as root, build/with-docker mvn verify -pl container-tests -am; it needs Debian's"
          + " docker.io";

  /** What a JDK needs besides itself: the C library. */
  private static final String TAR =
      """
      ldd "$0/lib/server/libjvm.so" "$0/lib/libjli.so" | grep -oP '\\s/\\K\\S+(?= \\()' | sort -u |
        tar --create --dereference --directory / --files-from -
      """;

  private Engine() {}

  /**
   * Makes an image in which a JDK runs that is mounted into it, by no registry: there may be no
   * network.
   *
   * @return its name; it goes with this process
   * @throws TestAbortedException if there is no engine: the test is skipped; or it fails, if the
   *     environment demands one
   */
  static String buildImage() throws IOException, InterruptedException {
    require(lacking(), System.getenv());
    Process tar =
        new ProcessBuilder("sh", "-c", TAR, System.getProperty("java.home"))
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    byte[] files = tar.getInputStream().readAllBytes();
    if (tar.waitFor() != 0) {
      throw new IOException("there is no image: see above");
    }
    return new ImageFromDockerfile()
        .withFileFromTransferable("files.tar", Transferable.of(files))
        .withDockerfileFromBuilder(file -> file.from("scratch").add("files.tar", "/"))
        .get();
  }

  /** Skips the test if something is lacking, or fails it if the environment demands containers. */
  static void require(Optional<String> lacking, Map<String, String> environment) {
    if (lacking.isPresent()) {
      String message = lacking.get() + ": " + REMEDY;
      String required = environment.getOrDefault(REQUIRE, "");
      if (Arrays.asList(required.split(",")).contains("containers")) {
        throw new AssertionError(message + " (" + REQUIRE + "=" + required + ")");
      }
      throw new TestAbortedException(message);
    }
  }

  private static Optional<String> lacking() throws IOException {
    if ((int) Files.getAttribute(Path.of("/proc/self"), "unix:uid") != 0) {
      return Optional.of("only root can give a grant directory to another user's group");
    }
    return DockerClientFactory.instance().isDockerAvailable()
        ? Optional.empty()
        : Optional.of("no Docker engine answers");
  }
}
