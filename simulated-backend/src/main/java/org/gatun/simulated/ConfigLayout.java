package org.gatun.simulated;

import java.util.HashMap;
import java.util.Map;
import org.gatun.pci.Bar;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.simulated.CapabilityDescription.Register;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.FunctionDescription.Msix;
import org.gatun.simulated.FunctionDescription.Trait;
import org.gatun.simulated.SimulatedFunction.Slot;
import org.gatun.simulated.VirtualFunctions.Places;
import org.jspecify.annotations.Nullable;

/**
 * Config space laid out from a description: the registers after power-up, which of their bits a
 * write changes and which a written 1 clears, and where the capabilities are.
 */
final class ConfigLayout {
  private static final int BAR_IO = 1;
  private static final int BAR_64_BIT = 4;
  private static final int BAR_PREFETCHABLE = 8;

  private static final int MSI_64_BIT = 1 << 7;
  private static final int MSI_MASKS = 1 << 8;
  private static final int MSI_MULTIPLE_CAPABLE_SHIFT = 1;
  private static final int MSI_LENGTH = 0x10;
  private static final int MSI_LENGTH_WITH_MASKS = 0x18;
  private static final int MSIX_LENGTH = 0x0c;

  /** All that PCI Local Bus Specification 3.0, 6.2.2 defines. */
  private static final int COMMAND_BITS = 0x7ff;

  /** Errors, from master data parity to detected parity (6.2.3): a written 1 clears them. */
  private static final int STATUS_ERRORS = 0xf900;

  private static final int BIST_CAPABLE = 1 << 7;
  private static final int BIST_START = 1 << 6;
  private static final int BIST_CODE = 0xf;
  private static final int ROM_ENABLE = 1;

  /** The type 1 header (PCI-to-PCI Bridge Architecture Specification 1.2, 3.2.5). */
  static final int BUS_NUMBERS = 0x18;

  private static final int SECONDARY_LATENCY = 0x1b;
  private static final int IO_WINDOW = 0x1c;
  static final int SECONDARY_STATUS = 0x1e;
  private static final int MEMORY_WINDOW = 0x20;
  private static final int PREFETCHABLE_WINDOW = 0x24;
  private static final int PREFETCHABLE_UPPER = 0x28;
  private static final int IO_WINDOW_UPPER = 0x30;
  private static final int BRIDGE_ROM = 0x38;
  static final int BRIDGE_CONTROL = 0x3e;
  private static final int BRIDGE_CONTROL_BITS = 0xfff;

  /** Extended capabilities start at multiples of this, with gaps between them. */
  private static final int EXTENDED_ALIGNMENT = 0x10;

  final RegisterBytes values;
  final RegisterBytes writable;
  final RegisterBytes clearable;

  /** Where the capability of its virtual functions is; 0 if it has none. */
  final int singleRoot;

  /** Where the window to its BARs is, the last if there are several; null if it has none. */
  @Nullable ConfigWindow window;

  private final Map<Integer, Integer> conventional = new HashMap<>();
  private final RegisterBytes owned;
  private int nextConventional = ConfigRegisters.HEADER_END;
  private int nextExtended = ConfigRegisters.EXTENDED;
  private int lastConventional;
  private int lastExtended;

  /**
   * @param virtual whether it is a virtual function, which lacks most of the header (PCI Express
   *     Base Specification 5.0, 9.3.4.1)
   * @throws IllegalArgumentException if the capabilities do not fit
   */
  ConfigLayout(FunctionDescription function, Slot slot, boolean virtual) {
    int size =
        function.express() ? ConfigRegisters.EXPRESS_SIZE : ConfigRegisters.CONVENTIONAL_SIZE;
    values = new RegisterBytes(size);
    writable = new RegisterBytes(size);
    clearable = new RegisterBytes(size);
    owned = new RegisterBytes(size);
    if (virtual) {
      virtualHeader(function);
    } else {
      header(function);
      function.bars().forEach(bar -> bar(bar, slot.barAddresses().getOrDefault(bar.index(), 0L)));
    }
    if (slot.windows() != null) {
      bridge(slot.windows());
    }
    if (function.romSize() > 0) {
      int offset = function.bridge() ? BRIDGE_ROM : ConfigRegisters.ROM;
      writable.put(offset, 4, (int) -function.romSize() | ROM_ENABLE);
    }
    if (function.interrupts().msiVectors() > 0) {
      msi(function.interrupts().msiVectors(), function.interrupts().msiMasks());
    }
    function.interrupts().msix().ifPresent(this::msix);
    for (CapabilityDescription capability : function.capabilities()) {
      capability(capability);
    }
    Places places = slot.virtualPlaces();
    singleRoot =
        places == null
            ? 0
            : linkExtended(
                StandardCapabilities.singleRoot(
                    function.virtualFunctions().orElseThrow(), places, slot.routingId()));
    if (function.traits().contains(Trait.UNDOCUMENTED_REGISTERS)) {
      gaps();
    }
  }

