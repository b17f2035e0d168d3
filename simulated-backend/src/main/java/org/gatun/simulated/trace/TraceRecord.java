package org.gatun.simulated.trace;

import org.gatun.pci.DeviceName;

/**
 * An access in a trace.
 *
 * @param number from 0, in the order in which accesses were seen
 * @param nanos when, by the clock of the trace
 * @param threadId of the thread that made it: of a device's own doing, the thread that the device
 *     ran on
 * @param thread its name
 */
public record TraceRecord(
    long number, long nanos, long threadId, String thread, DeviceName device, Access access) {}
