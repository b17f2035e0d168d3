/**
 * The simulated bus. Plug a {@link org.gatun.simulated.DeviceModel} into a {@link
 * org.gatun.simulated.SimulatedBus}, and open it: what comes out is a {@link
 * org.gatun.pci.PciDevice} like any other.
 *
 * <p>The hardware is as writable, and as dangerous, as the specifications let it be: nothing stands
 * between whoever opens a device and its registers. {@link org.gatun.simulated.SpecimenModel} has
 * all of them, and {@link org.gatun.simulated.SimulatedBus#hardware} shows what became of them.
 */
package org.gatun.simulated;
