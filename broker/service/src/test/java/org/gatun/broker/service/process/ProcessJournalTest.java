package org.gatun.broker.service.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class ProcessJournalTest {
  private static final Logger LOGGER = Logger.getLogger(ProcessJournal.class.getName());

  private final List<String> said = new ArrayList<>();
  private final Handler handler =
      new Handler() {
        @Override
        public void publish(LogRecord entry) {
          said.add(entry.getMessage());
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
      };

  private Process left;

  @TempDir private Path folder;

  @BeforeEach
  void start() throws IOException {
    LOGGER.addHandler(handler);
    left = new ProcessBuilder("sleep", "1000").start();
  }

  @AfterEach
  void end() {
    LOGGER.removeHandler(handler);
    left.destroyForcibly();
  }

  @Test
  void whatIsLeftIsEndedByTheNext() throws Exception {
    Path file = folder.resolve("processes");
    ProcessJournal.open(file).add(left.pid());
    assertThat(file).content().startsWith(left.pid() + " ");
    ProcessJournal.open(file);
    assertThat(left.waitFor(1, TimeUnit.SECONDS)).isTrue();
    assertThat(file).isEmptyFile();
    assertThat(folder).isDirectoryNotContaining("glob:**.new");
    assertThat(said).hasSize(1);
  }

  @Test
  void thatAProcessIsEndedIsSaidOnceHoweverLongItTakes() throws Exception {
    AtomicInteger looks = new AtomicInteger();
    ProcessJournal.end(left.pid(), () -> looks.incrementAndGet() < 5);
    assertThat(left.waitFor(1, TimeUnit.SECONDS)).isTrue();
    assertThat(said).hasSize(1);
  }

  @Test
  void ofAProcessThatIsGoneNothingIsSaid() throws Exception {
    ProcessJournal.end(left.pid(), () -> false);
    assertThat(left.isAlive()).isTrue();
    assertThat(said).isEmpty();
  }
}
