/**
 * Drivers for virtio devices behind modern PCI, with split rings (Virtual I/O Device, Version 1.2):
 * {@link org.gatun.driver.virtio.VirtioDisk}, {@link org.gatun.driver.virtio.VirtioNetworkCard},
 * {@link org.gatun.driver.virtio.VirtioEntropy}.
 */
package org.gatun.driver.virtio;
