package org.gatun.benchmarks.nvme;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import org.gatun.benchmarks.Runs;
import org.jspecify.annotations.Nullable;

/** The report: a page of HTML that needs nothing else, with all figures. */
final class Report {
  /** Times more in the exponent than the work: what measurements vary by. */
  private static final double TOLERANCE = 1.1;

  private final Figures figures;
  private final String machine;

  /**
   * @param machine on which they were found, for people
   */
  Report(Figures figures, String machine) {
    this.figures = figures;
    this.machine = machine;
  }

  void write(Path file) throws IOException {
    Files.writeString(file, html());
  }

  String html() {
    StringBuilder page = new StringBuilder();
    page.append(
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8"/>
        <meta name="viewport" content="width=device-width"/>
        <title>Gatun: NVMe</title>
        <style>
        %s</style>
        </head>
        <body>
        <h1>NVMe: the comparison</h1>
        <p>%s</p>
        <p>Plots show the median of the runs, and a whisker from the least to the most. Tables have
        the figure of each run. Ratios are taken run by run: their median, and their spread.</p>
        """
            .formatted(style(), Html.escaped(machine)));
    for (Chart chart : Chart.values()) {
      page.append("<section id=\"")
          .append(chart)
          .append("\">\n<h2>")
          .append(Html.escaped(chart.title()))
          .append("</h2>\n");
      page.append("<p>").append(Html.escaped(chart.text())).append("</p>\n");
      Map<String, Map<String, Runs>> series = figures.of(chart);
      if (series.isEmpty()) {
        page.append("<p class=\"missing\">Not measured: run <code>")
            .append(Html.escaped(chart.command()))
            .append("</code>.</p>\n");
      } else {
        page.append(chart.axis() == Chart.Axis.NONE ? "" : legend(series));
        page.append(Plot.of(chart, series)).append(table(chart, series));
      }
      page.append("</section>\n");
    }
    return page.append("</body>\n</html>\n").toString();
  }

  private static String legend(Map<String, Map<String, Runs>> series) {
    List<String> names = List.copyOf(series.keySet());
    StringBuilder legend = new StringBuilder("<p class=\"legend\">");
    for (int i = 0; i < names.size(); i++) {
      legend.append(
          "<svg viewBox=\"0 0 10 10\"><rect class=\"s%d\" width=\"10\" height=\"10\"/></svg>%s "
              .formatted(i, Html.escaped(names.get(i))));
    }
    return legend.append("</p>\n").toString();
  }

  private static String table(Chart chart, Map<String, Map<String, Runs>> series) {
    boolean compared = series.containsKey(chart.base());
    StringBuilder table = new StringBuilder("<table>\n<tr>");
    heading(table, chart.xLabel());
    heading(table, "");
    heading(table, (chart.unit() + ", run by run").replaceFirst("^, ", ""));
    heading(table, "median");
    heading(table, "spread");
    if (compared) {
      heading(table, "to " + chart.base());
    }
    if (isCost(chart)) {
      heading(table, "growth");
    }
    table.append("</tr>\n");
    series.values().stream()
        .flatMap(row -> row.keySet().stream())
        .distinct()
        .forEach(
            x ->
                series.forEach(
                    (name, row) -> row(table, chart, name, row, series.get(chart.base()), x)));
    return table.append("</table>\n").toString();
  }

  /** Whether it is to grow no faster than its work. */
  private static boolean isCost(Chart chart) {
    return chart == Chart.MEMORY || chart == Chart.START;
  }

  private static void heading(StringBuilder table, String text) {
    table.append("<th>").append(Html.escaped(text)).append("</th>");
  }

  private static void row(
      StringBuilder table,
      Chart chart,
      String name,
      Map<String, Runs> row,
      @Nullable Map<String, Runs> base,
      String x) {
    Runs runs = row.get(x);
    if (runs == null) {
      return;
    }
    table.append("<tr>");
    cell(table, x);
    cell(table, name);
    cell(table, runs.values().stream().map(Html::number).collect(Collectors.joining(" ")));
    cell(table, Html.number(runs.median()));
    cell(table, Html.number(runs.least()) + ".." + Html.number(runs.most()));
    if (base != null) {
      Runs under = base.get(x);
      cell(
          table,
          under == null || under.values().size() != runs.values().size()
              ? ""
              : ratio(runs.per(under)));
    }
    if (isCost(chart)) {
      cell(table, growth(List.copyOf(row.keySet()), row, x));
    }
    table.append("</tr>\n");
  }

  private static String ratio(Runs ratios) {
    return "%s (%s..%s)"
        .formatted(
            Html.number(ratios.median()), Html.number(ratios.least()), Html.number(ratios.most()));
  }

  /**
   * How many times as much as at the point before, for how many times the work, and whether that is
   * faster than the work.
   */
  private static String growth(List<String> points, Map<String, Runs> row, String x) {
    int index = points.indexOf(x);
    if (index == 0) {
      return "";
    }
    String before = points.get(index - 1);
    double work = Double.parseDouble(x) / Double.parseDouble(before);
    double growth =
        Objects.requireNonNull(row.get(x)).median()
            / Objects.requireNonNull(row.get(before)).median();
    return "%s times for %s times the work%s"
        .formatted(
            Html.number(growth),
            Html.number(work),
            Math.log(growth) > TOLERANCE * Math.log(work) ? ": FASTER" : "");
  }

  private static void cell(StringBuilder table, String text) {
    table.append("<td>").append(Html.escaped(text)).append("</td>");
  }

  private static String style() {
    try (InputStream style = Report.class.getResourceAsStream("report.css")) {
      return new String(Objects.requireNonNull(style).readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
