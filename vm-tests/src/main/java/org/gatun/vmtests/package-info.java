/**
 * Tests inside a virtual machine: {@link org.gatun.vmtests.VmRun} boots one, runs test classes that
 * are marked {@link org.gatun.vmtests.InVm} there, and gives their results to the outer run.
 */
@NullMarked
package org.gatun.vmtests;

import org.jspecify.annotations.NullMarked;
