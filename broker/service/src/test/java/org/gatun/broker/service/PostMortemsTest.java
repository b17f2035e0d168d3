package org.gatun.broker.service;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.gatun.broker.service.process.GuestProcess;
import org.gatun.pci.DeviceName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class PostMortemsTest {
  private static final GuestProcess.End END =
      new GuestProcess.End(1, "it ended", List.of("its last line"));

  @TempDir private Path folder;

  @Test
  void whatAKilledBrokerWasWritingGoesWithTheRest() throws Exception {
    Path all = folder.resolve("guest");
    // As it was killed while it wrote the recording.
    Path old = Files.createDirectories(all.resolve("2020-01-01T00-00-00.000Z-1"));
    Files.writeString(old.resolve("output.txt"), "");
    Files.writeString(old.resolve("all.jfr"), "");
    for (int process = 2; process <= 10; process++) {
      Files.createDirectory(all.resolve("2020-01-01T00-00-00.000Z-" + process));
    }
    try (PostMortems kept = PostMortems.open(folder, List::of)) {
      CompletableFuture<Path> done = new CompletableFuture<>();
      kept.keep("guest", DeviceName.parse("simulated:edu"), 11, END, done::complete);
      Path newest = done.get(30, TimeUnit.SECONDS);
      assertThat(newest.resolve("output.txt")).content().endsWith("its last line\n");
      assertThat(old).doesNotExist();
      assertThat(folders(all)).hasSize(10).contains(newest);
    }
  }

  private static List<Path> folders(Path all) throws IOException {
    try (Stream<Path> folders = Files.list(all)) {
      return folders.toList();
    }
  }
}
