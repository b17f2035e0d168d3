package org.gatun.simulated.trace;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.gatun.pci.Bar;
import org.gatun.pci.BusRange;
import org.gatun.pci.Interrupts;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;

/**
 * What a device was that was recorded.
 *
 * @param name of the device, for people
 * @param config its config space, before anything was done to it
 * @param vectors how many it has of each kind of interrupts
 * @param usable which bus addresses can be mapped
 */
@SuppressWarnings("ArrayRecordComponent") // made once, and looked at by us only
record RecordedDevice(
    String name,
    byte[] config,
    Map<Interrupts.Kind, Integer> vectors,
    List<RecordedBar> bars,
    List<BusRange> usable) {

  /** A BAR; all of its memory is trapped. */
  record RecordedBar(int index, Bar.Kind kind, long size, boolean prefetchable) {
    RecordedBar {
      if (index < 0 || index > 5 || size < 4 || Long.bitCount(size) != 1) {
        throw new IllegalArgumentException("no such BAR: %d, 0x%x bytes".formatted(index, size));
      }
    }
  }

  RecordedDevice {
    if (config.length != ConfigRegisters.CONVENTIONAL_SIZE
        && config.length != ConfigRegisters.EXPRESS_SIZE) {
      throw new IllegalArgumentException("no config space has " + config.length + " bytes");
    }
    bars = List.copyOf(bars);
    usable = List.copyOf(usable);
  }

  /**
   * @throws IllegalArgumentException if the device has no such register
   */
  void check(Access access) {
    boolean register = access.kind() == Access.Kind.READ || access.kind() == Access.Kind.WRITE;
    if (register && access.address() > size(access.space()) - access.length()) {
      throw new IllegalArgumentException("the device has no such register: " + access);
    }
  }

  private long size(int space) {
    return space == Access.CONFIG
        ? config.length
        : bars.stream().filter(b -> b.index() == space).mapToLong(RecordedBar::size).sum();
  }

  static RecordedDevice of(PciDevice device) {
    ConfigSpace space = device.config();
    byte[] config = new byte[space.size()];
    for (int offset = 0; offset < config.length; offset += Integer.BYTES) {
      int value = space.read32(offset);
      for (int i = 0; i < Integer.BYTES; i++) {
        config[offset + i] = (byte) (value >>> (8 * i));
      }
    }
    return new RecordedDevice(
        device.name().toString(),
        config,
        Stream.of(Interrupts.Kind.values())
            .collect(Collectors.toMap(k -> k, k -> device.interrupts().count(k))),
        device.bars().stream()
            .map(b -> new RecordedBar(b.index(), b.kind(), b.size(), b.prefetchable()))
            .toList(),
        device.dma().usableRanges());
  }
}
