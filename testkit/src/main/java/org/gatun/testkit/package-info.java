/**
 * Two things for two kinds of authors.
 *
 * <p>Authors of drivers: {@link org.gatun.testkit.SimulatedPci} gives a test a simulated bus and
 * {@link org.gatun.testkit.Device devices} on it, and fails the test if the driver did not give
 * back what it took.
 *
 * <p>Authors of backends, or of anything else that produces a {@link org.gatun.pci.PciDevice}:
 * {@link org.gatun.testkit.PciDeviceContract} is what every device passes, {@link
 * org.gatun.testkit.EduDeviceContract} what can only be shown with a device that interrupts and
 * does DMA on demand. Extend them, in a test of yours.
 */
package org.gatun.testkit;
