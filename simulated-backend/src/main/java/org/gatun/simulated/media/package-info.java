/** Where simulated disks keep their blocks. */
@NullMarked
package org.gatun.simulated.media;

import org.jspecify.annotations.NullMarked;
