/** A PCI device as VFIO describes it: regions, interrupt indexes, the structures of both. */
package org.gatun.vfio.common;
