package org.gatun.simulated;

import java.util.List;
import java.util.Optional;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.simulated.SimulatedFunction.Slot;
import org.jspecify.annotations.Nullable;

/**
 * Config space as the hardware has it. What writes mean outside of it is for its listener, which
 * hears of each.
 */
final class SimulatedConfig implements HardwareConfig {
  /** MSI (PCI Local Bus Specification 3.0, 6.8.1), with 64-bit addresses. */
  static final int MSI_ENABLE = 1;

  static final int MSI_MULTIPLE_ENABLE_SHIFT = 4;
  static final int MSI_MULTIPLE_ENABLE = 7 << MSI_MULTIPLE_ENABLE_SHIFT;
  private static final int MSI_ADDRESS = 4;
  private static final int MSI_DATA = 0xc;
  static final int MSI_MASK = 0x10;
  private static final int MSI_PENDING = 0x14;

  /** MSI-X Message Control (PCI Local Bus Specification 3.0, 6.8.2.3). */
  static final int MSIX_ENABLE = 1 << 15;

  static final int MSIX_FUNCTION_MASK = 1 << 14;

  /**
   * Device Control, Initiate Function Level Reset (PCI Express Base Specification 5.0, 7.5.3.4).
   */
  private static final int EXPRESS_CONTROL = 8;

  private static final int EXPRESS_INITIATE_RESET = 1 << 15;
  private static final int EXPRESS_PAYLOAD_SHIFT = 5;
  private static final int EXPRESS_PAYLOAD = 7 << EXPRESS_PAYLOAD_SHIFT;

  /** Device Capabilities (7.5.3.3): Max_Payload_Size Supported in bits 2:0. */
  private static final int EXPRESS_CAPABILITIES = 4;

  /** Device Status (7.5.3.5): errors detected. */
  private static final int EXPRESS_STATUS = 0xa;

  private static final int EXPRESS_CORRECTABLE = 1;
  private static final int EXPRESS_NON_FATAL = 1 << 1;
  private static final int EXPRESS_UNSUPPORTED_REQUEST = 1 << 3;

  /**
   * In the status of a function, and but for the first in a bridge's secondary status (7.5.1.1.4).
   */
  static final int SIGNALED_TARGET_ABORT = 1 << 11;

  static final int RECEIVED_TARGET_ABORT = 1 << 12;
  static final int RECEIVED_MASTER_ABORT = 1 << 13;

  /** Secondary Bus Reset, in Bridge Control (PCI-to-PCI Bridge Architecture 1.2, 3.2.5.18). */
  private static final int BUS_RESET = 1 << 6;

  /** Control of Advanced Features. */
  private static final int AF_CONTROL = 4;

  private static final int AF_INITIATE_RESET = 1;

  /** Hears of changes, without a lock held. */
  interface Listener {
    /** Something was written. */
    void changed();

    /** A write asks the function to reset itself. */
    void resetRequested();

    /** A write asks a bridge to reset what is behind it. */
    void busResetRequested();

    /** Something was plugged into the slot of a port, or pulled out. */
    void slotChanged();
  }

  private final RegisterBytes data;
  private final RegisterBytes writable;
  private final RegisterBytes clearable;
  private final RegisterBytes initial;
  private final Listener listener;
  private final int msi;
  private final boolean msiMasks;
  private final int msix;
  private final PowerRegisters power;
  private final int express;
  private final boolean functionLevelReset;
  private final int advancedFeatures;
  private final boolean bridge;
  private final @Nullable SlotRegisters slotRegisters;

  /** Whether the other end of its link is what keeps it down; guarded by this. */
  private boolean linkLost;

  private final @Nullable SingleRootRegisters singleRoot;
  private final @Nullable VitalProductData vpd;
  private final @Nullable ConfigWindow window;

