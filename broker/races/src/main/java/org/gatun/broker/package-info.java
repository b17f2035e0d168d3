/**
 * Races of two, each with outcomes that may be and outcomes that may not, for jcstress. In the
 * broker's package, for the sake of {@link org.gatun.broker.Gate}.
 */
@NullMarked
package org.gatun.broker;

import org.jspecify.annotations.NullMarked;
