/**
 * The PCI devices of this machine as the kernel's file systems tell of them, and the binding of
 * drivers. Plain files: no native access, and nothing but binding needs privileges.
 */
package org.gatun.vfio.sysfs;
