package org.gatun.broker.policy;

import java.util.List;
import java.util.Set;

/**
 * What a grant changes in the built-in rules, as long as it lasts.
 *
 * @param permissive whether writes that no rule speaks of reach the hardware
 * @param allowInterruptControl whether the guest may switch MSI, MSI-X and INTx through config
 *     space
 * @param show names of capabilities, of those that are hidden, which the guest sees: {@code
 *     vendor-specific}
 * @param quirks registers that the guest may write besides
 */
public record ConfigPolicy(
    boolean permissive, boolean allowInterruptControl, Set<String> show, List<Quirk> quirks) {
  /** The built-in rules as they are. */
  public static final ConfigPolicy STRICT = new ConfigPolicy(false, false, Set.of(), List.of());

  /**
   * Copies the collections.
   *
   * @throws IllegalArgumentException if a name to show is none of a hidden capability
   */
  public ConfigPolicy {
    show = Set.copyOf(show);
    quirks = List.copyOf(quirks);
    for (String name : show) {
      if (!BuiltInRules.hiddenNames().contains(name)) {
        throw new IllegalArgumentException(
            "'%s' is not a hidden capability; hidden are %s"
                .formatted(name, String.join(", ", BuiltInRules.hiddenNames())));
      }
    }
  }
}
