package org.gatun.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What a run of the command gave, as it is shipped: in a process of its own, on the module path,
 * with native access for {@code org.gatun.nativeaccess} alone.
 */
record ModulePathRun(int status, String out, String err) {
  /** The modules that are shipped. */
  static final Path MODULES = Path.of(System.getProperty("basedir", ""), "target/modules");

  static ProcessBuilder command(List<String> options, String... args) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin/java").toString());
    command.addAll(options);
    command.add("--enable-native-access=org.gatun.nativeaccess,com.sun.jna");
    command.add("--illegal-native-access=deny");
    command.addAll(
        List.of("--module-path", MODULES.toString(), "--add-modules", "ALL-MODULE-PATH"));
    command.addAll(List.of("--module", "org.gatun.cli/org.gatun.cli.Gatun"));
    command.addAll(List.of(args));
    return new ProcessBuilder(command);
  }

  static ModulePathRun of(List<String> options, String... args)
      throws IOException, InterruptedException {
    return of(command(options, args));
  }

  static ModulePathRun of(ProcessBuilder command) throws IOException, InterruptedException {
    Process process = command.start();
    process.getOutputStream().close();
    // Both are short: neither fills its pipe while the other is read.
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
    return new ModulePathRun(process.waitFor(), out, err);
  }
}
