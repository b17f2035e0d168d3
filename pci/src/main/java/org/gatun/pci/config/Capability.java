package org.gatun.pci.config;

import java.util.Map;

/**
 * An entry of the capability list, or of the extended one.
 *
 * @param id 8 bits, or 16 for an extended one
 * @param version of an extended capability, 4 bits; else 0
 * @param offset in config space
 * @param extended from which list
 */
public record Capability(int id, int version, int offset, boolean extended) {
  public static final int POWER_MANAGEMENT = 0x01;
  public static final int VPD = 0x03;
  public static final int MSI = 0x05;
  public static final int VENDOR_SPECIFIC = 0x09;
  public static final int PCI_EXPRESS = 0x10;
  public static final int MSIX = 0x11;
  public static final int ADVANCED_FEATURES = 0x13;

  public static final int EXTENDED_AER = 0x01;
  public static final int EXTENDED_SERIAL_NUMBER = 0x03;
  public static final int EXTENDED_VENDOR_SPECIFIC = 0x0b;
  public static final int EXTENDED_ACS = 0x0d;
  public static final int EXTENDED_ATS = 0x0f;
  public static final int EXTENDED_SRIOV = 0x10;
  public static final int EXTENDED_PRI = 0x13;
  public static final int EXTENDED_RESIZABLE_BAR = 0x15;
  public static final int EXTENDED_TPH = 0x17;
  public static final int EXTENDED_LTR = 0x18;
  public static final int EXTENDED_PASID = 0x1b;
  public static final int EXTENDED_DVSEC = 0x23;

  /** PCI Code and ID Assignment Specification, 2. */
  private static final Map<Integer, String> NAMES =
      Map.ofEntries(
          Map.entry(0x01, "Power Management"),
          Map.entry(0x02, "AGP"),
          Map.entry(0x03, "Vital Product Data"),
          Map.entry(0x04, "Slot Identification"),
          Map.entry(0x05, "MSI"),
          Map.entry(0x06, "CompactPCI Hot Swap"),
          Map.entry(0x07, "PCI-X"),
          Map.entry(0x08, "HyperTransport"),
          Map.entry(0x09, "Vendor Specific"),
          Map.entry(0x0a, "Debug Port"),
          Map.entry(0x0b, "CompactPCI Resource Control"),
          Map.entry(0x0c, "Hot-Plug"),
          Map.entry(0x0d, "Bridge Subsystem ID"),
          Map.entry(0x0e, "AGP 8x"),
          Map.entry(0x0f, "Secure Device"),
          Map.entry(0x10, "PCI Express"),
          Map.entry(0x11, "MSI-X"),
          Map.entry(0x12, "SATA Configuration"),
          Map.entry(0x13, "Advanced Features"),
          Map.entry(0x14, "Enhanced Allocation"),
          Map.entry(0x15, "Flattening Portal Bridge"));

  /** PCI Code and ID Assignment Specification, 3. */
  private static final Map<Integer, String> EXTENDED_NAMES =
      Map.ofEntries(
          Map.entry(0x01, "Advanced Error Reporting"),
          Map.entry(0x02, "Virtual Channel"),
          Map.entry(0x03, "Device Serial Number"),
          Map.entry(0x04, "Power Budgeting"),
          Map.entry(0x05, "Root Complex Link Declaration"),
          Map.entry(0x06, "Root Complex Internal Link Control"),
          Map.entry(0x07, "Root Complex Event Collector"),
          Map.entry(0x08, "Multi-Function Virtual Channel"),
          Map.entry(0x09, "Virtual Channel (9)"),
          Map.entry(0x0a, "Root Complex Register Block"),
          Map.entry(0x0b, "Vendor Specific"),
          Map.entry(0x0d, "Access Control Services"),
          Map.entry(0x0e, "Alternative Routing-ID"),
          Map.entry(0x0f, "Address Translation Services"),
          Map.entry(0x10, "Single Root I/O Virtualization"),
          Map.entry(0x11, "Multi-Root I/O Virtualization"),
          Map.entry(0x12, "Multicast"),
          Map.entry(0x13, "Page Request"),
          Map.entry(0x15, "Resizable BAR"),
          Map.entry(0x16, "Dynamic Power Allocation"),
          Map.entry(0x17, "TPH Requester"),
          Map.entry(0x18, "Latency Tolerance Reporting"),
          Map.entry(0x19, "Secondary PCI Express"),
          Map.entry(0x1a, "Protocol Multiplexing"),
          Map.entry(0x1b, "Process Address Space ID"),
          Map.entry(0x1c, "LN Requester"),
          Map.entry(0x1d, "Downstream Port Containment"),
          Map.entry(0x1e, "L1 PM Substates"),
          Map.entry(0x1f, "Precision Time Measurement"),
          Map.entry(0x21, "Frame Rate Squeeze"),
          Map.entry(0x22, "Readiness Time Reporting"),
          Map.entry(0x23, "Designated Vendor Specific"),
          Map.entry(0x24, "VF Resizable BAR"),
          Map.entry(0x25, "Data Link Feature"),
          Map.entry(0x26, "Physical Layer 16.0 GT/s"),
          Map.entry(0x27, "Lane Margining"),
          Map.entry(0x28, "Hierarchy ID"),
          Map.entry(0x29, "Native PCIe Enclosure Management"),
          Map.entry(0x2a, "Physical Layer 32.0 GT/s"),
          Map.entry(0x2b, "Alternate Protocol"),
          Map.entry(0x2e, "Data Object Exchange"),
          Map.entry(0x30, "Integrity and Data Encryption"));

  /** The specification's name, or the number where there is none. */
  public String name() {
    String known = (extended ? EXTENDED_NAMES : NAMES).get(id);
    return known != null ? known : "unknown (0x%02x)".formatted(id);
  }
}
