package org.gatun.broker.policy;

import static org.gatun.broker.policy.FieldRule.permissive;
import static org.gatun.broker.policy.FieldRule.readOnly;
import static org.gatun.broker.policy.FieldRule.snapshot;
import static org.gatun.broker.policy.FieldRule.writable;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;

/**
 * The policy that holds unless a grant says otherwise: that of Xen's pciback, and stricter where
 * {@code docs/policy.md} says so. What no row speaks of reads as the hardware has it; writes to it
 * are dropped and counted.
 */
public final class BuiltInRules {
  /**
   * The bits of the command register that a guest sees as they are: bus master, special cycles,
   * MWI, VGA snoop, wait cycles, fast back-to-back. The others are a shadow.
   */
  static final int COMMAND_HARDWARE = 0x2bc;

  private static final int COMMAND_MWI = 1 << 4;

  /** PMC: the states in which the function could wake the host. */
  private static final int PM_PME_SUPPORT = 0xf800;

  private static final int PM_PME_ENABLE = 1 << 8;

  /** PMCSR: PME_Status, Data_Select, PowerState (PCI Power Management Specification, 3.2.4). */
  private static final int PM_WRITABLE = 0x8000 | 0x1e00 | 0x3;

  /** Device Control: all but Phantom Functions Enable and Initiate Function Level Reset. */
  private static final int DEVICE_CONTROL_PERMISSIVE = 0xffff & ~(1 << 9) & ~(1 << 15);

  private static final int VPD_ADDRESS = 0x7fff;

  /** The first 16 bytes, and what both kinds of header share (PCI 3.0, 6.1). */
  static final List<FieldRule> HEADER =
      List.of(
          snapshot("Vendor ID", ConfigRegisters.VENDOR_ID, 2),
          snapshot("Device ID", ConfigRegisters.DEVICE_ID, 2),
          new FieldRule(
              "Command",
              ConfigRegisters.COMMAND,
              2,
              0xffff,
              ConfigRegisters.COMMAND_BUS_MASTER | COMMAND_MWI,
              COMMAND_HARDWARE,
              Effect.COMMAND),
          permissive("Status", ConfigRegisters.STATUS, 2),
          permissive("Revision ID and Class Code", ConfigRegisters.REVISION_ID, 4),
          writable("Cache Line Size", ConfigRegisters.CACHE_LINE_SIZE, 1),
          readOnly("Latency Timer", ConfigRegisters.LATENCY_TIMER, 1),
          permissive("Header Type", ConfigRegisters.HEADER_TYPE, 1),
          FieldRule.of("BIST", ConfigRegisters.BIST, 1, 0xff, Effect.BIST),
          FieldRule.of(
              "Capabilities Pointer", ConfigRegisters.CAPABILITIES_POINTER, 1, 0, Effect.LINK),
          readOnly("Interrupt Line", ConfigRegisters.INTERRUPT_LINE, 1),
          readOnly("Interrupt Pin", ConfigRegisters.INTERRUPT_PIN, 1));

  /** An endpoint's (PCI 3.0, 6.1). */
  static final List<FieldRule> ENDPOINT =
      List.of(
          bar(0),
          bar(1),
          bar(2),
          bar(3),
          bar(4),
          bar(5),
          permissive("CardBus CIS Pointer", 0x28, 4),
          permissive("Subsystem Vendor ID", ConfigRegisters.SUBSYSTEM_VENDOR_ID, 2),
          permissive("Subsystem ID", ConfigRegisters.SUBSYSTEM_ID, 2),
          FieldRule.of("Expansion ROM", ConfigRegisters.ROM, 4, -1, Effect.ROM),
          permissive("Min_Gnt", 0x3e, 1),
          permissive("Max_Lat", 0x3f, 1));

  /** A bridge's (PCI-to-PCI Bridge Architecture Specification 1.2, 3.2). */
  static final List<FieldRule> BRIDGE =
      List.of(bar(0), bar(1), FieldRule.of("Expansion ROM", 0x38, 4, -1, Effect.ROM));

