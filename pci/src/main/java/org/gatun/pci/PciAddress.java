package org.gatun.pci;

import java.util.Comparator;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where a function sits, as Linux writes it: {@code 0000:00:04.0}. A property of devices that were
 * found on a bus; not every {@link PciDevice} has one.
 *
 * @param domain 0 to 0xffffffff (Linux numbers VMD domains from 0x10000)
 * @param bus 0 to 255
 * @param device 0 to 31
 * @param function 0 to 7
 */
public record PciAddress(int domain, int bus, int device, int function)
    implements Comparable<PciAddress> {
  private static final Pattern TEXT =
      Pattern.compile("(?:([0-9a-fA-F]{4,8}):)?([0-9a-fA-F]{2}):([01][0-9a-fA-F])\\.([0-7])");
  private static final Comparator<PciAddress> ORDER =
      Comparator.<PciAddress>comparingLong(a -> Integer.toUnsignedLong(a.domain))
          .thenComparingInt(PciAddress::bus)
          .thenComparingInt(PciAddress::device)
          .thenComparingInt(PciAddress::function);

  /**
   * @throws IllegalArgumentException if a part is out of its range
   */
  public PciAddress {
    if (bus < 0 || bus > 255 || device < 0 || device > 31 || function < 0 || function > 7) {
      throw new IllegalArgumentException(
          "no such PCI address: bus " + bus + ", device " + device + ", function " + function);
    }
  }

  /**
   * Parses {@code dddd:bb:dd.f}, or {@code bb:dd.f} in domain 0.
   *
   * @throws IllegalArgumentException if it is not one
   */
  public static PciAddress parse(String text) {
    return find(text)
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "'" + text + "' is not a PCI address: write it like 0000:00:04.0"));
  }

  /** As {@link #parse}, but empty if the text is not an address. */
  public static Optional<PciAddress> find(String text) {
    Matcher m = TEXT.matcher(text);
    if (!m.matches()) {
      return Optional.empty();
    }
    int domain = m.group(1) == null ? 0 : Integer.parseUnsignedInt(m.group(1), 16);
    return Optional.of(
        new PciAddress(
            domain,
            Integer.parseInt(m.group(2), 16),
            Integer.parseInt(m.group(3), 16),
            Integer.parseInt(m.group(4))));
  }

  /** Whether both are functions of the same device. */
  public boolean isSiblingOf(PciAddress other) {
    return domain == other.domain && bus == other.bus && device == other.device;
  }

  @Override
  public int compareTo(PciAddress other) {
    return ORDER.compare(this, other);
  }

  @Override
  public String toString() {
    return "%04x:%02x:%02x.%d".formatted(domain, bus, device, function);
  }
}
