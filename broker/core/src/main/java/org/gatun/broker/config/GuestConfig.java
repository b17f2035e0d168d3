package org.gatun.broker.config;

import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.gatun.broker.Quota;
import org.gatun.pci.DeviceName;

/**
 * A guest in a policy file.
 *
 * @param name letters, digits, dots, hyphens and underscores; unlike those of the other guests
 * @param devices what it gets from the start; none that another guest gets
 * @param quota what it may use of the host
 * @param uids whose processes may use its devices; empty for root and the broker's user
 * @param gid of the group that may look into its grant directory; empty for the broker's
 * @param program that the broker runs for each of its devices; empty if it comes by itself
 */
public record GuestConfig(
    String name,
    List<DeviceName> devices,
    Quota quota,
    Set<Integer> uids,
    OptionalInt gid,
    Optional<GuestProgram> program) {
  /** Copies the collections. */
  public GuestConfig {
    devices = List.copyOf(devices);
    uids = Set.copyOf(uids);
  }

  /** The same with the names that a broker has for its devices. */
  GuestConfig named(UnaryOperator<DeviceName> nameOf) {
    return new GuestConfig(name, devices.stream().map(nameOf).toList(), quota, uids, gid, program);
  }
}
