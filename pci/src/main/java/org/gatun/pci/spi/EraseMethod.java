package org.gatun.pci.spi;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** How data is erased from a device. */
public enum EraseMethod {
  /** What can be addressed is erased: of a disk, its namespaces. Seconds to minutes. */
  FORMAT,
  /** All that the device keeps of its users' data is erased, caches and spares too. To hours. */
  SANITIZE;

  /** In a policy file, and on a command line. */
  public String text() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * Finds one by its text.
   *
   * @throws IllegalArgumentException if there is none
   */
  public static EraseMethod parse(String text) {
    return Arrays.stream(values())
        .filter(method -> method.text().equals(text))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "'%s' erases nothing; there are %s"
                        .formatted(
                            text,
                            Arrays.stream(values())
                                .map(EraseMethod::text)
                                .collect(Collectors.joining(", ")))));
  }
}
