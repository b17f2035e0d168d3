package org.gatun.vmtests;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.gatun.vmtests.inside.Inside;

/**
 * Figures that were found in the machine, for the report of {@code benchmarks/nvme}, as it reads
 * them: a list of objects in JSON, in the order of the runs.
 */
final class NvmeFigures {
  /** The system property with the folder, outside, where they are kept; without it they are not. */
  static final String FOLDER = "gatun.figures";

  /** The report's chart of what layers cost through VFIO. */
  static final String LAYERS = "LAYERS_VM";

  /** The report's chart of fio and the driver. */
  static final String FIO = "FIO";

  private static final String FILE = "figures.json";

  private final List<String> all = new ArrayList<>();

  /**
   * @param series what was measured, without quotes
   * @param depth commands in flight
   * @param rate reads a second
   */
  void add(String chart, String series, int depth, double rate) {
    all.add(
        String.format(
            Locale.ROOT,
            "{\"chart\": \"%s\", \"series\": \"%s\", \"x\": \"%d\", \"value\": %.1f}",
            chart,
            series,
            depth,
            rate));
  }

  /** Inside, at the end. */
  void write() throws IOException {
    Files.writeString(Inside.share().resolve(FILE), "[\n" + String.join(",\n", all) + "\n]\n");
  }

  /** Outside, before: those of an earlier run are none of this one. */
  static void forget(VmRun run) throws IOException {
    Files.deleteIfExists(run.share().resolve(FILE));
  }

  /**
   * Outside, after the run.
   *
   * @param name of the file in the {@link #FOLDER}, without its suffix
   */
  static void keep(VmRun run, String name) throws IOException {
    Path found = run.share().resolve(FILE);
    String folder = System.getProperty(FOLDER);
    if (folder != null && Files.exists(found)) {
      Path kept = Files.createDirectories(Path.of(folder)).resolve(name + ".json");
      Files.copy(found, kept, StandardCopyOption.REPLACE_EXISTING);
    }
  }
}
