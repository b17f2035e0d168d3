package org.gatun.broker;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The owned devices of one IOMMU group, which go to one guest or to none: they reach each other's
 * memory. Its monitor guards it and its devices.
 */
final class OwnedGroup {
  private final Optional<Integer> number;
  private final List<OwnedDevice> devices = new ArrayList<>();
  private @Nullable Grant grant;

  /** How many of the devices the guest has. */
  private int granted;

  OwnedGroup(Optional<Integer> number) {
    this.number = number;
  }

  Optional<Integer> number() {
    return number;
  }

  List<OwnedDevice> devices() {
    return devices;
  }

  @Nullable Grant grant() {
    return grant;
  }

  void granted(Grant to) {
    grant = to;
    granted++;
  }

  /** One of the devices came back; whether it was the last. */
  boolean returned() {
    granted--;
    if (granted == 0) {
      grant = null;
      return true;
    }
    return false;
  }

  @Override
  public String toString() {
    String members =
        devices.stream().map(d -> d.name().toString()).collect(Collectors.joining(", "));
    return number.map(n -> "IOMMU group " + n + " (" + members + ")").orElse(members);
  }
}
