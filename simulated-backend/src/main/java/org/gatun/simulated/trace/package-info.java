/**
 * What a driver and its device do, watched: a {@link org.gatun.simulated.trace.Trace} keeps the
 * last accesses, for people; a {@link org.gatun.simulated.trace.Recorder} writes all of a session
 * down, DMA too, and a {@link org.gatun.simulated.trace.ReplayedDevice} plays it again to a driver.
 *
 * <p>It works on any {@link org.gatun.pci.PciDevice}, real or simulated, by wrapping it: a device
 * that is not wrapped costs nothing.
 */
package org.gatun.simulated.trace;
