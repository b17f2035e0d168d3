package org.gatun.broker.service;

import com.fasterxml.jackson.core.type.TypeReference;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.gatun.broker.config.OnRelease;
import org.gatun.pci.DeviceName;

/**
 * Whose data devices keep, on the disk before it can be on the device. What a device keeps of a
 * guest that leaves it to anybody is not noted. Any thread.
 */
final class HolderStore {
  private static final String GUEST = "guest";
  private static final String ON_RELEASE = "onRelease";

  /**
   * Who has a device, or had it last.
   *
   * @param onRelease what becomes of it then, by the policy under which the guest got it
   */
  record Holder(String guest, OnRelease onRelease) {}

  private final StateFile file;
  private final Map<String, Map<String, String>> holders;

  private HolderStore(StateFile file, Map<String, Map<String, String>> holders) {
    this.file = file;
    this.holders = holders;
  }

  /**
   * Reads the file, if it is there.
   *
   * @throws IOException if it can't be read, or is not what {@link #put} writes
   */
  static HolderStore open(Path path) throws IOException {
    StateFile file = new StateFile(path);
    try {
      HolderStore store =
          new HolderStore(
              file,
              file.read(new TypeReference<TreeMap<String, Map<String, String>>>() {})
                  .orElseGet(TreeMap::new));
      store.holders.keySet().forEach(device -> store.holder(DeviceName.parse(device)));
      return store;
    } catch (IllegalArgumentException e) {
      throw file.wrong("if it is removed, any guest gets what the last one left on a device", e);
    }
  }

  /** Whose data a device keeps. */
  synchronized Optional<Holder> holder(DeviceName device) {
    return Optional.ofNullable(holders.get(device.toString())).map(HolderStore::holder);
  }

  private static Holder holder(Map<String, String> fields) {
    String guest = fields.get(GUEST);
    String onRelease = fields.get(ON_RELEASE);
    if (guest == null || onRelease == null) {
      throw new IllegalArgumentException("a holder has a guest and a step, not " + fields);
    }
    return new Holder(guest, OnRelease.parse(onRelease));
  }

  /**
   * Notes whose data a device keeps, and returns when that is on the disk.
   *
   * @param holder empty for nobody's
   * @throws IOException if it is not; then what was noted before counts
   */
  synchronized void put(DeviceName device, Optional<Holder> holder) throws IOException {
    if (holder(device).equals(holder)) {
      return;
    }
    Map<String, Map<String, String>> next = new TreeMap<>(holders);
    holder.ifPresentOrElse(
        h ->
            next.put(device.toString(), Map.of(GUEST, h.guest(), ON_RELEASE, h.onRelease().text())),
        () -> next.remove(device.toString()));
    file.write(next);
    holders.clear();
    holders.putAll(next);
  }
}
