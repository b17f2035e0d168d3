package org.gatun.broker.policy;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSnapshot;
import org.jspecify.annotations.Nullable;

/**
 * The policy laid over a device: which rule governs each byte of its config space. Made from the
 * snapshot alone; immutable.
 */
public final class ConfigLayout {
  /** What a field of a quirk belongs to. */
  static final String QUIRK = "quirk";

  private static final int MSI_64_BIT = 1 << 7;
  private static final int MSI_MASKABLE = 1 << 8;

  private final ConfigPolicy policy;
  private final int size;
  private final List<ConfigField> fields = new ArrayList<>();
  private final @Nullable ConfigField[] byByte;
  private final BitSet hidden = new BitSet();
  private final Map<Integer, Integer> links = new HashMap<>();

  private ConfigLayout(ConfigPolicy policy, int size) {
    this.policy = policy;
    this.size = size;
    this.byByte = new ConfigField[size];
  }

  /**
   * Lays a policy over a device.
   *
   * @throws IllegalArgumentException if a quirk is outside of config space, or on a register that a
   *     rule governs or hides already
   */
  public static ConfigLayout of(DeviceSnapshot device, ConfigPolicy policy) {
    ConfigLayout layout = new ConfigLayout(policy, device.config().size());
    layout.header(device);
    layout.capabilities(device, false);
    layout.capabilities(device, true);
    policy.quirks().forEach(layout::quirk);
    layout.fields.sort(Comparator.comparingInt(ConfigField::offset));
    return layout;
  }

  /** What the grant says. */
  public ConfigPolicy policy() {
    return policy;
  }

  /** The fields that rules govern, ascending. */
  public List<ConfigField> fields() {
    return List.copyOf(fields);
  }

  /** The size of config space in bytes. */
  public int size() {
    return size;
  }

  /** Whether a guest sees zero there, whatever the hardware has. */
  public boolean isHidden(int offset) {
    return hidden.get(offset);
  }

  /** The bits of a byte that may change in the hardware when a guest writes. */
  public int writeMask(int offset) {
    ConfigField field = byByte[offset];
    if (field != null) {
      return (field.writeMask(policy.permissive()) | interruptControl(field))
              >>> (8 * (offset - field.offset()))
          & 0xff;
    }
    return isRaw(offset) ? 0xff : 0;
  }

  /** Whether a guest writes a byte as it likes: no rule governs it, and the grant is permissive. */
  public boolean isRaw(int offset) {
    return policy.permissive() && byByte[offset] == null && !isHidden(offset);
  }

  @Nullable ConfigField fieldAt(int offset) {
    return byByte[offset];
  }

  /** What a link of the capability list reads as. */
  int link(ConfigField field) {
    return links.getOrDefault(field.offset(), 0);
  }

  private int interruptControl(ConfigField field) {
    if (!policy.allowInterruptControl()) {
      return 0;
    }
    return switch (field.rule().effect()) {
      case COMMAND -> ConfigRegisters.COMMAND_INTX_DISABLE;
      case MSI_CONTROL -> GuestConfigSpace.MSI_ENABLE;
      case MSIX_CONTROL -> GuestConfigSpace.MSIX_ENABLE | GuestConfigSpace.MSIX_MASK_ALL;
      default -> 0;
    };
  }

  private void header(DeviceSnapshot device) {
    for (FieldRule rule : BuiltInRules.HEADER) {
      place("header", rule, rule.offset());
    }
    for (FieldRule rule : device.isBridge() ? BuiltInRules.BRIDGE : BuiltInRules.ENDPOINT) {
      place("header", rule, rule.offset());
    }
  }

  /** One of the two lists: what is shown is linked, what is not reads as zero. */
  private void capabilities(DeviceSnapshot device, boolean extended) {
    List<Capability> all =
        device.capabilities().list().stream().filter(c -> c.extended() == extended).toList();
    List<Capability> shown = all.stream().filter(this::isShown).toList();
    int end = extended ? size : Math.min(size, ConfigRegisters.CONVENTIONAL_SIZE);
    for (Capability capability : all) {
      int next = endOf(capability, all, end);
      if (!shown.contains(capability)) {
        hidden.set(capability.offset(), Math.min(next, claimedEnd(device.config(), capability)));
      }
    }
    for (Capability capability : shown) {
      place(device.config(), capability, endOf(capability, all, end));
    }
    link(shown, extended);
  }

