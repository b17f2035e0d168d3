package org.gatun.broker.service;

import com.fasterxml.jackson.core.type.TypeReference;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.gatun.broker.config.GuestConfig;
import org.gatun.pci.DeviceName;

/**
 * What was granted and revoked while the broker ran, so that it holds when it runs again: a file
 * that says of a device which guest it goes to, if that is not what the policy file says. Any
 * thread.
 */
final class GrantStore {
  private final StateFile file;

  /** By device: the guest, or the empty text for none. */
  private final Map<String, String> decisions;

  private GrantStore(StateFile file, Map<String, String> decisions) {
    this.file = file;
    this.decisions = decisions;
  }

  /**
   * Reads the file, if it is there.
   *
   * @throws IOException if it can't be read, or is not what {@link #decide} writes
   */
  static GrantStore open(Path path) throws IOException {
    StateFile file = new StateFile(path);
    try {
      Map<String, String> decisions =
          file.read(new TypeReference<TreeMap<String, String>>() {}).orElseGet(TreeMap::new);
      decisions.keySet().forEach(DeviceName::parse);
      return new GrantStore(file, decisions);
    } catch (IllegalArgumentException e) {
      throw file.wrong("remove it to grant what the policy file says", e);
    }
  }

  /** What a guest gets: what the policy file says, changed by what was decided. */
  synchronized List<DeviceName> devices(GuestConfig guest) {
    Set<DeviceName> devices = new LinkedHashSet<>();
    for (DeviceName device : guest.devices()) {
      if (decisions.getOrDefault(device.toString(), guest.name()).equals(guest.name())) {
        devices.add(device);
      }
    }
    decisions.forEach(
        (device, owner) -> {
          if (owner.equals(guest.name())) {
            devices.add(DeviceName.parse(device));
          }
        });
    return new ArrayList<>(devices);
  }

  /**
   * Notes where a device goes from now on, and returns when that is on the disk.
   *
   * @param guest empty for none
   * @throws IOException if it is not; then what was noted before counts
   */
  synchronized void decide(DeviceName device, Optional<String> guest) throws IOException {
    Map<String, String> next = new TreeMap<>(decisions);
    next.put(device.toString(), guest.orElse(""));
    file.write(next);
    decisions.putAll(next);
  }
}
