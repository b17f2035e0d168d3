package org.gatun.broker.service.process;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ProcFilesTest {
  @Test
  void thereIsNothingOfAProcessThatHasEnded() throws Exception {
    Process ended = new ProcessBuilder("true").start();
    assertThat(ended.waitFor()).isZero();
    ProcFiles files = new ProcFiles(ended.pid());

    assertThat(files.startTime()).isEmpty();
    assertThat(files.threads()).isEmpty();
    assertThat(files.usage()).isEmpty();
  }

  /** At each moment of its end. */
  @Test
  void aProcessMayEndWhileItIsLookedAt() throws Exception {
    for (int i = 0; i < 200; i++) {
      Process process = new ProcessBuilder("cat").start();
      ProcFiles files = new ProcFiles(process.pid());
      process.destroyForcibly();
      while (files.startTime().isPresent()) {
        files.threads();
        files.usage();
      }
      assertThat(files.threads()).isEmpty();
    }
  }

  @Test
  void aProcessThatRunsHasItsThreads() throws Exception {
    ProcFiles own = new ProcFiles(ProcessHandle.current().pid());
    assertThat(own.threads()).containsKey(ProcessHandle.current().pid()).hasSizeGreaterThan(1);
    assertThat(own.startTime()).isPresent();
  }
}