  /**
   * @param slot with the addresses that firmware has assigned
   * @throws IllegalArgumentException if the capabilities do not fit
   */
  SimulatedConfig(FunctionDescription function, Slot slot, Listener listener) {
    this.listener = listener;
    ConfigLayout layout = new ConfigLayout(function, slot, slot.physical() != null);
    initial = layout.values;
    data = initial.copy();
    writable = layout.writable;
    clearable = layout.clearable;
    msi = layout.find(Capability.MSI);
    msiMasks = msi != 0 && function.interrupts().msiMasks();
    msix = layout.find(Capability.MSIX);
    power = new PowerRegisters(layout.find(Capability.POWER_MANAGEMENT));
    express = layout.find(Capability.PCI_EXPRESS);
    functionLevelReset =
        function.capabilities().stream()
            .anyMatch(c -> c.isConventional(Capability.PCI_EXPRESS) && c.resets());
    advancedFeatures = layout.find(Capability.ADVANCED_FEATURES);
    bridge = function.bridge();
    PortKind port = function.port();
    slotRegisters = port != null && port.hasSlot() ? new SlotRegisters(express) : null;
    singleRoot =
        function
            .virtualFunctions()
            .map(v -> new SingleRootRegisters(layout.singleRoot, v.total()))
            .orElse(null);
    Optional<CapabilityDescription> vitalData =
        function.capabilities().stream().filter(c -> c.isConventional(Capability.VPD)).findFirst();
    vpd =
        vitalData
            .map(c -> new VitalProductData(layout.find(Capability.VPD), c.storage()))
            .orElse(null);
    window = layout.window;
  }

  @Override
  public int size() {
    return data.size();
  }

  @Override
  public synchronized int read(int offset, int width) {
    ConfigSpace.check(offset, width, data.size());
    return data.get(offset, width);
  }

  @Override
  public void write(int offset, int width, int value) {
    ConfigSpace.check(offset, width, data.size());
    boolean resets;
    boolean busResets;
    synchronized (this) {
      int state = power.state(data);
      boolean linkDown = isLinkDown();
      boolean hasVirtual = hasVirtual();
      int virtualCount = singleRoot == null ? 0 : singleRoot.count(data);
      int mask = writable.get(offset, width);
      int cleared = clearable.get(offset, width) & value;
      int old = data.get(offset, width);
      data.put(offset, width, ((old & ~mask) | (value & mask)) & ~cleared);
      if (vpd != null) {
        vpd.written(data, offset, width);
      }
      power.written(data, state);
      if (singleRoot != null) {
        singleRoot.written(data, hasVirtual, virtualCount);
      }
      resets = takeResetRequest() || power.resets(data, state);
      busResets = isLinkDown() && !linkDown;
      showLink();
    }
    if (resets) {
      listener.resetRequested();
    } else {
      listener.changed();
    }
    if (busResets) {
      listener.busResetRequested();
    }
  }

  @Override
  public synchronized int writable(int offset, int width) {
    ConfigSpace.check(offset, width, data.size());
    return writable.get(offset, width) | clearable.get(offset, width);
  }

  @Override
  public void poke(int offset, int width, int value) {
    ConfigSpace.check(offset, width, data.size());
    synchronized (this) {
      initial.put(offset, width, value);
      data.put(offset, width, value);
    }
    listener.changed();
  }

  @Override
  public void raiseAll() {
    synchronized (this) {
      for (int offset = 0; offset < data.size(); offset++) {
        data.add(offset, 1, clearable.get(offset, 1));
      }
    }
    listener.changed();
  }

  /** As after a reset, with the BAR addresses that firmware has assigned. */
  void reset() {
    synchronized (this) {
      data.copyFrom(initial);
      showLink();
    }
    listener.changed();
  }

  /** As its owner leaves it who can't reset it: bus master off, decode on. */
  void resetCommand() {
    synchronized (this) {
      data.put(ConfigRegisters.COMMAND, 2, initial.get(ConfigRegisters.COMMAND, 2));
    }
    listener.changed();
  }

  /** Whether a bit of the command register is set. */
  boolean command(int bit) {
    return (read16(ConfigRegisters.COMMAND) & bit) != 0;
  }

  /** Whether a bit of the command register is set, and the function is not asleep. */
  synchronized boolean active(int commandBit) {
    return command(commandBit) && isAwake();
  }

