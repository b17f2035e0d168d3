package org.gatun.simulated;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.gatun.pci.config.Capability;
import org.gatun.simulated.CapabilityDescription.Register;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.VirtualFunctions.Places;

/**
 * The capabilities of the specifications, with each register as writable as they allow. "PCIe" is
 * the PCI Express Base Specification, revision 5.0.
 */
public final class StandardCapabilities {
  private static final int ALL = -1;

  private StandardCapabilities() {}

  /**
   * Power Management (PCI Power Management Specification 1.2, 3.2): PME from each state. A write of
   * the power state counts: only in D0 the function answers at its BARs, does DMA and interrupts.
   * Memory that a model shares with a driver stays reachable all the same.
   *
   * @param softReset whether the way back from D3 to D0 resets the function
   */
  public static CapabilityDescription powerManagement(boolean softReset) {
    return conventional(
        Capability.POWER_MANAGEMENT,
        8,
        constant(2, 2, 0xfe03), // PME_Support, D1, D2, version 3
        // Power state, PME_En, Data_Select; PME_Status
        register(4, 2, softReset ? 0 : CapabilityDescription.PM_NO_SOFT_RESET, 0x1f03, 0x8000),
        constant(7, 1, 0x55)); // Data: what power is used
  }

  /**
   * Vital Product Data (PCI Local Bus Specification 3.0, appendix I): reads and writes of the
   * address register take effect at once, and survive resets.
   *
   * @param content 4 to 32768 bytes, a multiple of 4
   */
  public static CapabilityDescription vitalProductData(byte[] content) {
    if (content.length < 4 || content.length > 1 << 15 || content.length % 4 != 0) {
      throw new IllegalArgumentException("no vital product data has " + content.length + " bytes");
    }
    List<Integer> words = new ArrayList<>();
    for (int i = 0; i < content.length; i += 4) {
      words.add(
          (content[i] & 0xff)
              | (content[i + 1] & 0xff) << 8
              | (content[i + 2] & 0xff) << 16
              | content[i + 3] << 24);
    }
    return new CapabilityDescription(
        Capability.VPD,
        0,
        false,
        8,
        List.of(register(2, 2, 0, 0xfffc, 0), register(4, 4, 0, ALL, 0)),
        words,
        Optional.empty());
  }

  /**
   * PCI Express, of an endpoint (PCIe 7.5.3): a link of one lane, payloads of up to 512 bytes.
   *
   * @param functionLevelReset whether writing Device Control bit 15 resets the function (6.6.2)
   */
  public static CapabilityDescription expressEndpoint(boolean functionLevelReset) {
    return expressEndpoint(functionLevelReset, 512);
  }

  /**
   * As {@link #expressEndpoint(boolean)}, with payloads of another size. Behind a port, firmware
   * sets all functions of the tree to what each of them can.
   *
   * @param maxPayload in bytes, a power of two from 128 to 4096
   */
  public static CapabilityDescription expressEndpoint(boolean functionLevelReset, int maxPayload) {
    if (maxPayload < 128 || maxPayload > 4096 || Integer.bitCount(maxPayload) != 1) {
      throw new IllegalArgumentException(
          "maxPayload: a power of two from 128 to 4096, not " + maxPayload);
    }
    int reset = functionLevelReset ? CapabilityDescription.EXPRESS_FUNCTION_LEVEL_RESET : 0;
    int payload = Integer.numberOfTrailingZeros(maxPayload / 128);
    return conventional(
        Capability.PCI_EXPRESS,
        0x3c,
        constant(2, 2, 0x0002), // version 2, endpoint
        constant(4, 4, reset | 0x8038 | payload), // role-based errors, tags, phantom functions
        // Device Control: 512 byte reads, no snoop, relaxed ordering; bit 15 resets
        register(8, 2, 0x2810, functionLevelReset ? 0xffff : 0x7fff, 0),
        register(0xa, 2, 0, 0, 0x4f), // Device Status
        constant(0xc, 4, 0x11), // link: 2.5 GT/s, one lane
        register(0x10, 2, 0, 0x03cb, 0), // Link Control
        constant(0x12, 2, 0x11),
        constant(0x24, 4, 0x0004_081f), // Device Capabilities 2: time-outs, LTR, OBFF
        register(0x28, 2, 0, 0x675f, 0),
        constant(0x2c, 4, 0x2),
        register(0x30, 2, 1, 0xffff, 0)); // Link Control 2
  }

