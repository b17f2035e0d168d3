package org.gatun.simulated;

import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import org.gatun.pci.config.Capability;
import org.jspecify.annotations.Nullable;

/**
 * A capability of a function, as data: its registers, and what a write to them changes. {@link
 * StandardCapabilities} makes those of the specifications. MSI and MSI-X are in {@link
 * FunctionDescription.InterruptDescription}.
 *
 * @param id 8 bits, or 16 for an extended one
 * @param version of an extended capability, 4 bits; else 0
 * @param extended in which list it is: at 0x40 to 0xff, or at 0x100 to 0xfff
 * @param length in bytes, with its header of 2 bytes, or 4 for an extended one
 * @param registers behind the header; what they leave out reads as zero and can't be written
 * @param storage what the registers give access to, in 32-bit words: vital product data; else empty
 * @param window the registers among them through which BARs are accessed; else empty
 */
public record CapabilityDescription(
    int id,
    int version,
    boolean extended,
    int length,
    List<Register> registers,
    List<Integer> storage,
    Optional<ConfigWindow> window) {
  /** PCI Express Capabilities, with the Device/Port Type in bits 7:4 (PCIe 5.0, 7.5.3.2). */
  private static final int EXPRESS_TYPE = 2;

  /** Device Capabilities (PCI Express Base Specification 5.0, 7.5.3.3). */
  private static final int EXPRESS_CAPABILITIES = 4;

  static final int EXPRESS_FUNCTION_LEVEL_RESET = 1 << 28;

  /** Capabilities of Advanced Features (Conventional Advanced Features ECN, 1). */
  private static final int AF_CAPABILITIES = 3;

  static final int AF_FUNCTION_LEVEL_RESET = 1 << 1;

  /** PMCSR (PCI Power Management Specification 1.2, 3.2.4). */
  private static final int PM_CONTROL = 4;

  static final int PM_NO_SOFT_RESET = 1 << 3;

  /** ACS Capability and Control (PCI Express Base Specification 5.0, 7.7.8). */
  private static final int ACS_CAPABILITY = 4;

  private static final int ACS_CONTROL = 6;

  /** Source Validation, Request Redirect, Completion Redirect, Upstream Forwarding. */
  static final int ACS_ISOLATION = 0x1d;

  /**
   * A register.
   *
   * @param offset from the start of the capability, a multiple of the width
   * @param width 1, 2 or 4 bytes
   * @param value after power-up
   * @param writable bits that take the value that is written
   * @param clearable bits that the hardware sets, and that writing a 1 clears (RW1C)
   */
  public record Register(int offset, int width, int value, int writable, int clearable) {
    /**
     * @throws IllegalArgumentException if a part breaks its rule
     */
    public Register {
      if ((width != 1 && width != 2 && width != 4) || offset < 0 || offset % width != 0) {
        throw new IllegalArgumentException(
            "no such register: offset " + offset + ", width " + width);
      }
      int outside = width == 4 ? 0 : -1 << (8 * width);
      if (((value | writable | clearable) & outside) != 0) {
        throw new IllegalArgumentException(
            "the register at offset %d has bits past its %d bytes".formatted(offset, width));
      }
      if ((writable & clearable) != 0) {
        throw new IllegalArgumentException(
            "a bit of the register at offset " + offset + " is both writable and clearable");
      }
    }
  }

  /**
   * Copies the lists.
   *
   * @throws IllegalArgumentException if a register is not inside, or if a part breaks its rule
   */
  public CapabilityDescription {
    registers = List.copyOf(registers);
    storage = List.copyOf(storage);
    int header = extended ? 4 : 2;
    int end = extended ? 0xf00 : 0xc0;
    if (id < 0 || id > (extended ? 0xffff : 0xff)) {
      throw new IllegalArgumentException("capability id: it does not fit, 0x%x".formatted(id));
    }
    if (version < 0 || version > (extended ? 0xf : 0)) {
      throw new IllegalArgumentException(
          "capability 0x%x: its version is 4 bits if it is extended, else 0, not %d"
              .formatted(id, version));
    }
    if (!extended && (id == Capability.MSI || id == Capability.MSIX)) {
      throw new IllegalArgumentException("MSI and MSI-X are described with the interrupts");
    }
    if (length < header || length > end) {
      throw new IllegalArgumentException(
          "capability 0x%x: its length is %d to %d, not %d".formatted(id, header, end, length));
    }
    BitSet taken = new BitSet();
    for (Register register : registers) {
      int last = register.offset + register.width;
      if (register.offset < header || last > length) {
        throw new IllegalArgumentException(
            "capability 0x%x: its register at offset %d is not inside %d bytes, behind %d of header"
                .formatted(id, register.offset, length, header));
      }
      if (taken.get(register.offset, last).cardinality() > 0) {
        throw new IllegalArgumentException(
            "capability 0x%x: its register at offset %d overlaps another"
                .formatted(id, register.offset));
      }
      taken.set(register.offset, last);
    }
  }

  /** A capability that is its registers, and no more. */
  public CapabilityDescription(
      int id, int version, boolean extended, int length, List<Register> registers) {
    this(id, version, extended, length, registers, List.of(), Optional.empty());
  }

  boolean isConventional(int otherId) {
    return !extended && id == otherId;
  }

  boolean isExtended(int otherId) {
    return extended && id == otherId;
  }

  /** Whether the function can be reset through it. */
  boolean resets() {
    return (isConventional(Capability.PCI_EXPRESS)
            && (value(EXPRESS_CAPABILITIES) & EXPRESS_FUNCTION_LEVEL_RESET) != 0)
        || (isConventional(Capability.ADVANCED_FEATURES)
            && (value(AF_CAPABILITIES) & AF_FUNCTION_LEVEL_RESET) != 0)
        || (isConventional(Capability.POWER_MANAGEMENT)
            && (value(PM_CONTROL) & PM_NO_SOFT_RESET) == 0);
  }

  /** Which port of PCI Express it makes of a function; null if of none. */
  @Nullable PortKind port() {
    return isConventional(Capability.PCI_EXPRESS)
        ? PortKind.ofType(value(EXPRESS_TYPE) >>> 4 & 0xf)
        : null;
  }

  /** Whether it keeps the function from reaching its neighbours past the IOMMU. */
  boolean isolates() {
    int needed = value(ACS_CAPABILITY) & ACS_ISOLATION;
    return isExtended(Capability.EXTENDED_ACS) && (value(ACS_CONTROL) & needed) == needed;
  }

  private int value(int offset) {
    return registers.stream()
        .filter(r -> r.offset == offset)
        .mapToInt(Register::value)
        .findFirst()
        .orElse(0);
  }
}
