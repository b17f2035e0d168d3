package org.gatun.benchmarks;

import java.util.List;
import java.util.stream.IntStream;

/**
 * What several runs of the same found, in the order of the runs.
 *
 * @param values at least one
 */
public record Runs(List<Double> values) {
  /**
   * @throws IllegalArgumentException if there is none
   */
  public Runs {
    if (values.isEmpty()) {
      throw new IllegalArgumentException("no runs");
    }
    values = List.copyOf(values);
  }

  /** The middle one, or between the two in the middle. */
  public double median() {
    List<Double> sorted = values.stream().sorted().toList();
    int middle = sorted.size() / 2;
    return sorted.size() % 2 == 1
        ? sorted.get(middle)
        : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
  }

  /** The least of them. */
  public double least() {
    return values.stream().min(Double::compare).orElseThrow();
  }

  /** The most of them. */
  public double most() {
    return values.stream().max(Double::compare).orElseThrow();
  }

  /** Each as a part of what the same run found for something else. */
  public Runs per(Runs other) {
    if (other.values.size() != values.size()) {
      throw new IllegalArgumentException(
          "%d runs and %d can't be compared one by one"
              .formatted(values.size(), other.values.size()));
    }
    return new Runs(
        IntStream.range(0, values.size())
            .mapToObj(run -> values.get(run) / other.values.get(run))
            .toList());
  }
}
