package org.gatun.benchmarks.nvme;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Formatter;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;
import org.gatun.benchmarks.Runs;

/**
 * A plot in SVG: the medians of the runs, with a whisker from the least to the most. Its colours
 * are the page's: classes {@code s0} and following for the series, {@code grid} for lines.
 */
final class Plot {
  private static final int WIDTH = 720;
  private static final int HEIGHT = 300;
  private static final int LEFT = 64;
  private static final int RIGHT = 700;
  private static final int TOP = 16;
  private static final int BOTTOM = 250;

  /** Of a group's width: what its bars take. */
  private static final double BARS = 0.7;

  private static final int WHISKER = 3;
  private static final int TICKS = 5;

  private final Chart chart;
  private final Map<String, Map<String, Runs>> series;
  private final List<String> points;
  private final Formatter svg = new Formatter(Locale.ROOT);
  private final boolean logarithmic;
  private double low;
  private double high;

  private Plot(Chart chart, Map<String, Map<String, Runs>> series) {
    this.chart = chart;
    this.series = series;
    this.points =
        series.values().stream()
            .flatMap(row -> row.keySet().stream())
            .distinct()
            .filter(x -> chart.axis() != Chart.Axis.PERCENTILES || !x.equals(Study.MAX))
            .toList();
    this.logarithmic = chart.axis() != Chart.Axis.GROUPS;
  }

  /** The plot of a chart; without an axis there is none, and it is empty. */
  static String of(Chart chart, Map<String, Map<String, Runs>> series) {
    return chart.axis() == Chart.Axis.NONE ? "" : new Plot(chart, series).draw();
  }

  private String draw() {
    List<Runs> all =
        series.values().stream().flatMap(row -> points.stream().flatMap(x -> at(row, x))).toList();
    double least = all.stream().mapToDouble(Runs::least).min().orElseThrow();
    high = all.stream().mapToDouble(Runs::most).max().orElseThrow();
    low = logarithmic ? Math.pow(10, Math.floor(Math.log10(least))) : 0;
    high = logarithmic ? Math.pow(10, Math.ceil(Math.log10(high))) : high;
    if (high <= low) {
      high = low + 1;
    }
    svg.format(
        "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">%n",
        WIDTH, HEIGHT, Html.escaped(chart.title()));
    ticks().forEach(this::drawTick);
    for (String x : points) {
      text(x(x), BOTTOM + 18, "middle", x);
    }
    text((LEFT + RIGHT) / 2.0, BOTTOM + 40, "middle", chart.xLabel());
    text(LEFT, TOP - 4, "end", chart.unit());
    int index = 0;
    for (Map.Entry<String, Map<String, Runs>> row : series.entrySet()) {
      if (chart.axis() == Chart.Axis.GROUPS) {
        drawBars(index, row.getKey(), row.getValue());
      } else {
        drawLine(index, row.getKey(), row.getValue());
      }
      index++;
    }
    return svg.format("</svg>%n").toString();
  }

  private void drawTick(double value) {
    double y = y(value);
    svg.format(
        "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>%n", LEFT, RIGHT, y, y);
    text(LEFT - 6, y + 4, "end", Html.number(value));
  }

  private void drawBars(int index, String name, Map<String, Runs> row) {
    double group = (double) (RIGHT - LEFT) / points.size();
    double bar = group * BARS / series.size();
    for (String x : points) {
      at(row, x)
          .forEach(
              runs -> {
                double left = x(x) - group * BARS / 2 + index * bar;
                double top = y(runs.median());
                svg.format(
                    "<rect class=\"s%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\""
                        + " height=\"%.1f\">%s</rect>%n",
                    index, left + 1, top, bar - 2, BOTTOM - top, title(name, x, runs));
                drawWhisker("mark", left + bar / 2, runs);
              });
    }
  }

  private void drawLine(int index, String name, Map<String, Runs> row) {
    List<String> corners = new ArrayList<>();
    for (String x : points) {
      at(row, x)
          .forEach(
              runs -> {
                double left = x(x);
                double top = y(runs.median());
                corners.add(String.format(Locale.ROOT, "%.1f,%.1f", left, top));
                drawWhisker("l" + index, left, runs);
                svg.format(
                    "<circle class=\"s%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\">%s</circle>%n",
                    index, left, top, title(name, x, runs));
              });
    }
    svg.format("<polyline class=\"line l%d\" points=\"%s\"/>%n", index, String.join(" ", corners));
  }

  private void drawWhisker(String style, double x, Runs runs) {
    double top = y(runs.most());
    double bottom = y(runs.least());
    svg.format(
        "<path class=\"%s\" d=\"M%.1f %.1fh%dM%.1f %.1fV%.1fM%.1f %.1fh%d\"/>%n",
        style, x - WHISKER, top, 2 * WHISKER, x, top, bottom, x - WHISKER, bottom, 2 * WHISKER);
  }

  private String title(String name, String x, Runs runs) {
    return "<title>%s, %s %s: %s %s (%s..%s)</title>"
        .formatted(
            Html.escaped(name),
            Html.escaped(x),
            Html.escaped(chart.xLabel()),
            Html.number(runs.median()),
            Html.escaped(chart.unit()),
            Html.number(runs.least()),
            Html.number(runs.most()));
  }

  private void text(double x, double y, String anchor, String text) {
    svg.format(
        "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>%n",
        x, y, anchor, Html.escaped(text));
  }

  private Collection<Double> ticks() {
    List<Double> ticks = new ArrayList<>();
    if (logarithmic) {
      for (double tick = low; tick <= high * 1.001; tick *= 10) {
        ticks.add(tick);
      }
    } else {
      double step = Math.pow(10, Math.floor(Math.log10(high / TICKS)));
      double rounded =
          Stream.of(1, 2, 5, 10)
              .mapToDouble(factor -> factor * step)
              .filter(s -> high / s <= TICKS)
              .findFirst()
              .orElseThrow();
      for (double tick = 0; tick <= high; tick += rounded) {
        ticks.add(tick);
      }
    }
    return ticks;
  }

  private double x(String point) {
    return switch (chart.axis()) {
      case GROUPS, NONE -> LEFT + (points.indexOf(point) + 0.5) * (RIGHT - LEFT) / points.size();
      case POWERS -> between(point, x -> Math.log(Double.parseDouble(x)));
      case PERCENTILES -> between(point, x -> -Math.log(1 - Double.parseDouble(x) / 100));
    };
  }

  private double between(String point, ToDoubleFunction<String> scale) {
    double first = points.stream().mapToDouble(scale).min().orElseThrow();
    double last = points.stream().mapToDouble(scale).max().orElseThrow();
    double margin = 24;
    double part = last > first ? (scale.applyAsDouble(point) - first) / (last - first) : 0.5;
    return LEFT + margin + part * (RIGHT - LEFT - 2 * margin);
  }

  private double y(double value) {
    double part =
        logarithmic
            ? Math.log(Math.max(value, low) / low) / Math.log(high / low)
            : (value - low) / (high - low);
    return BOTTOM - part * (BOTTOM - TOP);
  }

  private static Stream<Runs> at(Map<String, Runs> row, String x) {
    return Stream.ofNullable(row.get(x));
  }
}
