package org.gatun.broker.policy;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.gatun.broker.policy.DeviceSnapshot.Rom;
import org.gatun.pci.DeviceName;
import org.gatun.pci.config.BarRegister;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;

/**
 * Config space as a guest sees it: the hardware's, behind a {@link ConfigLayout}. An access goes to
 * each field that it overlaps: a read merges what the fields show over the hardware's value; of a
 * write, each field gets its own bytes, and the bytes that belong to none are dropped. That is
 * success for the guest, and counted. Any thread; accesses are serialised.
 */
public final class GuestConfigSpace implements ConfigSpace {
  /** MSI Message Control (PCI 3.0, 6.8.1.3). */
  static final int MSI_ENABLE = 1;

  /** MSI-X Message Control (PCI 3.0, 6.8.2.3). */
  static final int MSIX_ENABLE = 1 << 15;

  static final int MSIX_MASK_ALL = 1 << 14;

  private static final int MESSAGE_CONTROL = 2;
  private static final int BIST_START = 1 << 6;
  private static final int VPD_WRITE = 1 << 15;
  private static final int BAR_IO = 1;
  private static final int BAR_64_BIT = 4;
  private static final int BAR_PREFETCHABLE = 8;
  private static final int DECODE = ConfigRegisters.COMMAND_IO | ConfigRegisters.COMMAND_MEMORY;

  private final DeviceName name;
  private final ConfigLayout layout;
  private final DeviceSnapshot snapshot;
  private final ConfigSpace hardware;
  private final DeniedWrites deniedWrites;
  private final Map<Integer, BarRegister> barsByOffset = new HashMap<>();

  /** The registers whose next reads tell a size. */
  private final Set<Integer> sizing = new HashSet<>();

  /** What the guest thinks is in the bits of the command register that it does not reach. */
  private int commandShadow;

  /**
   * @param hardware as the backend shows it to the broker
   */
  public GuestConfigSpace(
      DeviceName name,
      ConfigLayout layout,
      DeviceSnapshot snapshot,
      ConfigSpace hardware,
      DeniedWrites deniedWrites) {
    this.name = name;
    this.layout = layout;
    this.snapshot = snapshot;
    this.hardware = hardware;
    this.deniedWrites = deniedWrites;
    for (BarRegister bar : snapshot.bars()) {
      barsByOffset.put(ConfigRegisters.BAR0 + 4 * bar.index(), bar);
      if (bar.wide()) {
        barsByOffset.put(ConfigRegisters.BAR0 + 4 * bar.index() + 4, bar);
      }
    }
    reset();
  }

  /** The function was reset: what the guest wrote before is forgotten. */
  public synchronized void reset() {
    sizing.clear();
    commandShadow = initialShadow();
  }

  /**
   * Whether the guest thinks that its device answers at its memory BARs: it may have switched that
   * off for itself.
   */
  public synchronized boolean memoryEnabled() {
    return (commandShadow & ConfigRegisters.COMMAND_MEMORY) != 0;
  }

  @Override
  public int size() {
    return layout.size();
  }

  @Override
  public synchronized int read(int offset, int width) {
    ConfigSpace.check(offset, width, size());
    int value = hardware.read(offset, width);
    for (int i = 0; i < width; i++) {
      if (layout.isHidden(offset + i)) {
        value &= ~(0xff << (8 * i));
      }
    }
    int next = offset;
    while (next < offset + width) {
      ConfigField field = layout.fieldAt(next);
      if (field == null) {
        next++;
        continue;
      }
      value = merge(value, offset, width, show(field), field);
      next = field.end();
    }
    return value & FieldRule.ones(width);
  }

  @Override
  public synchronized void write(int offset, int width, int value) {
    ConfigSpace.check(offset, width, size());
    boolean governed = false;
    int next = offset;
    while (next < offset + width) {
      ConfigField field = layout.fieldAt(next);
      if (field == null) {
        next++;
        continue;
      }
      next = field.end();
      if (field.rule().isGoverned()) {
        governed = true;
        int fieldValue =
            merge(show(field), field.offset(), field.rule().width(), value, offset, width);
        write(field, fieldValue, width);
      }
    }
    // What no rule governs is dropped, in a permissive grant too, if it comes with what one does.
    if (!governed) {
      writeUngoverned(offset, width, value);
    }
  }

