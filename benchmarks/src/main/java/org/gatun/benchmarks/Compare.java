package org.gatun.benchmarks;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.BenchmarkList;
import org.openjdk.jmh.runner.BenchmarkListEntry;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.format.OutputFormat;
import org.openjdk.jmh.runner.format.OutputFormatFactory;
import org.openjdk.jmh.runner.options.Options;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/**
 * Runs benchmarks in five interleaved runs, each in a JVM of its own, and prints all figures, the
 * median, the ratios to the ones whose names end in C and in VarHandle, and the rate as a part of
 * that of the one whose name ends in Bare. On a noisy machine, ratios within one run are what
 * counts: the ratio is taken run by run, and then its median.
 */
public final class Compare {
  private static final int DEFAULT_RUNS = 5;

  private Compare() {}

  /**
   * {@code Compare [REGEX [RUNS]]}.
   *
   * @throws RunnerException if JMH can't run them
   */
  public static void main(String[] args) throws RunnerException {
    String regex = args.length == 0 ? "org.gatun.benchmarks" : args[0];
    int runs = args.length < 2 ? DEFAULT_RUNS : Integer.parseInt(args[1]);
    List<String> names = names(regex);
    Map<String, List<Double>> scores = new LinkedHashMap<>();
    names.forEach(name -> scores.put(name, new ArrayList<>()));
    for (int run = 1; run <= runs; run++) {
      System.err.printf("run %d of %d%n", run, runs);
      // Forwards and backwards in turn, so that none always has the machine after the same other.
      for (String name : run % 2 == 0 ? names.reversed() : names) {
        RunResult result = new Runner(options("^" + Pattern.quote(name) + "$")).runSingle();
        Objects.requireNonNull(scores.get(name)).add(result.getPrimaryResult().getScore());
      }
    }
    print(scores);
  }

  private static List<String> names(String regex) {
    OutputFormat silent = OutputFormatFactory.createFormatInstance(System.out, VerboseMode.SILENT);
    return BenchmarkList.defaultList().find(silent, List.of(regex), List.of()).stream()
        .map(BenchmarkListEntry::getUsername)
        .toList();
  }

  private static Options options(String regex) {
    return new OptionsBuilder()
        .include(regex)
        .forks(1)
        .warmupIterations(3)
        .warmupTime(TimeValue.milliseconds(500))
        .measurementIterations(3)
        .measurementTime(TimeValue.milliseconds(500))
        .jvmArgs("--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow")
        .verbosity(VerboseMode.SILENT)
        .build();
  }

  private static void print(Map<String, List<Double>> scores) {
    Map<String, List<String>> groups =
        scores.keySet().stream()
            .collect(
                Collectors.groupingBy(Compare::group, LinkedHashMap::new, Collectors.toList()));
    System.out.printf(
        "%-30s %-38s %9s   %-19s %-19s %-19s%n",
        "BENCHMARK",
        "ns, run by run",
        "MEDIAN",
        "TO C (spread)",
        "TO VARHANDLE (spread)",
        "RATE TO BARE (spread)");
    groups.forEach((group, names) -> printGroup(scores, names));
  }

  private static void printGroup(Map<String, List<Double>> scores, Collection<String> names) {
    for (String name : names) {
      List<Double> own = Objects.requireNonNull(scores.get(name));
      System.out.printf(
          "%-30s %-38s %9.2f   %-19s %-19s %-19s%n",
          name.substring(name.lastIndexOf('.', name.lastIndexOf('.') - 1) + 1),
          own.stream().map("%.2f"::formatted).collect(Collectors.joining(" ")),
          new Runs(own).median(),
          timesOf(own, scores, names, "C"),
          timesOf(own, scores, names, "VarHandle"),
          rateOf(own, scores, names, "Bare"));
    }
  }

  /** How many times as long as the one of the group whose name ends so. */
  private static String timesOf(
      List<Double> own, Map<String, List<Double>> scores, Collection<String> names, String end) {
    return base(scores, names, end).map(base -> ratios(own, base)).orElse("-");
  }

  /** How much is done in the same time, as a part of what that one does. */
  private static String rateOf(
      List<Double> own, Map<String, List<Double>> scores, Collection<String> names, String end) {
    return base(scores, names, end).map(base -> ratios(base, own)).orElse("-");
  }

  private static Optional<List<Double>> base(
      Map<String, List<Double>> scores, Collection<String> names, String end) {
    return names.stream().filter(name -> name.endsWith(end)).findFirst().map(scores::get);
  }

  /** Taken run by run: the median, the least, the most. */
  private static String ratios(List<Double> over, List<Double> under) {
    Runs ratios = new Runs(over).per(new Runs(under));
    return "%.2f (%.2f..%.2f)".formatted(ratios.median(), ratios.least(), ratios.most());
  }

  /** The class and the first word of the method: {@code RegisterAccess.store}. */
  private static String group(String benchmark) {
    int method = benchmark.lastIndexOf('.') + 1;
    int end = method;
    while (end < benchmark.length() && !Character.isUpperCase(benchmark.charAt(end))) {
      end++;
    }
    return benchmark.substring(0, end);
  }
}