  /** Whether the function is in D0: else it answers at config space only. */
  synchronized boolean isAwake() {
    return power.state(data) == 0;
  }

  /**
   * Whether it is a bridge that keeps what is behind it in reset: by Secondary Bus Reset, by a link
   * that is disabled, or by a slot without power.
   */
  synchronized boolean isLinkDown() {
    return bridge
        && ((data.get(ConfigLayout.BRIDGE_CONTROL, 2) & BUS_RESET) != 0
            || (slotRegisters != null && slotRegisters.isKeptDown(data)));
  }

  /** Through which BARs are accessed; null if there is none. */
  @Nullable ConfigWindow window() {
    return window;
  }

  /** What only the hardware writes, and a reset takes back. */
  synchronized void showFetched(int offset, int width, int value) {
    data.put(offset, width, value);
  }

  /** Of a port with a slot: whether there is something in it. */
  void presence(boolean present) {
    synchronized (this) {
      if (slotRegisters == null || slotRegisters.isPresent(initial) == present) {
        return;
      }
      slotRegisters.present(initial, present);
      slotRegisters.present(data, present);
      slotRegisters.presenceChanged(data);
      linkLost = false;
      showLink();
    }
    listener.slotChanged();
  }

  /** Of a port with a slot: whether what is in it holds the link down, or has lost it. */
  void linkLost(boolean lost) {
    synchronized (this) {
      if (slotRegisters == null || linkLost == lost) {
        return;
      }
      linkLost = lost;
      showLink();
    }
    listener.slotChanged();
  }

  /** Whether a port with a slot is to interrupt. */
  synchronized boolean hasSlotEvent() {
    return slotRegisters != null && slotRegisters.hasEvent(data);
  }

  private void showLink() {
    if (slotRegisters != null) {
      slotRegisters.showLink(data, isLinkDown() || linkLost);
    }
  }

  /** Whether it is a physical function whose virtual ones are there. */
  synchronized boolean hasVirtual() {
    return singleRoot != null && singleRoot.isEnabled(data);
  }

  /** How many virtual functions it asks for. */
  synchronized int virtualCount() {
    return singleRoot == null ? 0 : singleRoot.wanted(data);
  }

  /** Whether its virtual functions answer at their BARs. */
  synchronized boolean hasVirtualMemory() {
    return singleRoot != null && isAwake() && singleRoot.hasMemory(data);
  }

  /**
   * Shows that the function, or a port before it, answered a request with Unsupported Request: a
   * read is an advisory error, a posted write is not (PCI Express 5.0, 6.2.3.2.4.1).
   */
  synchronized void unsupportedRequest(boolean write) {
    if (express != 0) {
      int error = write ? EXPRESS_NON_FATAL : EXPRESS_CORRECTABLE;
      data.add(express + EXPRESS_STATUS, 2, EXPRESS_UNSUPPORTED_REQUEST | error);
    }
  }

  /** The hardware sets bits of a register of 16 bits that a written 1 clears. */
  synchronized void raise(int offset, int bits) {
    data.add(offset, 2, bits);
  }

  /** Sets or clears bits of the command register that are there. */
  void command(int bits, boolean on) {
    synchronized (this) {
      int there = bits & writable.get(ConfigRegisters.COMMAND, 2);
      int command = read16(ConfigRegisters.COMMAND);
      data.put(ConfigRegisters.COMMAND, 2, on ? command | there : command & ~there);
    }
    listener.changed();
  }

  /** Shows the level of the interrupt pin: a read-only bit of the status register. */
  synchronized void interruptStatus(boolean on) {
    int status = read16(ConfigRegisters.STATUS) & ~ConfigRegisters.STATUS_INTERRUPT;
    data.put(ConfigRegisters.STATUS, 2, on ? status | ConfigRegisters.STATUS_INTERRUPT : status);
  }

  /** Shows whether there are other functions in the slot. */
  synchronized void multiFunction(boolean on) {
    int type = initial.get(ConfigRegisters.HEADER_TYPE, 1);
    int bit = ConfigRegisters.HEADER_TYPE_MULTI_FUNCTION;
    show(ConfigRegisters.HEADER_TYPE, 1, on ? type | bit : type & ~bit);
  }

