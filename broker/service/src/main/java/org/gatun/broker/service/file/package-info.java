/** How the broker writes what it has to find again. */
@NullMarked
package org.gatun.broker.service.file;

import org.jspecify.annotations.NullMarked;