  /** Where the first conventional capability with that id is; 0 if there is none. */
  int find(int id) {
    return conventional.getOrDefault(id, 0);
  }

  private void header(FunctionDescription function) {
    values.put(ConfigRegisters.VENDOR_ID, 2, function.id().vendor());
    values.put(ConfigRegisters.DEVICE_ID, 2, function.id().device());
    values.put(ConfigRegisters.COMMAND, 2, command(function));
    writable.put(ConfigRegisters.COMMAND, 2, COMMAND_BITS);
    clearable.put(ConfigRegisters.STATUS, 2, STATUS_ERRORS);
    values.put(
        ConfigRegisters.REVISION_ID, 4, function.revision() | function.pciClass().code() << 8);
    writable.put(ConfigRegisters.CACHE_LINE_SIZE, 1, 0xff);
    // PCI Express wires it to 0; a register lets tests see a write.
    writable.put(ConfigRegisters.LATENCY_TIMER, 1, 0xff);
    if (function.traits().contains(Trait.SELF_TEST)) {
      values.put(ConfigRegisters.BIST, 1, BIST_CAPABLE);
      // Its completion code is read-only; a register lets tests see a write.
      writable.put(ConfigRegisters.BIST, 1, BIST_START | BIST_CODE);
    }
    writable.put(ConfigRegisters.INTERRUPT_LINE, 1, 0xff);
    values.put(ConfigRegisters.INTERRUPT_PIN, 1, function.interrupts().pin());
    if (function.bridge()) {
      values.put(ConfigRegisters.HEADER_TYPE, 1, 1);
    } else {
      values.put(ConfigRegisters.SUBSYSTEM_VENDOR_ID, 2, function.id().subsystemVendor());
      values.put(ConfigRegisters.SUBSYSTEM_ID, 2, function.id().subsystem());
    }
  }

  private void virtualHeader(FunctionDescription function) {
    values.put(ConfigRegisters.VENDOR_ID, 4, -1);
    writable.put(ConfigRegisters.COMMAND, 2, ConfigRegisters.COMMAND_BUS_MASTER);
    clearable.put(ConfigRegisters.STATUS, 2, STATUS_ERRORS);
    values.put(
        ConfigRegisters.REVISION_ID, 4, function.revision() | function.pciClass().code() << 8);
    values.put(ConfigRegisters.SUBSYSTEM_VENDOR_ID, 2, function.id().subsystemVendor());
    values.put(ConfigRegisters.SUBSYSTEM_ID, 2, function.id().subsystem());
  }

  /** Decode is on, as VFIO has it for whoever opens a device; a bridge passes all on. */
  private static int command(FunctionDescription function) {
    if (function.bridge()) {
      return ConfigRegisters.COMMAND_MEMORY
          | ConfigRegisters.COMMAND_IO
          | ConfigRegisters.COMMAND_BUS_MASTER;
    }
    boolean ports = function.bars().stream().anyMatch(b -> b.kind() == Bar.Kind.IO);
    return ConfigRegisters.COMMAND_MEMORY | (ports ? ConfigRegisters.COMMAND_IO : 0);
  }

  private void bridge(BridgeWindows windows) {
    writable.put(BUS_NUMBERS, 2, 0xffff);
    writable.put(BUS_NUMBERS + 2, 1, 0xff);
    writable.put(SECONDARY_LATENCY, 1, 0xff);
    values.put(IO_WINDOW, 2, window(windows.ports(), 8, 8) | 0x0101); // 32 bits
    writable.put(IO_WINDOW, 2, 0xf0f0);
    clearable.put(SECONDARY_STATUS, 2, STATUS_ERRORS);
    values.put(MEMORY_WINDOW, 4, window(windows.memory(), 16, 16));
    writable.put(MEMORY_WINDOW, 4, 0xfff0_fff0);
    values.put(PREFETCHABLE_WINDOW, 4, window(windows.high(), 16, 16) | 0x0001_0001); // 64 bits
    writable.put(PREFETCHABLE_WINDOW, 4, 0xfff0_fff0);
    if (windows.high().isOpen()) {
      values.put(PREFETCHABLE_UPPER, 4, (int) (windows.high().first() >>> 32));
      values.put(PREFETCHABLE_UPPER + 4, 4, (int) (windows.high().last() >>> 32));
    }
    writable.put(PREFETCHABLE_UPPER, 4, -1);
    writable.put(PREFETCHABLE_UPPER + 4, 4, -1);
    writable.put(IO_WINDOW_UPPER, 4, -1);
    writable.put(BRIDGE_CONTROL, 2, BRIDGE_CONTROL_BITS);
  }

  /** Base and limit, of so many bits each; of a closed window, the limit is below the base. */
  private static int window(AddressWindow window, int shift, int bits) {
    int mask = (1 << bits) - 0x10;
    if (!window.isOpen()) {
      return mask;
    }
    int base = (int) (window.first() >>> shift) & mask;
    int limit = (int) (window.last() >>> shift) & mask;
    return base | limit << bits;
  }