  private void writeUngoverned(int offset, int width, int value) {
    int mask = 0;
    for (int i = 0; i < width; i++) {
      mask |= layout.writeMask(offset + i) << (8 * i);
    }
    if (mask == FieldRule.ones(width)) {
      hardware.write(offset, width, value);
      return;
    }
    // Byte by byte: writing back what the others hold can mean something, too.
    for (int i = 0; i < width; i++) {
      int bits = mask >>> (8 * i) & 0xff;
      if (bits != 0) {
        int old = hardware.read8(offset + i);
        hardware.write8(offset + i, (old & ~bits) | (value >>> (8 * i) & bits));
      }
    }
    deniedWrites.denied(name, offset, width, value, layout.fieldAt(offset), false);
  }

  /** What the guest sees in a field. */
  private int show(ConfigField field) {
    int offset = field.offset();
    int width = field.rule().width();
    return switch (field.rule().effect()) {
          case PLAIN, BIST, VPD_ADDRESS, MSI_CONTROL, MSIX_CONTROL -> hardware.read(offset, width);
          case SNAPSHOT -> snapshot.config().read(offset, width);
          case LINK -> layout.link(field);
          case COMMAND ->
              (hardware.read16(offset) & BuiltInRules.COMMAND_HARDWARE)
                  | (commandShadow & ~BuiltInRules.COMMAND_HARDWARE);
          case BAR -> showBar(offset);
          case ROM -> showRom(offset);
        }
        & field.rule().readMask();
  }

  private int showBar(int offset) {
    BarRegister bar = barsByOffset.get(offset);
    if (bar == null) {
      return 0;
    }
    boolean high = offset != ConfigRegisters.BAR0 + 4 * bar.index();
    long value = sizing.contains(offset) ? -bar.size() : bar.address();
    return high ? (int) (value >>> 32) : (int) value | flags(bar);
  }

  private static int flags(BarRegister bar) {
    return bar.io()
        ? BAR_IO
        : (bar.wide() ? BAR_64_BIT : 0) | (bar.prefetchable() ? BAR_PREFETCHABLE : 0);
  }

  private int showRom(int offset) {
    return snapshot
        .rom()
        .map(rom -> sizing.contains(offset) ? -rom.size() : rom.address())
        .orElse(0);
  }

  private void write(ConfigField field, int value, int width) {
    switch (field.rule().effect()) {
      case PLAIN -> writePlain(field, value);
      case SNAPSHOT, LINK -> dropped(field, value);
      case COMMAND -> writeCommand(field, value);
      case BAR -> writeBar(field, value, width);
      case ROM -> writeRom(field, value);
      case BIST -> writeBist(field, value);
      case VPD_ADDRESS -> writeVpdAddress(field, value);
      case MSI_CONTROL -> writeMessageControl(field, value, MSI_ENABLE, Capability.MSIX);
      case MSIX_CONTROL ->
          writeMessageControl(field, value, MSIX_ENABLE | MSIX_MASK_ALL, Capability.MSI);
    }
  }

  private void writePlain(ConfigField field, int value) {
    int mask = field.writeMask(layout.policy().permissive());
    int offset = field.offset();
    int width = field.rule().width();
    int ones = FieldRule.ones(width);
    if (mask == ones) {
      hardware.write(offset, width, value);
      return;
    }
    if (mask != 0) {
      int old = hardware.read(offset, width);
      hardware.write(offset, width, (old & ~mask) | (value & mask));
    }
    if (((show(field) ^ value) & ~mask & ones) != 0) {
      dropped(field, value);
    }
  }

  /**
   * Decode is the broker's: a guest that switches it off reads its shadow, and its mappings go on
   * (XSA-120). Interrupt disable is the broker's, too, unless the grant gives it.
   */
  private void writeCommand(ConfigField field, int value) {
    int mask = field.writeMask(layout.policy().permissive());
    if (layout.policy().allowInterruptControl()) {
      mask |= ConfigRegisters.COMMAND_INTX_DISABLE;
    }
    int old = hardware.read16(field.offset());
    int wanted = (old & ~mask) | (value & mask);
    if ((wanted ^ old) >>> 8 != 0) {
      hardware.write16(field.offset(), wanted);
    } else if (wanted != old) {
      // Not the high byte: the kernel masks INTx there, at any moment.
      hardware.write8(field.offset(), wanted & 0xff);
    }
    commandShadow = value & 0xffff;
    if (((show(field) ^ value) & 0xffff) != 0) {
      dropped(field, value);
    }
  }

