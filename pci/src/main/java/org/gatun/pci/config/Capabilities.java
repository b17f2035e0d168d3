package org.gatun.pci.config;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;

/**
 * What both capability lists of a device hold. The lists are the device's word: the walk ends on
 * loops, on pointers into the header or out of config space, and on all ones.
 *
 * @param list in the order of the walk, conventional ones first
 * @param faults what was wrong with the lists, for people; empty for a sound device
 */
public record Capabilities(List<Capability> list, List<String> faults) {
  private static final int ALL_ONES = 0xff;

  /** Copies both lists. */
  public Capabilities {
    list = List.copyOf(list);
    faults = List.copyOf(faults);
  }

  /** Walks both lists. */
  public static Capabilities walk(ConfigSpace config) {
    List<Capability> found = new ArrayList<>();
    List<String> faults = new ArrayList<>();
    if (config.read16(ConfigRegisters.VENDOR_ID) == 0xffff) {
      faults.add("config space reads as all ones: no device answers");
      return new Capabilities(found, faults);
    }
    walkConventional(config, found, faults);
    walkExtended(config, found, faults);
    return new Capabilities(found, faults);
  }

  /** The first conventional capability with that id. */
  public Optional<Capability> find(int id) {
    return list.stream().filter(c -> !c.extended() && c.id() == id).findFirst();
  }

  /** The first extended capability with that id. */
  public Optional<Capability> findExtended(int id) {
    return list.stream().filter(c -> c.extended() && c.id() == id).findFirst();
  }

  private static void walkConventional(
      ConfigSpace config, List<Capability> found, List<String> faults) {
    if ((config.read16(ConfigRegisters.STATUS) & ConfigRegisters.STATUS_CAPABILITIES) == 0) {
      return;
    }
    BitSet seen = new BitSet();
    // The two low bits are reserved and to be masked (PCI Local Bus Specification 3.0, 6.7).
    int pointer = config.read8(ConfigRegisters.CAPABILITIES_POINTER) & ~3;
    while (pointer != 0) {
      if (pointer < ConfigRegisters.HEADER_END) {
        faults.add("capability pointer 0x%02x points into the header".formatted(pointer));
        return;
      }
      if (seen.get(pointer)) {
        faults.add("capability list loops at 0x%02x".formatted(pointer));
        return;
      }
      seen.set(pointer);
      int id = config.read8(pointer);
      if (id == ALL_ONES) {
        faults.add("capability at 0x%02x reads as all ones".formatted(pointer));
        return;
      }
      // Id 0 is the null capability: it only links on.
      if (id != 0) {
        found.add(new Capability(id, 0, pointer, false));
      }
      pointer = config.read8(pointer + 1) & ~3;
    }
  }

  private static void walkExtended(
      ConfigSpace config, List<Capability> found, List<String> faults) {
    BitSet seen = new BitSet();
    int pointer = ConfigRegisters.EXTENDED;
    while (pointer != 0 && pointer <= config.size() - 4) {
      if (pointer < ConfigRegisters.EXTENDED) {
        faults.add("extended capability pointer 0x%03x points below 0x100".formatted(pointer));
        return;
      }
      if (seen.get(pointer)) {
        faults.add("extended capability list loops at 0x%03x".formatted(pointer));
        return;
      }
      seen.set(pointer);
      // PCI Express Base Specification, 7.6.3: id, version, next; all zero ends an empty list.
      int header = config.read32(pointer);
      if (header == 0) {
        return;
      }
      if (header == -1) {
        faults.add("extended capability at 0x%03x reads as all ones".formatted(pointer));
        return;
      }
      int id = header & 0xffff;
      if (id != 0) {
        found.add(new Capability(id, (header >>> 16) & 0xf, pointer, true));
      }
      pointer = (header >>> 20) & ~3;
    }
  }
}
