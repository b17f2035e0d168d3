/**
 * Virtio devices behind modern PCI, with split rings (Virtual I/O Device, Version 1.2): constants
 * and layouts. All of it is little-endian.
 */
package org.gatun.specs.virtio;
