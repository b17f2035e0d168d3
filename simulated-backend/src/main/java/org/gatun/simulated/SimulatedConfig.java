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

  /** Link Control and Link Status (7.5.3.7, 7.5.3.8). */
  static final int LINK_CONTROL = 0x10;

  static final int LINK_STATUS = 0x12;
  private static final int LINK_DISABLE = 1 << 4;
  private static final int LINK_ACTIVE = 1 << 13;

  /** Slot Control and Slot Status (7.5.3.10, 7.5.3.11): presence and link state have changed. */
  static final int SLOT_CONTROL = 0x18;

  static final int SLOT_STATUS = 0x1a;
  private static final int SLOT_POWER_OFF = 1 << 10;
  private static final int SLOT_INTERRUPT = 1 << 5;
  private static final int SLOT_PRESENCE_CHANGED = 1 << 3;
  private static final int SLOT_PRESENT = 1 << 6;
  private static final int SLOT_LINK_CHANGED = 1 << 8;
  private static final int SLOT_LINK_CHANGED_ENABLE = 1 << 12;

  /** Received Master Abort, in the status of a function and in a bridge's secondary status. */
  private static final int STATUS_MASTER_ABORT = 1 << 13;

  /** Secondary Bus Reset, in Bridge Control (PCI-to-PCI Bridge Architecture 1.2, 3.2.5.18). */
  private static final int BUS_RESET = 1 << 6;

  /** Control of Advanced Features. */
  private static final int AF_CONTROL = 4;

  private static final int AF_INITIATE_RESET = 1;

  /** PMCSR (PCI Power Management Specification 1.2, 3.2.4). */
  private static final int PM_CONTROL = 4;

  private static final int PM_STATE = 3;

  /** Of its capabilities, bits 9 and 10 say whether there are D1 and D2 (3.2.3). */
  private static final int PM_CAPABILITIES = 2;

  private static final int PM_D1_SUPPORT_SHIFT = 8;

  /** Single Root I/O Virtualization (PCI Express Base Specification 5.0, 9.3.3). */
  static final int VIRTUAL_CONTROL = 8;

  static final int VIRTUAL_COUNT = 0x10;
  private static final int VIRTUAL_ENABLE = 1;
  private static final int VIRTUAL_MEMORY = 1 << 3;

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
  private final int power;
  private final int express;
  private final boolean functionLevelReset;
  private final int advancedFeatures;
  private final boolean bridge;
  private final boolean hasSlot;
  private final int singleRoot;
  private final int mostVirtual;
  private final @Nullable VitalProductData vpd;

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
    power = layout.find(Capability.POWER_MANAGEMENT);
    express = layout.find(Capability.PCI_EXPRESS);
    functionLevelReset =
        function.capabilities().stream()
            .anyMatch(c -> c.isConventional(Capability.PCI_EXPRESS) && c.resets());
    advancedFeatures = layout.find(Capability.ADVANCED_FEATURES);
    bridge = function.bridge();
    PortKind port = function.port();
    hasSlot = port != null && port.hasSlot();
    singleRoot = layout.singleRoot;
    mostVirtual = function.virtualFunctions().map(VirtualFunctions::total).orElse(0);
    Optional<CapabilityDescription> vitalData =
        function.capabilities().stream().filter(c -> c.isConventional(Capability.VPD)).findFirst();
    vpd =
        vitalData
            .map(c -> new VitalProductData(layout.find(Capability.VPD), c.storage()))
            .orElse(null);
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
      int state = powerState();
      boolean linkDown = isLinkDown();
      int virtual = hasVirtual() ? data.get(singleRoot + VIRTUAL_COUNT, 2) : -1;
      int mask = writable.get(offset, width);
      int cleared = clearable.get(offset, width) & value;
      int old = data.get(offset, width);
      data.put(offset, width, ((old & ~mask) | (value & mask)) & ~cleared);
      if (vpd != null) {
        vpd.written(data, offset, width);
      }
      keepPossible(state);
      if (virtual >= 0) {
        // What a change means while they are there is not defined.
        data.put(singleRoot + VIRTUAL_COUNT, 2, virtual);
      }
      resets = takeResetRequest() || wakesUpReset(state);
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
    return command(commandBit) && powerState() == 0;
  }

  /** Whether the function is in D0: else it answers at config space only. */
  synchronized boolean isAwake() {
    return powerState() == 0;
  }

  /**
   * Whether it is a bridge that keeps what is behind it in reset: by Secondary Bus Reset, by a link
   * that is disabled, or by a slot without power.
   */
  synchronized boolean isLinkDown() {
    return bridge
        && ((data.get(ConfigLayout.BRIDGE_CONTROL, 2) & BUS_RESET) != 0
            || (hasSlot
                && ((data.get(express + LINK_CONTROL, 2) & LINK_DISABLE) != 0
                    || (data.get(express + SLOT_CONTROL, 2) & SLOT_POWER_OFF) != 0)));
  }

  /** Of a port with a slot: whether there is something in it. */
  void presence(boolean present) {
    synchronized (this) {
      int status = express + SLOT_STATUS;
      if (!hasSlot || ((initial.get(status, 2) & SLOT_PRESENT) != 0) == present) {
        return;
      }
      initial.put(status, 2, present ? SLOT_PRESENT : 0);
      data.put(status, 2, (data.get(status, 2) & ~SLOT_PRESENT) | initial.get(status, 2));
      data.add(status, 2, SLOT_PRESENCE_CHANGED);
      showLink();
    }
    listener.slotChanged();
  }

  /** Whether a port with a slot is to interrupt (PCI Express 5.0, 6.7.3.4). */
  synchronized boolean hasSlotEvent() {
    if (!hasSlot) {
      return false;
    }
    int control = data.get(express + SLOT_CONTROL, 2);
    int status = data.get(express + SLOT_STATUS, 2);
    boolean presence = (status & control & SLOT_PRESENCE_CHANGED) != 0;
    boolean link = (status & SLOT_LINK_CHANGED) != 0 && (control & SLOT_LINK_CHANGED_ENABLE) != 0;
    return (control & SLOT_INTERRUPT) != 0 && (presence || link);
  }

  /** The link is up if there is something at its other end, and it is not kept down. */
  private void showLink() {
    if (!hasSlot) {
      return;
    }
    boolean present = (data.get(express + SLOT_STATUS, 2) & SLOT_PRESENT) != 0;
    int link = data.get(express + LINK_STATUS, 2) & ~LINK_ACTIVE;
    int now = present && !isLinkDown() ? link | LINK_ACTIVE : link;
    if (now != data.get(express + LINK_STATUS, 2)) {
      data.put(express + LINK_STATUS, 2, now);
      data.add(express + SLOT_STATUS, 2, SLOT_LINK_CHANGED);
    }
  }

  /** Whether it is a physical function whose virtual ones are there. */
  synchronized boolean hasVirtual() {
    return singleRoot != 0 && (data.get(singleRoot + VIRTUAL_CONTROL, 2) & VIRTUAL_ENABLE) != 0;
  }

  /** How many virtual functions it asks for: none if it is more than there can be. */
  synchronized int virtualCount() {
    int count = hasVirtual() ? data.get(singleRoot + VIRTUAL_COUNT, 2) : 0;
    return count > mostVirtual ? 0 : count;
  }

  /** Whether its virtual functions answer at their BARs. */
  synchronized boolean hasVirtualMemory() {
    return hasVirtual()
        && isAwake()
        && (data.get(singleRoot + VIRTUAL_CONTROL, 2) & VIRTUAL_MEMORY) != 0;
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

  /** Shows that a request of the function's was answered with Unsupported Request. */
  synchronized void masterAbort() {
    data.add(ConfigRegisters.STATUS, 2, STATUS_MASTER_ABORT);
  }

  /** Shows that a request which a bridge passed on was answered with Unsupported Request. */
  synchronized void secondaryMasterAbort() {
    data.add(ConfigLayout.SECONDARY_STATUS, 2, STATUS_MASTER_ABORT);
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

  /**
   * A write of a state that the function lacks changes no state (PCI Power Management Specification
   * 1.2, 3.2.4).
   */
  private void keepPossible(int stateBefore) {
    int state = powerState();
    boolean optional = state == 1 || state == 2;
    if (optional
        && (data.get(power + PM_CAPABILITIES, 2) & 1 << (state + PM_D1_SUPPORT_SHIFT)) == 0) {
      int control = data.get(power + PM_CONTROL, 2) & ~PM_STATE;
      data.put(power + PM_CONTROL, 2, control | stateBefore);
    }
  }

  /** From D3 to D0 without No_Soft_Reset (PCI Power Management Specification 1.2, 3.2.4). */
  private boolean wakesUpReset(int stateBefore) {
    return stateBefore == PM_STATE
        && powerState() == 0
        && (data.get(power + PM_CONTROL, 2) & CapabilityDescription.PM_NO_SOFT_RESET) == 0;
  }

  private int powerState() {
    return power == 0 ? 0 : data.get(power + PM_CONTROL, 2) & PM_STATE;
  }
}