  private void bar(BarDescription bar, long address) {
    int offset = ConfigRegisters.BAR0 + 4 * bar.index();
    int flags =
        bar.kind() == Bar.Kind.IO
            ? BAR_IO
            : (bar.wide() ? BAR_64_BIT : 0) | (bar.prefetchable() ? BAR_PREFETCHABLE : 0);
    long mask = -bar.size();
    values.put(offset, 4, (int) address | flags);
    writable.put(offset, 4, (int) mask);
    if (bar.wide()) {
      values.put(offset + 4, 4, (int) (address >>> 32));
      writable.put(offset + 4, 4, (int) (mask >>> 32));
    }
  }

  private void msi(int vectors, boolean masks) {
    int offset = link(Capability.MSI, masks ? MSI_LENGTH_WITH_MASKS : MSI_LENGTH);
    int log2 = Integer.numberOfTrailingZeros(vectors);
    values.put(
        offset + 2, 2, MSI_64_BIT | (masks ? MSI_MASKS : 0) | log2 << MSI_MULTIPLE_CAPABLE_SHIFT);
    writable.put(offset + 2, 2, SimulatedConfig.MSI_ENABLE | SimulatedConfig.MSI_MULTIPLE_ENABLE);
    writable.put(offset + 4, 4, ~3);
    writable.put(offset + 8, 4, -1);
    writable.put(offset + 12, 2, 0xffff);
    if (masks) {
      writable.put(offset + SimulatedConfig.MSI_MASK, 4, (int) ((1L << vectors) - 1));
    }
  }

  private void msix(Msix table) {
    int offset = link(Capability.MSIX, MSIX_LENGTH);
    values.put(offset + 2, 2, table.vectors() - 1);
    writable.put(offset + 2, 2, SimulatedConfig.MSIX_ENABLE | SimulatedConfig.MSIX_FUNCTION_MASK);
    values.put(offset + 4, 4, (int) table.table() | table.bar());
    values.put(offset + 8, 4, (int) table.pending() | table.bar());
  }

  private void capability(CapabilityDescription capability) {
    if (capability.extended()) {
      linkExtended(capability);
    } else {
      int offset = link(capability.id(), capability.length());
      registers(capability, offset);
      capability.window().ifPresent(w -> window = w.at(offset));
    }
  }

  private void registers(CapabilityDescription capability, int offset) {
    for (Register register : capability.registers()) {
      int at = offset + register.offset();
      values.put(at, register.width(), register.value());
      writable.put(at, register.width(), register.writable());
      clearable.put(at, register.width(), register.clearable());
    }
  }

  private int link(int id, int length) {
    int offset = nextConventional;
    int pointer =
        lastConventional == 0 ? ConfigRegisters.CAPABILITIES_POINTER : lastConventional + 1;
    if (offset + length > ConfigRegisters.CONVENTIONAL_SIZE) {
      throw new IllegalArgumentException(
          "capability 0x%x: %d bytes at 0x%x go past the end, at 0x100"
              .formatted(id, length, offset));
    }
    values.put(pointer, 1, offset);
    values.put(offset, 1, id);
    values.add(ConfigRegisters.STATUS, 2, ConfigRegisters.STATUS_CAPABILITIES);
    conventional.putIfAbsent(id, offset);
    lastConventional = offset;
    nextConventional = (offset + length + 3) & ~3;
    own(offset, length);
    return offset;
  }

  /** Id, version, next (PCI Express Base Specification 5.0, 7.6.3). */
  private int linkExtended(CapabilityDescription capability) {
    int offset = nextExtended;
    if (offset + capability.length() > values.size()) {
      throw new IllegalArgumentException(
          "extended capability 0x%x: %d bytes at 0x%x go past the end, at 0x%x"
              .formatted(capability.id(), capability.length(), offset, values.size()));
    }
    if (lastExtended != 0) {
      values.add(lastExtended, 4, offset << 20);
    }
    values.put(offset, 4, capability.id() | capability.version() << 16);
    lastExtended = offset;
    nextExtended = (offset + capability.length() + EXTENDED_ALIGNMENT - 1) & -EXTENDED_ALIGNMENT;
    own(offset, capability.length());
    registers(capability, offset);
    return offset;
  }

  private void own(int offset, int length) {
    for (int i = 0; i < length; i++) {
      owned.put(offset + i, 1, 1);
    }
  }

  private void gaps() {
    if (values.size() > ConfigRegisters.EXTENDED && lastExtended == 0) {
      // An empty list is four bytes of zeros.
      own(ConfigRegisters.EXTENDED, 4);
    }
    for (int offset = ConfigRegisters.HEADER_END; offset < values.size(); offset++) {
      if (owned.get(offset, 1) == 0) {
        writable.put(offset, 1, 0xff);
      }
    }
  }
}
