/**
 * The contract: a {@link org.gatun.pci.PciDevice} is what a backend produces, the broker narrows,
 * the wire carries and a driver consumes.
 */
package org.gatun.pci;
