/**
 * A guest's program that runs in a container: {@link org.gatun.containertests.GuestMain}. It uses
 * what any guest has: the vfio-user backend and driver libraries.
 */
@NullMarked
package org.gatun.containertests;

import org.jspecify.annotations.NullMarked;
