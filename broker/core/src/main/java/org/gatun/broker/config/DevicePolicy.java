package org.gatun.broker.config;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.policy.ConfigPolicy;
import org.gatun.pci.DeviceName;
import org.gatun.pci.spi.Hazard;

/**
 * What a policy file says of a device, or of all devices of one kind.
 *
 * @param match which it is about
 * @param config what a guest may do with config space
 * @param bars as in {@link DeviceRequest}
 * @param vectors as in {@link DeviceRequest}
 * @param accepted as in {@link DeviceRequest}
 * @param onRelease what becomes of the device when its guest has let go of it; empty for what is
 *     usual for its class
 */
public record DevicePolicy(
    Match match,
    ConfigPolicy config,
    Map<Integer, List<DeviceRequest.BarPart>> bars,
    int vectors,
    Set<Hazard> accepted,
    Optional<OnRelease> onRelease) {

  /** Which devices a policy is about. */
  public sealed interface Match {
    /** One device. */
    record Named(DeviceName device) implements Match {
      @Override
      public String toString() {
        return device.toString();
      }
    }

    /**
     * All devices with these ids, of 16 bits each, that have no policy of their own.
     *
     * @param vendor who made it
     * @param device what it is
     */
    record Id(int vendor, int device) implements Match {
      @Override
      public String toString() {
        return "%04x:%04x".formatted(vendor, device);
      }
    }
  }

  /** Copies the collections. */
  public DevicePolicy {
    bars = Map.copyOf(bars);
    accepted = Set.copyOf(accepted);
  }

  /** The same with the name that a broker has for its device, if it is about one. */
  DevicePolicy named(UnaryOperator<DeviceName> nameOf) {
    return match instanceof Match.Named(DeviceName device)
        ? new DevicePolicy(
            new Match.Named(nameOf.apply(device)), config, bars, vectors, accepted, onRelease)
        : this;
  }

  /** Asks for a device under this policy. */
  public DeviceRequest request(DeviceName device) {
    return new DeviceRequest(device, config, bars, vectors, accepted);
  }
}
