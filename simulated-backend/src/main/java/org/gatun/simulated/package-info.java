/**
 * The simulated bus. Plug a {@link org.gatun.simulated.DeviceModel} into a {@link
 * org.gatun.simulated.SimulatedBus}, and open it: what comes out is a {@link
 * org.gatun.pci.PciDevice} like any other.
 */
package org.gatun.simulated;
