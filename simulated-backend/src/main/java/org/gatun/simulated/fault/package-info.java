/**
 * Faults: what goes wrong with a simulated device, as data, and switched while it runs. See {@link
 * org.gatun.simulated.fault.Faults}.
 */
@NullMarked
package org.gatun.simulated.fault;

import org.jspecify.annotations.NullMarked;
