package org.gatun.broker;

import java.util.List;
import java.util.Map;
import java.util.Set;
import org.gatun.broker.policy.ConfigPolicy;
import org.gatun.pci.DeviceName;
import org.gatun.pci.spi.Hazard;

/**
 * What of a device is to be granted.
 *
 * @param config what the guest may do with config space
 * @param bars the parts of BARs that the guest gets, by index; a BAR that is not named is the
 *     guest's as a whole, one with no parts is not
 * @param vectors how many interrupt vectors the guest may enable
 * @param accepted what speaks against granting the device, and is accepted
 */
public record DeviceRequest(
    DeviceName device,
    ConfigPolicy config,
    Map<Integer, List<BarPart>> bars,
    int vectors,
    Set<Hazard> accepted) {
  /** As many as MSI-X has. */
  public static final int ALL_VECTORS = 2048;

  /**
   * Bytes of a BAR.
   *
   * @param offset a multiple of 8
   * @param length greater than 0, a multiple of 8
   */
  public record BarPart(long offset, long length) {
    /**
     * @throws IllegalArgumentException if a number breaks its rule
     */
    public BarPart {
      if (offset < 0
          || length <= 0
          || (offset | length) % 8 != 0
          || offset > Long.MAX_VALUE - length) {
        throw new IllegalArgumentException(
            "no part of a BAR: offset 0x%x, length 0x%x: multiples of 8".formatted(offset, length));
      }
    }

    boolean contains(long otherOffset, long otherLength) {
      return otherOffset >= offset && otherOffset - offset <= length - otherLength;
    }
  }

  /**
   * Copies the collections.
   *
   * @throws IllegalArgumentException if a number is out of its range
   */
  public DeviceRequest {
    bars = Map.copyOf(bars);
    accepted = Set.copyOf(accepted);
    if (vectors < 0 || vectors > ALL_VECTORS) {
      throw new IllegalArgumentException(
          device + ": a guest gets 0 to " + ALL_VECTORS + " vectors, not " + vectors);
    }
    for (int index : bars.keySet()) {
      if (index < 0 || index > 5) {
        throw new IllegalArgumentException(device + ": there is no BAR " + index);
      }
    }
  }

  /** All of a device, under the built-in policy. */
  public static DeviceRequest of(DeviceName device) {
    return new DeviceRequest(device, ConfigPolicy.STRICT, Map.of(), ALL_VECTORS, Set.of());
  }

  /** The same, with another policy. */
  public DeviceRequest withConfig(ConfigPolicy policy) {
    return new DeviceRequest(device, policy, bars, vectors, accepted);
  }

  /** The same, with parts of BARs. */
  public DeviceRequest withBars(Map<Integer, List<BarPart>> parts) {
    return new DeviceRequest(device, config, parts, vectors, accepted);
  }

  /** The same, with so many vectors at most. */
  public DeviceRequest withVectors(int limit) {
    return new DeviceRequest(device, config, bars, limit, accepted);
  }

  /** The same, with hazards that are accepted. */
  public DeviceRequest accepting(Hazard... hazards) {
    return new DeviceRequest(device, config, bars, vectors, Set.of(hazards));
  }
}
