package org.gatun.pci.spi;

/**
 * Why a device can't be handed to somebody who is not trusted as the kernel is, or not be had back.
 * A broker refuses to grant a device that has one, unless the grant accepts it by its name.
 */
public enum Hazard {
  /** No IOMMU confines its DMA: who drives it reads and writes all memory. */
  UNPROTECTED_DMA("unprotected-dma", "no IOMMU confines its DMA"),

  /** Its DMA can forge the interrupts of other devices: they are not remapped. */
  UNSAFE_INTERRUPTS(
      "unsafe-interrupts", "its interrupts are not remapped (allow_unsafe_interrupts)"),

  /**
   * The IOMMU can't tell it from other devices, for want of Access Control Services on the way to
   * it: they reach each other, past the IOMMU.
   */
  MISSING_ACS("missing-acs", "the bridges on the way to it lack ACS: its IOMMU group has others"),

  /** Nothing stops it for certain: once granted it can't be had back clean. */
  MISSING_RESET("missing-reset", "it has no reset: what a guest did to it stays");

  private final String text;
  private final String meaning;

  Hazard(String text, String meaning) {
    this.text = text;
    this.meaning = meaning;
  }

  /** What it is called in policies and on command lines: {@code unprotected-dma}. */
  public String text() {
    return text;
  }

  /** What it is, for people. */
  public String meaning() {
    return meaning;
  }

  @Override
  public String toString() {
    return text;
  }
}
