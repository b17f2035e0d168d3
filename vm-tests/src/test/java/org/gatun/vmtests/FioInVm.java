package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.gatun.driver.nvme.Completion;
import org.gatun.vmtests.VfioDevices.Taken;
import org.gatun.vmtests.inside.Command;
import org.gatun.vmtests.inside.Inside;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Reads of 4 KiB at random: by fio, one job, on Linux's driver, and by ours through VFIO, on the
 * same disk by turns: for {@link FioTest}. A benchmark: what comes of it is printed, and no figure
 * is demanded.
 */
@InVm
class FioInVm {
  static final String READS = "gatun.reads";
  static final String RUNS = "gatun.runs";
  static final List<Integer> DEPTHS = List.of(1, 8, 32);

  private static final List<String> ENGINES = List.of("io_uring", "libaio");
  private static final int IO_SIZE = 4096;
  private static final Duration LIMIT = Duration.ofHours(1);

  /** How a result in fio's terse output begins: with its version. */
  private static final String RESULT = "3;";

  /** Where in a result the job's error is, and the reads a second. */
  private static final int ERROR = 4;

  private static final int IOPS = 7;

  @RegisterExtension final VfioDevices devices = new VfioDevices();

  private final long reads = Long.parseLong(Inside.property(READS));
  private final NvmeFigures figures = new NvmeFigures();

  /** By depth, then by who reads: run by run. */
  private final Map<Integer, Map<String, List<Double>>> rates = new LinkedHashMap<>();

  @Test
  void readsBesideFio() throws Exception {
    Taken disk = devices.device("disk", "nvme");
    int runs = Integer.parseInt(Inside.property(RUNS));
    for (int run = 0; run < runs; run++) {
      // Forwards and backwards in turn, so that none always has the disk after the other.
      if (run % 2 == 0) {
        linux(disk);
        driver(disk);
      } else {
        driver(disk);
        linux(disk);
      }
    }
    figures.write();
    rates.forEach(
        (depth, series) -> {
          List<Double> base = Objects.requireNonNull(series.get(ENGINES.getFirst()));
          series.forEach(
              (name, own) ->
                  System.out.printf(
                      "%d in flight, %s: reads a second %s; to %s %s%n",
                      depth, name, own, ENGINES.getFirst(), ratios(own, base)));
        });
    assertThat(rates).containsOnlyKeys(DEPTHS);
    assertThat(rates.values())
        .allSatisfy(
            series ->
                assertThat(series)
                    .hasSize(ENGINES.size() + Completion.values().length)
                    .allSatisfy((name, own) -> assertThat(own).hasSize(runs)));
  }

  private void linux(Taken disk) throws IOException, InterruptedException {
    String path = disk.blockDevice().toString();
    for (int depth : DEPTHS) {
      for (String engine : ENGINES) {
        found(depth, engine, fio(path, engine, depth));
      }
    }
  }

  private double fio(String disk, String engine, int depth)
      throws IOException, InterruptedException {
    String output =
        Command.run(
                LIMIT,
                "fio",
                "--name=reads",
                "--filename=" + disk,
                "--readonly",
                "--rw=randread",
                "--norandommap",
                "--bs=" + IO_SIZE,
                "--direct=1",
                "--ioengine=" + engine,
                "--iodepth=" + depth,
                "--numjobs=1",
                "--thread",
                "--io_size=" + reads * IO_SIZE,
                "--output-format=terse",
                "--terse-version=3")
            .expectSuccess();
    String[] fields =
        output
            .lines()
            .filter(line -> line.startsWith(RESULT))
            .findFirst()
            .orElse(output)
            .split(";", -1);
    assertThat(fields).as("fio's output '%s'", output).hasSizeGreaterThan(IOPS);
    assertThat(fields[ERROR]).as("error of fio: %s", output).isEqualTo("0");
    return Double.parseDouble(fields[IOPS]);
  }

  private void driver(Taken disk) throws IOException, InterruptedException {
    disk.bind();
    for (int depth : DEPTHS) {
      for (Completion completion : Completion.values()) {
        String series = "driver, " + completion.name().toLowerCase(Locale.ROOT);
        found(depth, series, InProcessLoad.run(disk.name(), reads, depth, completion));
      }
    }
    disk.giveBack();
  }

  private void found(int depth, String series, double rate) {
    System.out.printf("%d in flight, %s: %.0f reads a second%n", depth, series, rate);
    figures.add(NvmeFigures.FIO, series, depth, rate);
    rates
        .computeIfAbsent(depth, _ -> new LinkedHashMap<>())
        .computeIfAbsent(series, _ -> new ArrayList<>())
        .add(rate);
  }

  /** Run by run. */
  private static List<String> ratios(List<Double> own, List<Double> base) {
    List<String> ratios = new ArrayList<>();
    for (int run = 0; run < own.size(); run++) {
      ratios.add(String.format(Locale.ROOT, "%.3f", own.get(run) / base.get(run)));
    }
    return ratios;
  }
}
