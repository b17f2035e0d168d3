package org.gatun.benchmarks.nvme;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Runs the studies, each time in a JVM of its own, and writes the report. */
@Command(
    name = "benchmarks/nvme",
    mixinStandardHelpOptions = true,
    description = "Compares the NVMe driver with others, and writes a report.",
    sortOptions = false)
public final class NvmeComparison implements Callable<Integer> {
  private static final String SUFFIX = ".json";

  @Option(
      names = "--report",
      paramLabel = "DIR",
      required = true,
      description = "Where the report is written; figures of other commands are there.")
  private Path directory = Path.of("");

  @Option(
      names = "--runs",
      paramLabel = "N",
      defaultValue = "5",
      description = "How often each is measured: ${DEFAULT-VALUE}.")
  private int runs;

  @Option(
      names = "--spdk",
      paramLabel = "DIR",
      description = "A built SPDK, with huge pages, to compare with too.")
  private @Nullable Path spdk;

  @Parameters(
      paramLabel = "STUDY",
      description =
          "What to measure, all by default: ${COMPLETION-CANDIDATES}. Figures of the others stay.")
  private List<Study> studies = new ArrayList<>();

  private NvmeComparison() {}

  /** Exits with the status of the command. */
  public static void main(String[] args) {
    System.exit(
        new CommandLine(new NvmeComparison())
            .setCaseInsensitiveEnumValuesAllowed(true)
            .execute(args));
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    Path folder = Files.createDirectories(directory.resolve("figures"));
    if (studies.isEmpty()) {
      studies.addAll(List.of(Study.values()));
    }
    if (spdk == null) {
      studies.remove(Study.SPDK);
    }
    for (Study study : studies) {
      for (Path old : files(folder, study.name() + "-")) {
        Files.delete(old);
      }
    }
    for (int run = 1; run <= runs; run++) {
      // Forwards and backwards in turn, so that none always has the machine after the same other.
      for (Study study : run % 2 == 0 ? studies.reversed() : studies) {
        System.err.printf("run %d of %d: %s%n", run, runs, study);
        measure(study, folder.resolve("%s-%02d%s".formatted(study, run, SUFFIX)));
      }
    }
    Figures figures = new Figures();
    for (Path file : files(folder, "")) {
      figures.read(file);
    }
    figures.write(directory.resolve("figures.json"));
    Path page = directory.resolve("index.html");
    new Report(figures, Machine.describe()).write(page);
    System.out.println(page);
    return CommandLine.ExitCode.OK;
  }

  private static List<Path> files(Path folder, String prefix) throws IOException {
    try (Stream<Path> all = Files.list(folder)) {
      return all.filter(
              file -> {
                String name = String.valueOf(file.getFileName());
                return name.startsWith(prefix) && name.endsWith(SUFFIX);
              })
          .sorted()
          .toList();
    }
  }

  private void measure(Study study, Path file) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                "--enable-native-access=ALL-UNNAMED",
                "-D" + Spdk.FOLDER + "=" + spdk,
                Study.class.getName(),
                study.name(),
                file.toString())
            .inheritIO()
            .start();
    if (process.waitFor() != 0) {
      throw new IllegalStateException(study + " failed");
    }
  }
}
