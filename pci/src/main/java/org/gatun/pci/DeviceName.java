package org.gatun.pci;

import java.util.regex.Pattern;

/**
 * How a device is named: the scheme of the backend that opens it, a colon, and text that only that
 * backend understands: {@code vfio:0000:00:04.0}, {@code simulated:nvme,size=1G}.
 *
 * @param scheme lower-case letters, digits and hyphens, a letter first
 * @param text not empty, no control characters
 */
public record DeviceName(String scheme, String text) {
  private static final Pattern SCHEME = Pattern.compile("[a-z][a-z0-9-]*");

  /**
   * @throws IllegalArgumentException if either part breaks its rule
   */
  public DeviceName {
    if (!SCHEME.matcher(scheme).matches()) {
      throw new IllegalArgumentException(
          "'"
              + scheme
              + "' is not a scheme: lower-case letters, digits and hyphens, a letter first");
    }
    if (text.isEmpty() || text.chars().anyMatch(Character::isISOControl)) {
      throw new IllegalArgumentException(
          "a device name needs text after '" + scheme + ":', without control characters");
    }
  }

  /**
   * Parses {@code scheme:text}.
   *
   * @throws IllegalArgumentException if there is no scheme or no text
   */
  public static DeviceName parse(String name) {
    int colon = name.indexOf(':');
    if (colon < 0) {
      throw new IllegalArgumentException(
          "'" + name + "' has no scheme: name a device like vfio:0000:00:04.0 or simulated:nvme");
    }
    return new DeviceName(name.substring(0, colon), name.substring(colon + 1));
  }

  @Override
  public String toString() {
    return scheme + ":" + text;
  }
}
