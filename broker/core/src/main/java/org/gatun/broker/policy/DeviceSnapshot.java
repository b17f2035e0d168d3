package org.gatun.broker.policy;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.gatun.pci.Bar;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.BarRegister;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSnapshot;
import org.gatun.pci.config.ConfigSpace;

/**
 * A device as it was when it was seized. All decisions of the broker rest on it, never on what the
 * hardware says later (XSA-337).
 *
 * @param config all of config space
 * @param capabilities what its lists hold
 * @param bars those that the device has, with their sizes
 * @param rom its expansion ROM, if it has one: the address, and a size of at least 2048 bytes
 */
public record DeviceSnapshot(
    ConfigSnapshot config, Capabilities capabilities, List<BarRegister> bars, Optional<Rom> rom) {

  /** An expansion ROM. */
  public record Rom(int address, int size) {}

  /** Bits 31 to 11 of the ROM's register (PCI 3.0, 6.2.5.2). */
  static final int ROM_ADDRESS = 0xffff_f800;

  /** Copies the list. */
  public DeviceSnapshot {
    bars = List.copyOf(bars);
  }

  /** Of a device that nobody uses: the size of its ROM is asked for by writing to the register. */
  public static DeviceSnapshot of(PciDevice device) {
    ConfigSnapshot config = ConfigSnapshot.of(device.config());
    List<BarRegister> bars = new ArrayList<>();
    for (BarRegister bar : BarRegister.decode(config)) {
      Optional<Bar> opened = device.bar(bar.index());
      if (opened.isPresent()) {
        bars.add(
            new BarRegister(
                bar.index(),
                bar.io(),
                bar.wide(),
                bar.prefetchable(),
                bar.address(),
                opened.get().size()));
      }
    }
    return new DeviceSnapshot(
        config, Capabilities.walk(config), bars, rom(config, device.config()));
  }

  /** Whether BARs are of the same kinds and sizes, and the tables of MSI-X in the same places. */
  public boolean hasSameRegisters(DeviceSnapshot other) {
    return shapes().equals(other.shapes()) && msix().equals(other.msix());
  }

  /** But for the addresses, which who configures the bus may change. */
  private List<BarRegister> shapes() {
    return bars.stream()
        .map(b -> new BarRegister(b.index(), b.io(), b.wide(), b.prefetchable(), 0, b.size()))
        .toList();
  }

  /** Size, table and pending bits (PCI 3.0, 6.8.2); empty without MSI-X. */
  private List<Integer> msix() {
    return capabilities
        .find(Capability.MSIX)
        .filter(c -> c.offset() + 12 <= config.size())
        .map(
            c ->
                List.of(
                    config.read16(c.offset() + 2) & 0x7ff,
                    config.read32(c.offset() + 4),
                    config.read32(c.offset() + 8)))
        .orElse(List.of());
  }

  /** Whether it has a bridge's header. */
  boolean isBridge() {
    return headerType(config) == 1;
  }

  private static Optional<Rom> rom(ConfigSpace snapshot, ConfigSpace hardware) {
    int register =
        switch (headerType(snapshot)) {
          case 0 -> ConfigRegisters.ROM;
          case 1 -> ConfigRegisters.BRIDGE_ROM;
          default -> -1;
        };
    if (register < 0) {
      return Optional.empty();
    }
    int address = snapshot.read32(register);
    hardware.write32(register, ROM_ADDRESS);
    int mask = hardware.read32(register) & ROM_ADDRESS;
    hardware.write32(register, address);
    return mask == 0
        ? Optional.empty()
        : Optional.of(new Rom(address & ROM_ADDRESS, Integer.lowestOneBit(mask)));
  }

  private static int headerType(ConfigSpace config) {
    return config.read8(ConfigRegisters.HEADER_TYPE) & ConfigRegisters.HEADER_TYPE_MASK;
  }
}
