package org.gatun.simulated;

import java.util.Map;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.FunctionDescription.InterruptDescription;
import org.gatun.simulated.FunctionDescription.Msix;

/**
 * Config space as the hardware has it: bytes, and for each the bits that a write changes. What
 * writes mean is for {@link SimulatedFunction}, which hears of each.
 */
final class SimulatedConfig implements ConfigSpace {
  /** MSI Message Control (PCI Local Bus Specification 3.0, 6.8.1.3). */
  static final int MSI_ENABLE = 1;

  static final int MSI_MULTIPLE_ENABLE_SHIFT = 4;
  private static final int MSI_MULTIPLE_ENABLE = 7 << MSI_MULTIPLE_ENABLE_SHIFT;
  private static final int MSI_MULTIPLE_CAPABLE_SHIFT = 1;
  private static final int MSI_64_BIT = 1 << 7;
  private static final int MSI_LENGTH = 0x10;

  /** MSI-X Message Control (PCI Local Bus Specification 3.0, 6.8.2.3). */
  static final int MSIX_ENABLE = 1 << 15;

  static final int MSIX_FUNCTION_MASK = 1 << 14;
  private static final int MSIX_LENGTH = 0x0c;

  private static final int BAR_64_BIT = 4;
  private static final int BAR_PREFETCHABLE = 8;

  private final byte[] data;
  private final byte[] writable;
  private final byte[] initial;
  private final Runnable changed;
  private final int msi;
  private final int msix;
  private int nextCapability = ConfigRegisters.HEADER_END;
  private int lastLink = ConfigRegisters.CAPABILITIES_POINTER;

  /**
   * @param addresses of the BARs, by index, as firmware has assigned them
   * @param changed run after each write from outside
   */
  SimulatedConfig(FunctionDescription function, Map<Integer, Long> addresses, Runnable changed) {
    this.changed = changed;
    int size =
        function.express() ? ConfigRegisters.EXPRESS_SIZE : ConfigRegisters.CONVENTIONAL_SIZE;
    data = new byte[size];
    writable = new byte[size];
    header(function);
    for (BarDescription bar : function.bars()) {
      bar(bar, addresses.getOrDefault(bar.index(), 0L));
    }
    InterruptDescription interrupts = function.interrupts();
    msi = interrupts.msiVectors() > 0 ? msi(interrupts.msiVectors()) : 0;
    msix = interrupts.msix().map(this::msix).orElse(0);
    if (function.express()) {
      express();
    }
    initial = data.clone();
  }

  @Override
  public int size() {
    return data.length;
  }

  @Override
  public synchronized int read(int offset, int width) {
    ConfigSpace.check(offset, width, data.length);
    int value = 0;
    for (int i = 0; i < width; i++) {
      value |= (data[offset + i] & 0xff) << (8 * i);
    }
    return value;
  }

  @Override
  public void write(int offset, int width, int value) {
    ConfigSpace.check(offset, width, data.length);
    synchronized (this) {
      for (int i = 0; i < width; i++) {
        int mask = writable[offset + i];
        data[offset + i] = (byte) ((data[offset + i] & ~mask) | ((value >>> (8 * i)) & mask));
      }
    }
    changed.run();
  }

  /** As after a reset, with the BAR addresses that firmware has assigned. */
  void reset() {
    synchronized (this) {
      System.arraycopy(initial, 0, data, 0, data.length);
    }
    changed.run();
  }

  /** Whether a bit of the command register is set. */
  boolean command(int bit) {
    return (read16(ConfigRegisters.COMMAND) & bit) != 0;
  }

  /** Sets or clears a bit of the command register. */
  void command(int bit, boolean on) {
    synchronized (this) {
      int command = read16(ConfigRegisters.COMMAND);
      put(ConfigRegisters.COMMAND, 2, on ? command | bit : command & ~bit);
    }
    changed.run();
  }

  /** Shows the level of the interrupt pin: a read-only bit of the status register. */
  synchronized void interruptStatus(boolean on) {
    int status = read16(ConfigRegisters.STATUS) & ~ConfigRegisters.STATUS_INTERRUPT;
    put(ConfigRegisters.STATUS, 2, on ? status | ConfigRegisters.STATUS_INTERRUPT : status);
  }

  /** MSI Message Control; 0 if there is no MSI. */
  int msiControl() {
    return msi == 0 ? 0 : read16(msi + 2);
  }

  /** Writes MSI Message Control, the writable part of it. */
  void msiControl(int value) {
    write16(msi + 2, value);
  }