  /** As firmware numbers the buses of a bridge. */
  synchronized void busNumbers(int primary, int secondary, int subordinate) {
    show(ConfigLayout.BUS_NUMBERS, 2, primary | secondary << 8);
    show(ConfigLayout.BUS_NUMBERS + 2, 1, subordinate);
  }

  /** The largest payload that it can: 128 bytes for 0, and so on; most if nothing says so. */
  synchronized int largestPayload() {
    return express == 0 ? 7 : data.get(express + EXPRESS_CAPABILITIES, 4) & 7;
  }

  /** As firmware sets Max_Payload_Size. */
  synchronized void payload(int size) {
    if (express != 0) {
      for (RegisterBytes each : List.of(initial, data)) {
        int control = each.get(express + EXPRESS_CONTROL, 2) & ~EXPRESS_PAYLOAD;
        each.put(express + EXPRESS_CONTROL, 2, control | size << EXPRESS_PAYLOAD_SHIFT);
      }
    }
  }

  /** MSI Message Control; 0 if there is no MSI. */
  int msiControl() {
    return msi == 0 ? 0 : read16(msi + 2);
  }

  /** Writes MSI Message Control, the writable part of it. */
  void msiControl(int value) {
    write16(msi + 2, value);
  }

  /** Where MSI writes to; meaningless without MSI. */
  synchronized long msiAddress() {
    return (data.get(msi + MSI_ADDRESS, 4) & 0xffff_ffffL)
        | (long) data.get(msi + MSI_ADDRESS + 4, 4) << 32;
  }

  /** What MSI writes there, for vector 0. */
  int msiData() {
    return read16(msi + MSI_DATA);
  }

  /** The host says where MSI is to write to, with 0 for vector 0. */
  synchronized void msiAddress(long address) {
    data.put(msi + MSI_ADDRESS, 4, (int) address);
    data.put(msi + MSI_ADDRESS + 4, 4, (int) (address >>> 32));
    data.put(msi + MSI_DATA, 2, 0);
  }

  /** Which MSI vectors are masked: a bit each. */
  int msiMask() {
    return msiMasks ? read32(msi + MSI_MASK) : 0;
  }

  /** Masks MSI vectors, if they can be. */
  void msiMask(int mask) {
    if (msiMasks) {
      write32(msi + MSI_MASK, mask);
    }
  }

  /** Which masked MSI vectors have an interrupt: a bit each. */
  int msiPending() {
    return msiMasks ? read32(msi + MSI_PENDING) : 0;
  }

  /** Shows them: read-only bits. */
  synchronized void msiPending(int pending) {
    if (msiMasks) {
      data.put(msi + MSI_PENDING, 4, pending);
    }
  }

  /** MSI-X Message Control; 0 if there is no MSI-X. */
  int msixControl() {
    return msix == 0 ? 0 : read16(msix + 2);
  }

  /** Writes MSI-X Message Control, the writable part of it. */
  void msixControl(int value) {
    write16(msix + 2, value);
  }

  /** What nobody but the host looks at; if it is new, over what the host has written there. */
  private void show(int offset, int width, int value) {
    if (initial.get(offset, width) != value) {
      initial.put(offset, width, value);
      data.put(offset, width, value);
    }
  }

  /** The bits that ask for a reset read as zero. */
  private boolean takeResetRequest() {
    boolean requested = false;
    if (functionLevelReset) {
      requested = take(express + EXPRESS_CONTROL, EXPRESS_INITIATE_RESET);
    }
    if (advancedFeatures != 0) {
      requested |= take(advancedFeatures + AF_CONTROL, AF_INITIATE_RESET);
    }
    return requested;
  }

  private boolean take(int offset, int bit) {
    int width = bit > 0xff ? 2 : 1;
    int value = data.get(offset, width);
    data.put(offset, width, value & ~bit);
    return (value & bit) != 0;
  }
}