  /**
   * PCI Express, of a port (PCIe 7.5.3); with a slot for hot-plug, if it is the upper end of a
   * link.
   */
  public static CapabilityDescription expressPort(PortKind kind) {
    List<Register> registers = new ArrayList<>();
    registers.add(constant(2, 2, 0x0002 | kind.type() << 4 | (kind.hasSlot() ? 1 << 8 : 0)));
    registers.add(constant(4, 4, 0x8002));
    registers.add(register(8, 2, 0x0810, 0x7fff, 0));
    registers.add(register(0xa, 2, 0, 0, 0x4f));
    registers.add(constant(0xc, 4, kind.hasSlot() ? 0x10_0011 : 0x11)); // it says if it is up
    registers.add(register(SlotRegisters.LINK_CONTROL, 2, 0, 0x0ffb, 0));
    registers.add(register(SlotRegisters.LINK_STATUS, 2, 0x11, 0, 0xc000));
    if (kind.hasSlot()) {
      registers.add(constant(0x14, 4, 0x4_007f)); // Slot Capabilities: all, at once
      registers.add(register(SlotRegisters.CONTROL, 2, 0, 0x1fff, 0));
      registers.add(register(SlotRegisters.STATUS, 2, 0, 0, 0x11f));
      registers.add(register(0x38, 2, 0, 0xffff, 0)); // Slot Control 2
    }
    if (kind == PortKind.ROOT) {
      registers.add(register(0x1c, 2, 0, 0x1f, 0)); // Root Control
      registers.add(register(0x20, 4, 0, 0, 1 << 16));
    }
    registers.add(constant(0x24, 4, 0x3f));
    registers.add(register(0x28, 2, 0, 0x67ff, 0));
    registers.add(constant(0x2c, 4, 0x2));
    registers.add(register(0x30, 2, 1, 0xffff, 0));
    return new CapabilityDescription(Capability.PCI_EXPRESS, 0, false, 0x3c, registers);
  }

  /** Advanced Features (Conventional Advanced Features ECN): writing bit 0 of control resets. */
  public static CapabilityDescription advancedFeatures() {
    return conventional(
        Capability.ADVANCED_FEATURES,
        6,
        constant(2, 1, 6),
        constant(3, 1, CapabilityDescription.AF_FUNCTION_LEVEL_RESET | 1),
        register(4, 1, 0, 1, 0));
  }

  /**
   * Vendor-specific (PCIe 7.9.4): registers without a meaning.
   *
   * @param length in bytes, 4 to 252, a multiple of 4
   */
  public static CapabilityDescription vendorSpecific(int length) {
    List<Register> registers = new ArrayList<>();
    registers.add(constant(2, 1, length));
    registers.add(register(3, 1, 0, 0xff, 0));
    fill(registers, 4, length);
    return new CapabilityDescription(Capability.VENDOR_SPECIFIC, 0, false, length, registers);
  }

  /** Advanced Error Reporting (PCIe 7.8.4). */
  public static CapabilityDescription errorReporting() {
    return extended(
        Capability.EXTENDED_AER,
        2,
        0x48,
        register(4, 4, 0, 0, 0x07ff_f030), // Uncorrectable Error Status
        register(8, 4, 0x0040_0000, 0x07ff_f030, 0),
        register(0xc, 4, 0x0046_2030, 0x07ff_f030, 0), // Severity
        register(0x10, 4, 0, 0, 0xf1c1), // Correctable Error Status
        register(0x14, 4, 0xe000, 0xf1c1, 0),
        register(0x18, 4, 0xa0, 0x140, 0)); // ECRC generation and checking
  }

