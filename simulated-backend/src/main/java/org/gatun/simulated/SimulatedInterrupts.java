package org.gatun.simulated;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import org.gatun.pci.DeviceName;
import org.gatun.pci.Event;
import org.gatun.pci.Interrupts;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.simulated.FunctionDescription.InterruptDescription;
import org.gatun.simulated.FunctionDescription.Msix;
import org.jspecify.annotations.Nullable;

/**
 * The interrupts of a function: what the device sends, through pin, MSI or the MSI-X table, to the
 * vectors of the driver. Its monitor guards its state, and comes after all locks of models.
 *
 * <p>An {@link Event} is code of the driver's, and may block. So an interrupt for one is only noted
 * here, and {@link #signalEvents} signals it: on the thread that made the device interrupt, as soon
 * as that holds no lock of the device's any more. Without these locks nobody could take the device
 * from a driver that blocks; and who takes it never signals.
 */
final class SimulatedInterrupts implements Interrupts {
  private static final System.Logger LOG = System.getLogger(SimulatedInterrupts.class.getName());

  /** A table entry: address, upper address, data, vector control with the mask in bit 0. */
  private static final int ENTRY_DWORDS = 4;

  private static final int ENTRY_UPPER = 1;
  private static final int ENTRY_DATA = 2;
  private static final int ENTRY_CONTROL = 3;

  private final DeviceName device;
  private final InterruptDescription description;
  private final SimulatedConfig config;
  private final Route route;
  private final BusMaster busMaster;
  private final InterruptRemapping remapping;
  private final BusTime time;
  private final @Nullable Msix msix;
  private final int[] table;
  private final BitSet pending = new BitSet();

  private @Nullable Kind enabled;
  private List<SimulatedVector> vectors = List.of();

  /** The vectors whose events are to be signalled. */
  private final BitSet due = new BitSet();

  /** Knows whether there are any. */
  private final AccessState state;

  /** The level that the model drives. */
  private boolean line;

  /** Set when INTx fires, as VFIO does, and by {@link SimulatedVector#mask}. */
  private boolean lineMasked;

  SimulatedInterrupts(
      SimulatedFunction function,
      Route route,
      BusMaster busMaster,
      InterruptRemapping remapping,
      AccessState state,
      BusTime time) {
    this.device = function.name();
    this.description = function.description().interrupts();
    this.config = function.config();
    this.route = route;
    this.busMaster = busMaster;
    this.remapping = remapping;
    this.state = state;
    this.time = time;
    this.msix = description.msix().orElse(null);
    this.table = new int[msix == null ? 0 : msix.vectors() * ENTRY_DWORDS];
    resetTable();
  }

  @Override
  public int count(Kind kind) {
    return switch (kind) {
      case INTX -> description.pin() == 0 ? 0 : 1;
      case MSI -> description.msiVectors();
      case MSIX -> msix == null ? 0 : msix.vectors();
    };
  }

  @Override
  public synchronized List<org.gatun.pci.Vector> enable(Kind kind, int count) {
    if (count < 1 || count > count(kind)) {
      throw new IllegalArgumentException(
          "%s: can't enable %d vectors of %s: the device has %d"
              .formatted(device, count, kind, count(kind)));
    }
    if (enabled != null) {
      throw new IllegalStateException(
          device + ": " + enabled + " interrupts are enabled already: disable them first");
    }
    int log2 = log2RoundedUp(count);
    int handle = kind == Kind.INTX ? 0 : remapping.allocate(this, 1 << log2);
    List<SimulatedVector> created = new ArrayList<>();
    for (int index = 0; index < count; index++) {
      created.add(new SimulatedVector(device, index, time, this));
    }
    vectors = List.copyOf(created);
    enabled = kind;
    // What the kernel does for VFIO: program the function, and unmask what is used.
    switch (kind) {
      case INTX -> lineMasked = false;
      case MSI -> {
        config.msiMask(0);
        config.msiAddress(InterruptRemapping.address(handle));
        config.msiControl(
            SimulatedConfig.MSI_ENABLE | log2 << SimulatedConfig.MSI_MULTIPLE_ENABLE_SHIFT);
      }
      case MSIX -> {
        for (int index = 0; index < count; index++) {
          int entry = index * ENTRY_DWORDS;
          table[entry] = (int) InterruptRemapping.address(handle + index);
          table[entry + ENTRY_UPPER] = 0;
          table[entry + ENTRY_DATA] = 0;
          table[entry + ENTRY_CONTROL] = 0;
        }
        config.msixControl(SimulatedConfig.MSIX_ENABLE);
      }
    }
    if (kind != Kind.INTX) {
      config.command(ConfigRegisters.COMMAND_INTX_DISABLE, true);
    }
    update();
    return List.copyOf(vectors);
  }

