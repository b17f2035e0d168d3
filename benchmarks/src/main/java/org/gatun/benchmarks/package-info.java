/** JMH benchmarks, each with the same work in C, and the comparison that prints them as ratios. */
@NullMarked
package org.gatun.benchmarks;

import org.jspecify.annotations.NullMarked;