  /**
   * Where a capability ends by its own word, for those kinds that have one; the others may be as
   * long as there is room.
   */
  private static int claimedEnd(ConfigSnapshot config, Capability capability) {
    int length = config.size();
    if (!capability.extended() && capability.id() == Capability.VENDOR_SPECIFIC) {
      // PCI 3.0, appendix H: the byte behind the link.
      length = config.read8(capability.offset() + 2);
    } else if (capability.extended()
        && (capability.id() == Capability.EXTENDED_VENDOR_SPECIFIC
            || capability.id() == Capability.EXTENDED_DVSEC)
        && capability.offset() + 8 <= config.size()) {
      // PCI Express Base Specification, 7.9.5 and 7.9.6: bits 31 to 20 of the second dword.
      length = config.read32(capability.offset() + 4) >>> 20;
    }
    return capability.offset() + Math.max(length, 4);
  }

  private boolean isShown(Capability capability) {
    return !BuiltInRules.isHidden(capability)
        || policy.show().contains(BuiltInRules.policyName(capability));
  }

  /** A capability reaches at most to where the next one starts: what lies between is its. */
  private static int endOf(Capability capability, List<Capability> all, int end) {
    return all.stream()
        .mapToInt(Capability::offset)
        .filter(offset -> offset > capability.offset())
        .min()
        .orElse(end);
  }

  private void place(ConfigSnapshot config, Capability capability, int end) {
    String part = capability.name();
    FieldRule header =
        FieldRule.of("Capability Header", 0, capability.extended() ? 4 : 2, 0, Effect.LINK);
    place(part, header, capability.offset());
    if (capability.extended()) {
      return;
    }
    List<FieldRule> rules =
        new ArrayList<>(BuiltInRules.CAPABILITIES.getOrDefault(capability.id(), List.of()));
    if (capability.id() == Capability.MSI && capability.offset() + 4 <= end) {
      int control = config.read16(capability.offset() + 2);
      rules.addAll(BuiltInRules.msi((control & MSI_64_BIT) != 0, (control & MSI_MASKABLE) != 0));
    }
    for (FieldRule rule : rules) {
      int offset = capability.offset() + rule.offset();
      // A device whose capabilities overlap lies about one of them: what is cut off is unlisted.
      if (offset + rule.width() <= end) {
        place(part, rule, offset);
      }
    }
  }

  private void place(String part, FieldRule rule, int offset) {
    ConfigField field = new ConfigField(part, rule, offset);
    fields.add(field);
    for (int i = offset; i < field.end(); i++) {
      byByte[i] = field;
    }
  }

  private void link(List<Capability> shown, boolean extended) {
    int next = 0;
    for (Capability capability : shown.reversed()) {
      links.put(
          capability.offset(),
          extended
              ? capability.id() | capability.version() << 16 | next << 20
              : capability.id() | next << 8);
      next = capability.offset();
    }
    if (!extended) {
      links.put(ConfigRegisters.CAPABILITIES_POINTER, next);
    } else if (next != ConfigRegisters.EXTENDED && size > ConfigRegisters.EXTENDED) {
      // The list starts at 0x100 in any case: with a null capability, which only links on
      // (PCI Express Base Specification, 7.6.2).
      hidden.clear(ConfigRegisters.EXTENDED, ConfigRegisters.EXTENDED + 4);
      place(
          "header",
          FieldRule.of("Extended Capability List", ConfigRegisters.EXTENDED, 4, 0, Effect.LINK),
          ConfigRegisters.EXTENDED);
      links.put(ConfigRegisters.EXTENDED, next << 20);
    }
  }

  private void quirk(Quirk quirk) {
    if (quirk.register() + quirk.size() > size) {
      throw new IllegalArgumentException(
          "quirk %s is not inside the %d bytes of config space".formatted(quirk, size));
    }
    for (int i = quirk.register(); i < quirk.register() + quirk.size(); i++) {
      ConfigField field = byByte[i];
      if (field != null) {
        throw new IllegalArgumentException(
            "quirk %s is on %s of %s, which has a rule already"
                .formatted(quirk, field.rule().name(), field.part()));
      }
      if (isHidden(i)) {
        throw new IllegalArgumentException(
            "quirk %s is in a capability that is hidden: show it first".formatted(quirk));
      }
    }
    place(QUIRK, quirk.rule(), quirk.register());
  }
}