  @Override
  public synchronized void disable() {
    Kind kind = enabled;
    if (kind == null) {
      return;
    }
    enabled = null;
    vectors.forEach(SimulatedVector::end);
    vectors = List.of();
    due.clear();
    state.eventsDue = false;
    remapping.free(this);
    switch (kind) {
      case INTX -> lineMasked = false;
      case MSI -> {
        config.msiControl(0);
        config.msiAddress(0);
        config.msiPending(0);
        config.msiMask(0);
      }
      case MSIX -> {
        config.msixControl(0);
        resetTable();
      }
    }
    if (kind != Kind.INTX) {
      config.command(ConfigRegisters.COMMAND_INTX_DISABLE, false);
    }
  }

  synchronized int enabledVectors() {
    return vectors.size();
  }

  /** As after a reset of the function: no vectors, and the pin is low. */
  synchronized void reset() {
    disable();
    resetTable();
    setLine(false);
  }

  /** Whether the function sends messages instead of driving its pin. */
  boolean hasMessages() {
    return (config.msixControl() & SimulatedConfig.MSIX_ENABLE) != 0
        || (config.msiControl() & SimulatedConfig.MSI_ENABLE) != 0;
  }

  /**
   * A message is a DMA write: without bus master none is sent (PCI Express Base Specification 5.0,
   * 7.5.1.1.3). One that is pending stays so.
   */
  private boolean sendsMessages() {
    return route.allows(ConfigRegisters.COMMAND_BUS_MASTER);
  }

  /** The model sends a message. */
  synchronized void signal(int vector) {
    if (!sendsMessages()) {
      return;
    }
    if ((config.msixControl() & SimulatedConfig.MSIX_ENABLE) != 0) {
      if (vector >= 0 && vector < table.length / ENTRY_DWORDS) {
        pending.set(vector);
        deliverPending();
      }
      return;
    }
    int control = config.msiControl();
    if ((control & SimulatedConfig.MSI_ENABLE) != 0) {
      int allocated = 1 << (control >>> SimulatedConfig.MSI_MULTIPLE_ENABLE_SHIFT & 7);
      int message = vector & (allocated - 1);
      if ((config.msiMask() & 1 << message) == 0) {
        sendMsi(message);
      } else {
        config.msiPending(config.msiPending() | 1 << message);
      }
    }
  }

  /** The model drives its pin. */
  synchronized void setLine(boolean on) {
    line = on;
    config.interruptStatus(on);
    deliverLine();
  }

  /**
   * Whether its pin asserts the line that it is routed to: not while it sends messages (PCI Express
   * Base Specification 5.0, 6.1.4).
   */
  synchronized boolean isAsserting() {
    return line
        && !hasMessages()
        && !config.command(ConfigRegisters.COMMAND_INTX_DISABLE)
        && route.isConnected();
  }

  /** Masks or unmasks, for the kinds that can: MSI only where it has mask bits. */
  synchronized void mask(SimulatedVector vector, boolean on) {
    if (!vectors.contains(vector) || route.isCut()) {
      return;
    }
    if (enabled == Kind.INTX) {
      lineMasked = on;
    } else if (enabled == Kind.MSIX) {
      table[vector.index() * ENTRY_DWORDS + ENTRY_CONTROL] = on ? 1 : 0;
    } else {
      int bit = 1 << vector.index();
      config.msiMask(on ? config.msiMask() | bit : config.msiMask() & ~bit);
    }
    update();
  }

  /** Something in config space may have changed: a mask, or whether messages are on. */
  synchronized void update() {
    deliverLine();
    deliverPending();
    deliverPendingMsi();
  }

  /**
   * Signals the events that interrupts came for. Each vector's in the order of its interrupts, of
   * which those that come before one is signalled are one.
   */
  void signalEvents() {
    while (state.eventsDue) {
      Event event = nextEvent();
      if (event != null) {
        try {
          event.signal();
        } catch (RuntimeException e) {
          // Its class only: the message is the driver's code too, and logging holds locks.
          LOG.log(
              System.Logger.Level.ERROR,
              device + ": an event could not be signalled: " + e.getClass().getName());
        }
      }
    }
  }

  private synchronized @Nullable Event nextEvent() {
    int vector = due.nextSetBit(0);
    if (vector < 0) {
      return null;
    }
    due.clear(vector);
    state.eventsDue = !due.isEmpty();
    return vectors.get(vector).event();
  }

  /** Whether an access is to the MSI-X table or its pending bits, which the bus serves. */
  boolean serves(int bar, long offset) {
    Msix layout = msix;
    return layout != null
        && bar == layout.bar()
        && (isIn(offset, layout.table(), layout.tableSize())
            || isIn(offset, layout.pending(), layout.pendingSize()));
  }

