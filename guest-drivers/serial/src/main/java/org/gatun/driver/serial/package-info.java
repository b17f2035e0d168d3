/**
 * A driver for serial ports that are 16550s behind an I/O BAR, such as QEMU's {@code pci-serial}.
 */
package org.gatun.driver.serial;
