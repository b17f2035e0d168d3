/**
 * The 16550 UART, as a PCI function has it: eight registers of a byte each (National Semiconductor,
 * PC16550D, 8.0 Registers).
 */
package org.gatun.specs.serial;
