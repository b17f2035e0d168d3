package org.gatun.pci;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The interpreter and each compiler make accesses in their own way: one has been seen to split
 * them, another to hoist them out of loops. So {@link MmioProgram} runs under each.
 */
class MmioCompilersTest {
  @ParameterizedTest
  @ValueSource(
      strings = {"-Xint", "-XX:TieredStopAtLevel=1", "-XX:-TieredCompilation", "-Xshare:auto"})
  void accessesAreWhole(String mode) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add(mode);
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(MmioProgram.class.getName());
    command.add(mode.equals("-Xint") ? "100000" : "5000000");
    Process program = new ProcessBuilder(command).redirectErrorStream(true).start();
    // The program has time limits of its own: this one is for a JVM that hangs.
    Thread watchdog =
        Thread.ofVirtual()
            .start(
                () -> {
                  try {
                    if (!program.waitFor(120, TimeUnit.SECONDS)) {
                      program.destroyForcibly();
                    }
                  } catch (InterruptedException _) {
                    program.destroyForcibly();
                  }
                });

    String output = new String(program.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    watchdog.join();

    assertThat(output).endsWith("whole\n");
    assertThat(program.exitValue()).isZero();
  }
}
