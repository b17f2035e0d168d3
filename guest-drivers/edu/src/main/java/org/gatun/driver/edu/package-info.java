/**
 * A driver for QEMU's educational device ({@code -device edu}), which computes factorials and moves
 * a few bytes by DMA: all that there is to a PCI device, and nothing else.
 */
package org.gatun.driver.edu;
