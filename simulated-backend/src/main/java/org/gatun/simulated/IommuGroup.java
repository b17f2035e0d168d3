package org.gatun.simulated;

/** Devices that the IOMMU can't tell apart: they have one address space. */
record IommuGroup(int number, IommuDomain domain) {}
