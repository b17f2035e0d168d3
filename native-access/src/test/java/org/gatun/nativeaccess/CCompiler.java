package org.gatun.nativeaccess;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Asks the system's C compiler for the values of C expressions. */
final class CCompiler {
  private CCompiler() {}

  /**
   * Compiles and runs a program that prints the expressions.
   *
   * @return the values by expression; skips the test if there is no compiler
   */
  static Map<String, String> evaluate(
      Path directory, List<String> headers, String format, List<String> expressions)
      throws IOException, InterruptedException {
    StringBuilder source = new StringBuilder("#define _GNU_SOURCE\n");
    headers.forEach(header -> source.append("#include <").append(header).append(">\n"));
    source.append("#include <stdio.h>\n#include <stddef.h>\nint main(void) {\n");
    expressions.forEach(
        e ->
            source.append("  printf(\"").append(format).append("\\n\", ").append(e).append(");\n"));
    source.append("}\n");
    Path file = Files.writeString(directory.resolve("values.c"), source);
    Path program = directory.resolve("values");
    try {
      run(List.of("gcc", "-o", program.toString(), file.toString()));
    } catch (IOException e) {
      abort("no C compiler: apt-get install gcc libc6-dev linux-libc-dev (" + e.getMessage() + ")");
    }
    List<String> lines = run(List.of(program.toString())).lines().toList();
    assertThat(lines).hasSameSizeAs(expressions);
    Map<String, String> values = new LinkedHashMap<>();
    for (int i = 0; i < lines.size(); i++) {
      values.put(expressions.get(i), lines.get(i));
    }
    return values;
  }

  private static String run(List<String> command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
    return output;
  }
}
