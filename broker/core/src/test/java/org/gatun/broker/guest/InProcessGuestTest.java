package org.gatun.broker.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.spi.ToolProvider;
import org.gatun.hostile.Sources;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InProcessGuestTest {
  private static final String CLASS = "org/example/guest/Guest.class";

  @TempDir private Path folder;

  /** Outside of the packages that its descriptor has, a module's files are not loaded. */
  @Test
  void aFileThatIsCalledLikeAClassOfTheJdkAllowsNothing() throws Exception {
    Path classes =
        Sources.compile(
            folder,
            Map.of(
                "module-info.java",
                "module org.example.guest {}",
                "org/example/guest/Guest.java",
                """
                package org.example.guest;
                class Guest {
                  void end() {
                    Runtime.getRuntime().halt(1);
                  }
                }
                """));
    Path jar = folder.resolve("guest.jar");
    // Notes the packages in the descriptor: what is added later is in none of them.
    int status =
        ToolProvider.findFirst("jar")
            .orElseThrow()
            .run(System.out, System.err, "-c", "-f", jar.toString(), "-C", classes.toString(), ".");
    assertThat(status).as("jar").isZero();
    try (FileSystem files = FileSystems.newFileSystem(jar)) {
      Path dummy = files.getPath("java/lang/Runtime.class");
      Files.createDirectories(files.getPath("java/lang"));
      Files.copy(classes.resolve(CLASS), dummy);
    }

    assertThatExceptionOfType(GuestRefusedException.class)
        .isThrownBy(() -> InProcessGuest.load(List.of(jar), "org.example.guest"))
        .withMessageContaining(CLASS + ": it may not use java.lang.Runtime");
  }
}