  /** MSI-X Message Control; 0 if there is no MSI-X. */
  int msixControl() {
    return msix == 0 ? 0 : read16(msix + 2);
  }

  /** Writes MSI-X Message Control, the writable part of it. */
  void msixControl(int value) {
    write16(msix + 2, value);
  }

  private void header(FunctionDescription function) {
    put(ConfigRegisters.VENDOR_ID, 2, function.id().vendor());
    put(ConfigRegisters.DEVICE_ID, 2, function.id().device());
    // Memory decode is on, as VFIO has it for whoever opens a device.
    put(ConfigRegisters.COMMAND, 2, ConfigRegisters.COMMAND_MEMORY);
    allow(
        ConfigRegisters.COMMAND,
        2,
        ConfigRegisters.COMMAND_MEMORY
            | ConfigRegisters.COMMAND_BUS_MASTER
            | ConfigRegisters.COMMAND_PARITY
            | ConfigRegisters.COMMAND_SERR
            | ConfigRegisters.COMMAND_INTX_DISABLE);
    put(ConfigRegisters.REVISION_ID, 4, function.revision() | function.pciClass().code() << 8);
    allow(ConfigRegisters.CACHE_LINE_SIZE, 1, 0xff);
    put(ConfigRegisters.SUBSYSTEM_VENDOR_ID, 2, function.id().subsystemVendor());
    put(ConfigRegisters.SUBSYSTEM_ID, 2, function.id().subsystem());
    allow(ConfigRegisters.INTERRUPT_LINE, 1, 0xff);
    put(ConfigRegisters.INTERRUPT_PIN, 1, function.interrupts().pin());
  }

  private void bar(BarDescription bar, long address) {
    int offset = ConfigRegisters.BAR0 + 4 * bar.index();
    int flags = (bar.wide() ? BAR_64_BIT : 0) | (bar.prefetchable() ? BAR_PREFETCHABLE : 0);
    long mask = -bar.size();
    put(offset, 4, (int) address | flags);
    allow(offset, 4, (int) mask);
    if (bar.wide()) {
      put(offset + 4, 4, (int) (address >>> 32));
      allow(offset + 4, 4, (int) (mask >>> 32));
    }
  }

  private int msi(int vectors) {
    int offset = capability(Capability.MSI, MSI_LENGTH);
    int log2 = Integer.numberOfTrailingZeros(vectors);
    put(offset + 2, 2, MSI_64_BIT | log2 << MSI_MULTIPLE_CAPABLE_SHIFT);
    allow(offset + 2, 2, MSI_ENABLE | MSI_MULTIPLE_ENABLE);
    allow(offset + 4, 4, ~3);
    allow(offset + 8, 4, -1);
    allow(offset + 12, 2, 0xffff);
    return offset;
  }

  private int msix(Msix table) {
    int offset = capability(Capability.MSIX, MSIX_LENGTH);
    put(offset + 2, 2, table.vectors() - 1);
    allow(offset + 2, 2, MSIX_ENABLE | MSIX_FUNCTION_MASK);
    put(offset + 4, 4, (int) table.table() | table.bar());
    put(offset + 8, 4, (int) table.pending() | table.bar());
    return offset;
  }

  /** An endpoint on a link of one lane (PCI Express Base Specification, 7.5.3). */
  private void express() {
    int offset = capability(Capability.PCI_EXPRESS, 0x3c);
    put(offset + 2, 2, 2); // version 2, endpoint
    put(offset + 4, 4, 1 << 15); // role-based error reporting
    put(offset + 8, 2, 0x2810); // 512 byte reads, no snoop, relaxed ordering
    allow(offset + 8, 2, 0x7fff);
    put(offset + 0x0c, 4, 0x11); // link: 2.5 GT/s, one lane
    put(offset + 0x12, 2, 0x11);
  }

  private int capability(int id, int length) {
    int offset = nextCapability;
    put(lastLink, 1, offset);
    put(offset, 1, id);
    put(
        ConfigRegisters.STATUS,
        2,
        read16(ConfigRegisters.STATUS) | ConfigRegisters.STATUS_CAPABILITIES);
    lastLink = offset + 1;
    nextCapability = (offset + length + 3) & ~3;
    return offset;
  }

  private void put(int offset, int width, int value) {
    set(data, offset, width, value);
  }

  private void allow(int offset, int width, int mask) {
    set(writable, offset, width, mask);
  }

  private static void set(byte[] bytes, int offset, int width, int value) {
    for (int i = 0; i < width; i++) {
      bytes[offset + i] = (byte) (value >>> (8 * i));
    }
  }
}
