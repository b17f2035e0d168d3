/**
 * Virtio devices at work (Virtual I/O Device, Version 1.2), behind modern PCI, with split rings.
 */
@NullMarked
package org.gatun.simulated.virtio;

import org.jspecify.annotations.NullMarked;
