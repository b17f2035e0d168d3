/** A virtual machine with a real kernel, an IOMMU and emulated PCI devices: host side. */
@NullMarked
package org.gatun.vmtests.machine;

import org.jspecify.annotations.NullMarked;
