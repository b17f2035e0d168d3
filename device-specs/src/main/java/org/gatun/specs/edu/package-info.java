/** QEMU's educational device, as its {@code docs/specs/edu.rst} describes it. */
package org.gatun.specs.edu;
