/** Hostile guests and hostile devices: what they do is chosen at random, or by a fuzzer. */
@NullMarked
package org.gatun.broker.fuzz;

import org.jspecify.annotations.NullMarked;
