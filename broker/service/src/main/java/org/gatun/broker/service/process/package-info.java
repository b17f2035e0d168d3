/** The processes of guests that the broker runs. */
@NullMarked
package org.gatun.broker.service.process;

import org.jspecify.annotations.NullMarked;
