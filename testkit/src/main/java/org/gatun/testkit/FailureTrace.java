package org.gatun.testkit;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.gatun.simulated.trace.TraceSnapshot;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Where the accesses before a test's failure are told: on standard error and in files.
 *
 * @param test its name, for people
 * @param fileName without a suffix
 */
record FailureTrace(String test, String fileName) {
  /** The system property with the folder. */
  static final String FOLDER = "gatun.test.traces";

  private static final String DEFAULT_FOLDER = "target/traces";

  /** More are in the files. */
  private static final int SHOWN = 40;

  static FailureTrace of(ExtensionContext test) {
    String name =
        test.getRequiredTestClass().getName()
            + test.getTestMethod().map(method -> "." + method.getName()).orElse("");
    // Several runs of a method, with parameters or repeated, have several ids.
    String id = "%08x".formatted(test.getUniqueId().hashCode());
    return new FailureTrace(
        name + " " + test.getDisplayName(), name.replaceAll("[^\\w.$-]", "_") + "-" + id);
  }

  void tell(TraceSnapshot trace) {
    if (trace.records().isEmpty()) {
      return;
    }
    StringBuilder text = new StringBuilder();
    text.append("The last accesses before the failure of ").append(test).append(":\n");
    text.append(trace.last(SHOWN).text());
    try {
      Path folder = Files.createDirectories(Path.of(System.getProperty(FOLDER, DEFAULT_FOLDER)));
      Path all = folder.resolve(fileName + ".txt");
      Files.writeString(all, trace.text());
      Files.writeString(folder.resolve(fileName + ".json"), trace.chromeJson());
      text.append("More in ").append(all.toAbsolutePath()).append(", and beside it for Perfetto\n");
    } catch (IOException e) {
      text.append("No more was kept: ").append(e).append('\n');
    }
    System.err.print(text);
  }
}