  /** Device Serial Number (PCIe 7.9.3). */
  public static CapabilityDescription serialNumber(long number) {
    return extended(
        Capability.EXTENDED_SERIAL_NUMBER,
        1,
        0xc,
        constant(4, 4, (int) number),
        constant(8, 4, (int) (number >>> 32)));
  }

  /** Access Control Services (PCIe 7.7.8), all but egress control, turned on as a kernel does. */
  public static CapabilityDescription accessControl() {
    return extended(
        Capability.EXTENDED_ACS,
        1,
        8,
        constant(4, 2, 0x5f),
        register(6, 2, CapabilityDescription.ACS_ISOLATION, 0x5f, 0));
  }

  /**
   * Single Root I/O Virtualization (PCIe 9.3.3), up to 8 functions: registers without a meaning.
   * For functions that appear there is {@link FunctionDescription#withVirtualFunctions}.
   */
  public static CapabilityDescription virtualFunctions() {
    return extended(
        Capability.EXTENDED_SRIOV,
        1,
        0x40,
        register(8, 2, 0, 0x19, 0), // Control: VF Enable, memory space, ARI
        constant(0xc, 2, 8),
        constant(0xe, 2, 8),
        register(0x10, 2, 0, 0xffff, 0), // NumVFs
        constant(0x14, 2, 0x80),
        constant(0x16, 2, 1),
        constant(0x1a, 2, 0x5679),
        constant(0x1c, 4, 0x553),
        register(0x20, 4, 1, ALL, 0), // System Page Size
        register(0x24, 4, 4, -0x4000, 0), // VF BAR 0: 64 bits, 16 KiB
        register(0x28, 4, 0, ALL, 0),
        register(0x2c, 4, 0, -0x1000, 0));
  }

  /**
   * Single Root I/O Virtualization with functions that appear (PCIe 9.3.3).
   *
   * @param own slot and function of the physical function, as in a routing id
   */
  static CapabilityDescription singleRoot(VirtualFunctions virtual, Places places, int own) {
    List<Register> registers = new ArrayList<>();
    registers.add(register(SingleRootRegisters.CONTROL, 2, 0, 0x19, 0));
    registers.add(constant(0xc, 2, virtual.total())); // InitialVFs
    registers.add(constant(0xe, 2, virtual.total())); // TotalVFs
    registers.add(register(SingleRootRegisters.COUNT, 2, 0, 0xffff, 0));
    registers.add(constant(0x12, 1, own & 7)); // Function Dependency Link
    registers.add(constant(0x14, 2, places.first() - own)); // First VF Offset
    registers.add(constant(0x16, 2, 1)); // VF Stride
    registers.add(constant(0x1a, 2, virtual.each().id().device()));
    registers.add(constant(0x1c, 4, 0x553));
    registers.add(register(0x20, 4, 1, ALL, 0)); // System Page Size
    for (BarDescription bar : virtual.each().bars()) {
      long address = places.barAddresses().getOrDefault(bar.index(), 0L);
      int offset = 0x24 + 4 * bar.index();
      int flags = (bar.wide() ? 4 : 0) | (bar.prefetchable() ? 8 : 0);
      registers.add(register(offset, 4, (int) address | flags, (int) -bar.size(), 0));
      if (bar.wide()) {
        int upper = (int) (-bar.size() >>> 32);
        registers.add(register(offset + 4, 4, (int) (address >>> 32), upper, 0));
      }
    }
    return new CapabilityDescription(Capability.EXTENDED_SRIOV, 1, true, 0x40, registers);
  }