  /** The first offset, from some on, that {@link #serves} is true of; huge if there is none. */
  long firstServed(int bar, long from) {
    Msix layout = msix;
    if (layout == null || bar != layout.bar()) {
      return Long.MAX_VALUE;
    }
    return Math.min(
        firstOf(layout.table(), layout.tableSize(), from),
        firstOf(layout.pending(), layout.pendingSize(), from));
  }

  private static long firstOf(long start, long size, long from) {
    return from < start + size ? Math.max(start, from) : Long.MAX_VALUE;
  }

  /** Reads the table or the pending bits; as dwords, whatever the width. */
  synchronized long read(long offset, int width) {
    long low = dword(offset & ~3L) & 0xffff_ffffL;
    long value = width == 8 ? low | (long) dword(offset + 4) << 32 : low >>> (8 * (offset & 3));
    return value;
  }

  /** Writes the table, in dwords or pairs of them; the pending bits are read-only. */
  synchronized void write(long offset, int width, long value) {
    if (width < 4) {
      return;
    }
    putDword(offset, (int) value);
    if (width == 8) {
      putDword(offset + 4, (int) (value >>> 32));
    }
    update();
  }

  private int dword(long offset) {
    Msix layout = layout();
    if (isIn(offset, layout.table(), layout.tableSize())) {
      return table[(int) (offset - layout.table()) / 4];
    }
    int firstBit = (int) (offset - layout.pending()) * 8;
    int bits = 0;
    for (int i = 0; i < Integer.SIZE; i++) {
      bits |= pending.get(firstBit + i) ? 1 << i : 0;
    }
    return bits;
  }

  private void putDword(long offset, int value) {
    Msix layout = layout();
    if (isIn(offset, layout.table(), layout.tableSize())) {
      int index = (int) (offset - layout.table()) / 4;
      boolean control = index % ENTRY_DWORDS == ENTRY_CONTROL;
      table[index] = control ? value & 1 : index % ENTRY_DWORDS == 0 ? value & ~3 : value;
    }
  }

  private Msix layout() {
    return Optional.ofNullable(msix).orElseThrow();
  }

  private void deliverLine() {
    if (enabled == Kind.INTX && !lineMasked && isAsserting()) {
      lineMasked = true;
      deliver(0);
    }
  }

  private void deliverPending() {
    int control = config.msixControl();
    if (pending.isEmpty()
        || !sendsMessages()
        || (control & SimulatedConfig.MSIX_ENABLE) == 0
        || (control & SimulatedConfig.MSIX_FUNCTION_MASK) != 0) {
      return;
    }
    for (int v = pending.nextSetBit(0); v >= 0; v = pending.nextSetBit(v + 1)) {
      if ((table[v * ENTRY_DWORDS + ENTRY_CONTROL] & 1) == 0) {
        pending.clear(v);
        int entry = v * ENTRY_DWORDS;
        long upper = (long) table[entry + ENTRY_UPPER] << 32;
        send((table[entry] & 0xffff_ffffL) | upper, table[entry + ENTRY_DATA]);
      }
    }
  }

  private void deliverPendingMsi() {
    int due = config.msiPending() & ~config.msiMask();
    if (due == 0 || !sendsMessages() || (config.msiControl() & SimulatedConfig.MSI_ENABLE) == 0) {
      return;
    }
    config.msiPending(config.msiPending() & ~due);
    for (int vector = 0; vector < Integer.SIZE; vector++) {
      if ((due & 1 << vector) != 0) {
        sendMsi(vector);
      }
    }
  }

  /** The function changes the low bits of the data (PCI Local Bus Specification 3.0, 6.8.3.4). */
  private void sendMsi(int vector) {
    send(config.msiAddress(), config.msiData() | vector);
  }

  private void send(long address, int data) {
    if (!message(address, data)) {
      busMaster.refuseMessage(address);
    }
  }

  /**
   * A message, wherever it comes from, arrives at the IOMMU.
   *
   * @return whether it was one that the function was given
   */
  synchronized boolean message(long address, int data) {
    int vector = remapping.vectorOf(this, address, data);
    if (vector >= 0) {
      deliver(vector);
    }
    return vector >= 0;
  }

  private void deliver(int vector) {
    if (vector < vectors.size() && vectors.get(vector).deliver()) {
      due.set(vector);
      state.eventsDue = true;
    }
  }

  private void resetTable() {
    pending.clear();
    for (int i = 0; i < table.length; i++) {
      table[i] = i % ENTRY_DWORDS == ENTRY_CONTROL ? 1 : 0;
    }
  }

  private static boolean isIn(long offset, long start, long size) {
    return offset >= start && offset - start < size;
  }

  private static int log2RoundedUp(int count) {
    return count == 1 ? 0 : Integer.SIZE - Integer.numberOfLeadingZeros(count - 1);
  }
}
