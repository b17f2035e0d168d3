package org.gatun.benchmarks.nvme;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gatun.benchmarks.Runs;

/** Figures in the order in which they were found: a file of JSON, and the runs of a chart. */
final class Figures {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  private final List<Figure> all = new ArrayList<>();

  void add(Chart chart, String series, Object x, Number value) {
    all.add(new Figure(chart.name(), series, x.toString(), value.doubleValue()));
  }

  /**
   * Adds those of a file.
   *
   * @throws IOException if it can't be read, or is no list of figures
   */
  void read(Path file) throws IOException {
    all.addAll(JSON.readValue(file.toFile(), new TypeReference<List<Figure>>() {}));
  }

  void write(Path file) throws IOException {
    JSON.writeValue(file.toFile(), all);
  }

  /** By series, then by point; each in the order in which it came first. */
  Map<String, Map<String, Runs>> of(Chart chart) {
    Map<String, Map<String, List<Double>>> values = new LinkedHashMap<>();
    for (Figure figure : all) {
      if (figure.chart().equals(chart.name())) {
        values
            .computeIfAbsent(figure.series(), _ -> new LinkedHashMap<>())
            .computeIfAbsent(figure.x(), _ -> new ArrayList<>())
            .add(figure.value());
      }
    }
    Map<String, Map<String, Runs>> runs = new LinkedHashMap<>();
    values.forEach(
        (series, points) -> {
          Map<String, Runs> row = new LinkedHashMap<>();
          points.forEach((x, found) -> row.put(x, new Runs(found)));
          runs.put(series, row);
        });
    return runs;
  }
}