  private void writeBar(ConfigField field, int value, int width) {
    int offset = field.offset();
    BarRegister bar = barsByOffset.get(offset);
    if (bar == null) {
      dropped(field, value);
      return;
    }
    if (value == -1 && width == Integer.BYTES) {
      sizing.add(offset);
      return;
    }
    sizing.remove(offset);
    restore(field, value, snapshot.config().read32(offset));
  }

  private void writeRom(ConfigField field, int value) {
    Rom rom = snapshot.rom().orElse(null);
    if (rom == null) {
      dropped(field, value);
    } else if ((value & DeviceSnapshot.ROM_ADDRESS) == DeviceSnapshot.ROM_ADDRESS) {
      sizing.add(field.offset());
    } else {
      sizing.remove(field.offset());
      restore(field, value, rom.address());
    }
  }

  /** Of an address register: what the device has lost, in a reset for instance, comes back. */
  private void restore(ConfigField field, int value, int saved) {
    if (value != saved) {
      dropped(field, value);
    } else if (hardware.read32(field.offset()) != saved) {
      hardware.write32(field.offset(), saved);
    }
  }

  private void writeBist(ConfigField field, int value) {
    int old = hardware.read8(field.offset());
    if ((old & ~BIST_START) == (value & ~BIST_START) || value == BIST_START) {
      hardware.write8(field.offset(), value);
    } else {
      dropped(field, value);
    }
  }

  private void writeVpdAddress(ConfigField field, int value) {
    if ((value & VPD_WRITE) != 0) {
      throw denied(
          field, value, "its vital product data is read-only", "nothing grants writing it");
    }
    hardware.write16(field.offset(), value);
  }

  /**
   * @param allowed the bits that {@code allow-interrupt-control} is about
   * @param other the kind of interrupts that must be off: one at a time
   */
  private void writeMessageControl(ConfigField field, int value, int allowed, int other) {
    int old = show(field);
    if (value == old) {
      return;
    }
    String remedy = "enable interrupts through the device, not through config space";
    if (!layout.policy().allowInterruptControl()) {
      throw denied(field, value, "it is the broker's", remedy);
    }
    if (((value ^ old) & ~allowed) != 0) {
      throw denied(field, value, "only the bits 0x%04x may change".formatted(allowed), remedy);
    }
    if (isEnabled(other)) {
      throw denied(field, value, "another kind of interrupts is enabled", "disable that first");
    }
    hardware.write16(field.offset(), value);
  }

  private boolean isEnabled(int capability) {
    int enable = capability == Capability.MSI ? MSI_ENABLE : MSIX_ENABLE;
    return snapshot
        .capabilities()
        .find(capability)
        .filter(c -> (hardware.read16(c.offset() + MESSAGE_CONTROL) & enable) != 0)
        .isPresent();
  }

  private void dropped(ConfigField field, int value) {
    deniedWrites.denied(name, field.offset(), field.rule().width(), value, field, false);
  }

  private ConfigAccessDeniedException denied(
      ConfigField field, int value, String why, String remedy) {
    deniedWrites.denied(name, field.offset(), field.rule().width(), value, field, true);
    return new ConfigAccessDeniedException(
        name,
        "a guest may not write 0x%x to %s: %s".formatted(value, field.rule().name(), why),
        remedy);
  }

  private int initialShadow() {
    int decode = 0;
    for (BarRegister bar : snapshot.bars()) {
      decode |= bar.io() ? ConfigRegisters.COMMAND_IO : ConfigRegisters.COMMAND_MEMORY;
    }
    return (snapshot.config().read16(ConfigRegisters.COMMAND) & ~DECODE) | decode;
  }

  /** What a field shows, over the bytes of an access that it overlaps. */
  private static int merge(int value, int offset, int width, int shown, ConfigField field) {
    return merge(value, offset, width, shown, field.offset(), field.rule().width());
  }

  /** The bytes of one value over those of another, where they overlap. */
  private static int merge(
      int under, int underOffset, int underWidth, int over, int overOffset, int overWidth) {
    int merged = under;
    int from = Math.max(underOffset, overOffset);
    int to = Math.min(underOffset + underWidth, overOffset + overWidth);
    for (int at = from; at < to; at++) {
      int shift = 8 * (at - underOffset);
      int overByte = over >>> (8 * (at - overOffset)) & 0xff;
      merged = (merged & ~(0xff << shift)) | overByte << shift;
    }
    return merged;
  }
}