  /** Address Translation Services (PCIe 10.5.1). */
  public static CapabilityDescription addressTranslation() {
    return extended(
        Capability.EXTENDED_ATS, 1, 8, constant(4, 2, 0x60), register(6, 2, 0, 0x801f, 0));
  }

  /** Page Request (PCIe 10.5.2). */
  public static CapabilityDescription pageRequest() {
    return extended(
        Capability.EXTENDED_PRI,
        1,
        0x10,
        register(4, 2, 0, 3, 0),
        register(6, 2, 0x8100, 0, 3),
        constant(8, 4, 0x100),
        register(0xc, 4, 0, ALL, 0));
  }

  /** Process Address Space ID (PCIe 7.8.9). */
  public static CapabilityDescription processAddressSpaces() {
    return extended(
        Capability.EXTENDED_PASID, 1, 8, constant(4, 2, 0x1406), register(6, 2, 0, 7, 0));
  }

  /** Resizable BAR (PCIe 7.8.6), for BAR 0: 1 to 16 MiB. A new size does not take effect. */
  public static CapabilityDescription resizableBar() {
    return extended(
        Capability.EXTENDED_RESIZABLE_BAR,
        1,
        0xc,
        constant(4, 4, 0x1f0),
        register(8, 4, 0x20, 0x3f00, 0));
  }

  /** Latency Tolerance Reporting (PCIe 7.8.2). */
  public static CapabilityDescription latencyTolerance() {
    return extended(
        Capability.EXTENDED_LTR, 1, 8, register(4, 2, 0, 0x1fff, 0), register(6, 2, 0, 0x1fff, 0));
  }

  /** TPH Requester (PCIe 7.9.13), without a steering tag table. */
  public static CapabilityDescription processingHints() {
    return extended(
        Capability.EXTENDED_TPH, 1, 0xc, constant(4, 4, 0x105), register(8, 4, 0, 0x307, 0));
  }

  /**
   * Vendor-Specific Extended Capability (PCIe 7.9.5): registers without a meaning.
   *
   * @param vsec its id, 16 bits
   * @param length in bytes, with 8 of header, a multiple of 4
   */
  public static CapabilityDescription vendorSpecificExtended(int vsec, int length) {
    List<Register> registers = new ArrayList<>();
    registers.add(constant(4, 4, vsec | 1 << 16 | length << 20));
    fill(registers, 8, length);
    return new CapabilityDescription(
        Capability.EXTENDED_VENDOR_SPECIFIC, 1, true, length, registers);
  }

  /**
   * Designated Vendor-Specific Extended Capability (PCIe 7.9.6): registers without a meaning.
   *
   * @param vendor who designated it, 16 bits
   * @param dvsec its id, 16 bits
   * @param length in bytes, with 12 of header, a multiple of 4
   */
  public static CapabilityDescription designatedVendorSpecific(int vendor, int dvsec, int length) {
    List<Register> registers = new ArrayList<>();
    registers.add(constant(4, 4, vendor | 1 << 16 | length << 20));
    registers.add(constant(8, 2, dvsec));
    registers.add(register(10, 2, 0, 0xffff, 0));
    fill(registers, 12, length);
    return new CapabilityDescription(Capability.EXTENDED_DVSEC, 1, true, length, registers);
  }

  private static void fill(List<Register> registers, int start, int end) {
    for (int offset = start; offset < end; offset += 4) {
      registers.add(register(offset, 4, 0, ALL, 0));
    }
  }

  private static CapabilityDescription conventional(int id, int length, Register... registers) {
    return new CapabilityDescription(id, 0, false, length, List.of(registers));
  }

  private static CapabilityDescription extended(
      int id, int version, int length, Register... registers) {
    return new CapabilityDescription(id, version, true, length, List.of(registers));
  }

  private static Register constant(int offset, int width, int value) {
    return new Register(offset, width, value, 0, 0);
  }

  private static Register register(int offset, int width, int value, int writable, int clearable) {
    return new Register(offset, width, value, writable, clearable);
  }
}
