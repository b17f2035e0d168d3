/**
 * The NVMe comparison that {@code benchmarks/nvme} runs: the driver against a polling loop in C and
 * against other programs, on the same device, and its report.
 */
@NullMarked
package org.gatun.benchmarks.nvme;

import org.jspecify.annotations.NullMarked;
