package org.gatun.broker.config;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.spi.EraseMethod;

/** What becomes of a device, and of the data on it, when its guest has let go of it. */
public enum OnRelease {
  /** Anybody gets it next, with what is on it. */
  NOTHING,
  /** Only the same guest gets it, until it was erased. */
  KEEP,
  /** It is formatted; until that has succeeded, as {@link #KEEP}. */
  FORMAT,
  /** It is sanitized; until that has succeeded, as {@link #KEEP}. */
  SANITIZE,
  /** Nobody gets it, until an administrator has erased or cleared it. */
  QUARANTINE;

  /** PCI Code and ID Assignment Specification, 1.2. */
  private static final int MASS_STORAGE = 0x01;

  /** What holds if a policy says nothing. */
  public static OnRelease byDefault(PciClass pciClass) {
    return pciClass.base() == MASS_STORAGE ? KEEP : NOTHING;
  }

  /** How the device is erased then; empty if it is not. */
  public Optional<EraseMethod> method() {
    return switch (this) {
      case FORMAT -> Optional.of(EraseMethod.FORMAT);
      case SANITIZE -> Optional.of(EraseMethod.SANITIZE);
      case NOTHING, KEEP, QUARANTINE -> Optional.empty();
    };
  }

  /** As a policy file has it. */
  public String text() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * Finds one by its text.
   *
   * @throws IllegalArgumentException if there is none
   */
  public static OnRelease parse(String text) {
    return Arrays.stream(values())
        .filter(step -> step.text().equals(text))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "'%s' is no step; there are %s"
                        .formatted(
                            text,
                            Arrays.stream(values())
                                .map(OnRelease::text)
                                .collect(Collectors.joining(", ")))));
  }
}
