/** What runs inside the virtual machine, and what tests use there. */
@NullMarked
package org.gatun.vmtests.inside;

import org.jspecify.annotations.NullMarked;