  /** Beyond id and link, by capability id. */
  static final Map<Integer, List<FieldRule>> CAPABILITIES =
      Map.of(
          // PCI Power Management Specification 1.2, 3.2
          Capability.POWER_MANAGEMENT,
          List.of(
              new FieldRule("PMC", 2, 2, 0xffff & ~PM_PME_SUPPORT, 0, 0, Effect.PLAIN),
              new FieldRule("PMCSR", 4, 2, 0xffff & ~PM_PME_ENABLE, PM_WRITABLE, 0, Effect.PLAIN),
              readOnly("PMCSR_BSE", 6, 1),
              readOnly("Power Data", 7, 1)),
          // PCI 3.0, appendix I
          Capability.VPD,
          List.of(
              FieldRule.of("VPD Address", 2, 2, VPD_ADDRESS, Effect.VPD_ADDRESS),
              readOnly("VPD Data", 4, 4)),
          // PCI 3.0, 6.8.1: the rest, which differs in length, follows from Message Control
          Capability.MSI,
          List.of(FieldRule.of("MSI Message Control", 2, 2, 0, Effect.MSI_CONTROL)),
          // PCI 3.0, 6.8.2
          Capability.MSIX,
          List.of(
              FieldRule.of("MSI-X Message Control", 2, 2, 0, Effect.MSIX_CONTROL),
              snapshot("MSI-X Table", 4, 4),
              snapshot("MSI-X PBA", 8, 4)),
          // PCI Express Base Specification, 7.5.3
          Capability.PCI_EXPRESS,
          List.of(
              permissive("PCI Express Capabilities", 0x02, 2),
              permissive("Device Capabilities", 0x04, 4),
              permissive("Device Control", 0x08, 2, DEVICE_CONTROL_PERMISSIVE),
              permissive("Device Status", 0x0a, 2),
              permissive("Link Capabilities", 0x0c, 4),
              permissive("Link Control", 0x10, 2),
              permissive("Link Status", 0x12, 2)),
          // PCI Advanced Features ECN
          Capability.ADVANCED_FEATURES,
          List.of(
              permissive("AF Length", 2, 1),
              permissive("AF Capabilities", 3, 1),
              readOnly("AF Control", 4, 1),
              permissive("AF Status", 5, 1)));

  /**
   * Of MSI, what lies behind Message Control: address, data, mask and pending bits. A guest sees
   * them and never writes them, in a permissive grant neither (XSA-129).
   */
  static List<FieldRule> msi(boolean wide, boolean maskable) {
    int data = wide ? 12 : 8;
    FieldRule address = readOnly("MSI Address", 4, 4);
    FieldRule upper = readOnly("MSI Upper Address", 8, 4);
    FieldRule message = readOnly("MSI Data", data, 2);
    FieldRule extended = readOnly("MSI Extended Data", data + 2, 2);
    FieldRule mask = readOnly("MSI Mask Bits", data + 4, 4);
    FieldRule pending = readOnly("MSI Pending Bits", data + 8, 4);
    if (wide) {
      return maskable
          ? List.of(address, upper, message, extended, mask, pending)
          : List.of(address, upper, message, extended);
    }
    return maskable
        ? List.of(address, message, extended, mask, pending)
        : List.of(address, message, extended);
  }

  /** What a guest does not see, of those that the specification names. */
  private static final Set<Integer> HIDDEN =
      Set.of(
          Capability.VENDOR_SPECIFIC, 0x14 /* enhanced allocation */, 0x15 /* flattening portal */);

  private static final Set<Integer> HIDDEN_EXTENDED =
      Set.of(
          Capability.EXTENDED_VENDOR_SPECIFIC,
          Capability.EXTENDED_ATS,
          Capability.EXTENDED_SRIOV,
          0x11, // MR-IOV
          Capability.EXTENDED_PRI,
          Capability.EXTENDED_RESIZABLE_BAR,
          Capability.EXTENDED_PASID,
          Capability.EXTENDED_DVSEC,
          0x24, // VF Resizable BAR
          0x2e, // data object exchange
          0x30); // integrity and data encryption

  private BuiltInRules() {}

  /** Whether a guest does not see a capability, unless its grant shows it; what is unknown, too. */
  static boolean isHidden(Capability capability) {
    return (capability.extended() ? HIDDEN_EXTENDED : HIDDEN).contains(capability.id())
        || capability.name().startsWith("unknown");
  }

  /** What a capability is called in a policy: {@code vendor-specific}. */
  static String policyName(Capability capability) {
    return capability.name().toLowerCase(Locale.ROOT).replace(' ', '-');
  }

  /** The names of the capabilities that are hidden, and can be shown. */
  static SortedSet<String> hiddenNames() {
    SortedSet<String> names = new TreeSet<>();
    HIDDEN.forEach(id -> names.add(policyName(new Capability(id, 0, 0, false))));
    HIDDEN_EXTENDED.forEach(id -> names.add(policyName(new Capability(id, 1, 0, true))));
    return names;
  }

  private static FieldRule bar(int index) {
    return FieldRule.of("BAR " + index, ConfigRegisters.BAR0 + 4 * index, 4, -1, Effect.BAR);
  }
}
