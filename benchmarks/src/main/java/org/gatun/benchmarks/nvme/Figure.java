package org.gatun.benchmarks.nvme;

/**
 * What one run found. Figures that differ in nothing but the value are of several runs, in their
 * order.
 *
 * @param chart that it is for: the name of a {@link Chart}
 * @param series what was measured
 * @param x at which point of the chart's axis
 * @param value in the chart's unit
 */
record Figure(String chart, String series, String x, double value) {}
