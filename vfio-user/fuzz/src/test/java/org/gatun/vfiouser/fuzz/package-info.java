/** Both ends of the wire: what the other end sends is chosen by a fuzzer. */
@NullMarked
package org.gatun.vfiouser.fuzz;

import org.jspecify.annotations.NullMarked;
