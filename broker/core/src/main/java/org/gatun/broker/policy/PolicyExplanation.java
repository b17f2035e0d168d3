package org.gatun.broker.policy;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;

/** Says of a device what a guest would see of its config space, byte for byte, and why. */
public final class PolicyExplanation {
  private static final String DROPPED = "dropped";
  private static final String REACHES = "reaches the hardware";

  private final ConfigLayout layout;
  private final DeviceSnapshot snapshot;
  private final GuestConfigSpace guest;

  private PolicyExplanation(ConfigLayout layout, DeviceSnapshot snapshot, GuestConfigSpace guest) {
    this.layout = layout;
    this.snapshot = snapshot;
    this.guest = guest;
  }

  /**
   * Explains all of config space: the ranges are ascending, and leave out nothing.
   *
   * @param device that nobody uses
   * @throws IllegalArgumentException as {@link ConfigLayout#of}
   */
  public static List<ExplainedRange> of(PciDevice device, ConfigPolicy policy) {
    DeviceSnapshot snapshot = DeviceSnapshot.of(device);
    ConfigLayout layout = ConfigLayout.of(snapshot, policy);
    GuestConfigSpace guest =
        new GuestConfigSpace(
            device.name(), layout, snapshot, device.config(), (_, _, _, _, _, _) -> {});
    return new PolicyExplanation(layout, snapshot, guest).ranges();
  }

  private List<ExplainedRange> ranges() {
    List<ExplainedRange> ranges = new ArrayList<>();
    int offset = 0;
    while (offset < layout.size()) {
      ConfigField field = layout.fieldAt(offset);
      ExplainedRange next = field == null ? range(offset) : field(field);
      ranges.add(next);
      offset += next.length();
    }
    return ranges;
  }

  private ExplainedRange field(ConfigField field) {
    int writeMask = 0;
    for (int i = 0; i < field.rule().width(); i++) {
      writeMask |= layout.writeMask(field.offset() + i) << (8 * i);
    }
    return new ExplainedRange(
        field.offset(),
        field.rule().width(),
        field.rule().name(),
        field.part(),
        OptionalInt.of(guest.read(field.offset(), field.rule().width())),
        field.rule().readMask(),
        writeMask,
        write(field, writeMask),
        rule(field));
  }

  private static String write(ConfigField field, int writeMask) {
    if (field.rule().effect() != Effect.PLAIN) {
      return field.rule().effect().write();
    }
    if (writeMask == 0) {
      return DROPPED;
    }
    return writeMask == FieldRule.ones(field.rule().width()) ? REACHES : Effect.PLAIN.write();
  }

  private String rule(ConfigField field) {
    ConfigPolicy policy = layout.policy();
    if (field.part().equals(ConfigLayout.QUIRK)) {
      return "quirks";
    }
    String rule =
        capabilityAt(field.offset())
            .filter(BuiltInRules::isHidden)
            .map(PolicyExplanation::shownBy)
            .orElse("built-in, " + field.part());
    if (policy.permissive() && field.rule().permissiveMask() != 0) {
      rule += ", permissive";
    }
    return policy.allowInterruptControl()
            && (field.rule().effect() == Effect.COMMAND
                || field.rule().effect() == Effect.MSI_CONTROL
                || field.rule().effect() == Effect.MSIX_CONTROL)
        ? rule + ", allow-interrupt-control"
        : rule;
  }

  /** What no field governs, from there to the next field or to where that changes. */
  private ExplainedRange range(int offset) {
    boolean hidden = layout.isHidden(offset);
    Optional<Capability> capability = capabilityAt(offset);
    int end = offset + 1;
    while (end < layout.size()
        && layout.fieldAt(end) == null
        && layout.isHidden(end) == hidden
        && capabilityAt(end).equals(capability)) {
      end++;
    }
    if (hidden) {
      return new ExplainedRange(
          offset,
          end - offset,
          "hidden: reads as zero, not linked",
          capability.map(Capability::name).orElse("header"),
          OptionalInt.empty(),
          0,
          0,
          DROPPED,
          capability.map(PolicyExplanation::hiddenBy).orElse("built-in, header"));
    }
    boolean permissive = layout.policy().permissive();
    return new ExplainedRange(
        offset,
        end - offset,
        "unlisted",
        // Behind a capability whose length nobody knows: its own, or nothing.
        capability.map(c -> c.name() + " or behind").orElse("header"),
        OptionalInt.empty(),
        -1,
        permissive ? -1 : 0,
        permissive ? "reaches the hardware, unless it touches a listed field too" : DROPPED,
        permissive ? "permissive" : "default deny");
  }

  /** The capability that starts there or before, and after which no other starts. */
  private Optional<Capability> capabilityAt(int offset) {
    boolean extended = offset >= ConfigRegisters.EXTENDED;
    return snapshot.capabilities().list().stream()
        .filter(c -> c.extended() == extended && c.offset() <= offset)
        .max(Comparator.comparingInt(Capability::offset));
  }

  private static String hiddenBy(Capability capability) {
    String name = BuiltInRules.policyName(capability);
    return BuiltInRules.hiddenNames().contains(name)
        ? "built-in, hidden; 'show: [" + name + "]' would show it"
        : "built-in, hidden: unknown";
  }

  private static String shownBy(Capability capability) {
    return "show: [" + BuiltInRules.policyName(capability) + "]";
  }
}
