package org.gatun.broker;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.gatun.broker.DeviceRequest.BarPart;
import org.gatun.broker.policy.ConfigLayout;
import org.gatun.broker.policy.DeviceSnapshot;
import org.gatun.broker.policy.GuestConfigSpace;
import org.gatun.pci.Bar;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.Interrupts;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.spi.ResourceTracker;
import org.gatun.pci.spi.SeizedDevice;
import org.jspecify.annotations.Nullable;

/**
 * A device as a guest has it: narrowed by the policy of its grant. On the data path it adds
 * nothing: mapped registers, DMA memory and vectors are the backend's own, and end with the grant.
 *
 * <p>After revocation each use throws {@link org.gatun.pci.DeviceGoneException}, from any thread,
 * and reaches no device.
 */
public final class GrantedDevice implements PciDevice {
  /** A call takes as long as a system call: a guest that is longer in one may be stuck in it. */
  private static final Duration FENCE_LIMIT = Duration.ofSeconds(5);

  private static final int MESSAGE_CONTROL = 2;
  private static final int TABLE = 4;
  private static final int PENDING = 8;
  private static final int TABLE_SIZE = 0x7ff;
  private static final int BAR_INDEX = 7;
  private static final int ENTRY = 16;

  private final SeizedDevice inner;
  private final DeviceName name;
  private final int slot;
  private final Gate gate;
  private final GuestConfigSpace config;
  private final ConfigSpace guardedConfig = new GuardedConfig();
  private final GrantedDmaSpace dma;
  private final GrantedInterrupts interrupts;
  private final List<Bar> bars;
  private final ResourceTracker trapped;
  private final AtomicInteger surplus = new AtomicInteger();
  private final List<DetachListener> listeners = new CopyOnWriteArrayList<>();
  private final List<Runnable> endings = new CopyOnWriteArrayList<>();
  private final Runnable closedByGuest;

  /** Null once it was taken back. Guarded by this. */
  private @Nullable List<Runnable> aftermath = new ArrayList<>();

  /**
   * @param closedByGuest run by {@link #close}: returns when the device was taken back
   */
  GrantedDevice(
      SeizedDevice inner,
      DeviceSnapshot snapshot,
      DeviceRequest request,
      ConfigLayout layout,
      int slot,
      QuotaAccount quota,
      Activity activity,
      Runnable closedByGuest) {
    this.inner = inner;
    this.name = inner.name();
    this.slot = slot;
    this.gate = new Gate(name);
    this.config = new GuestConfigSpace(name, layout, snapshot, inner.config(), activity);
    this.dma = new GrantedDmaSpace(name, inner.dma(), gate, quota, activity);
    this.interrupts =
        new GrantedInterrupts(name, inner.interrupts(), gate, request.vectors(), activity);
    this.trapped = new ResourceTracker(name);
    this.closedByGuest = closedByGuest;
    List<Bar> granted = new ArrayList<>();
    for (Bar bar : inner.bars()) {
      List<BarPart> readable = readable(bar, request);
      if (!readable.isEmpty()) {
        granted.add(
            new GrantedBar(
                bar,
                gate,
                readable,
                without(readable, msixTable(snapshot, bar.index())),
                trapped,
                surplus,
                (offset, width) -> activity.deniedRegister(bar.index(), offset, width)));
      }
    }
    this.bars = List.copyOf(granted);
  }

  @Override
  public DeviceName name() {
    return name;
  }

  /**
   * The number under which the guest knows it: slot in bits 7 to 3, function in bits 2 to 0, as in
   * a PCI address. Functions of one device share a slot.
   */
  public int slot() {
    return slot;
  }

  @Override
  public ConfigSpace config() {
    gate.check("config space");
    return guardedConfig;
  }

  @Override
  public Optional<Bar> bar(int index) {
    if (index < 0 || index > 5) {
      throw new IllegalArgumentException(name + ": there is no BAR " + index + ", only 0 to 5");
    }
    gate.check("BAR " + index);
    return bars.stream().filter(bar -> bar.index() == index).findFirst();
  }

  @Override
  public DmaSpace dma() {
    gate.check("DMA");
    return dma;
  }

  @Override
  public Interrupts interrupts() {
    gate.check("interrupts");
    return interrupts;
  }

  @Override
  public void busMaster(boolean on) {
    through("bus master", () -> inner.busMaster(on));
  }

  @Override
  public void reset() {
    through(
        "reset",
        () -> {
          interrupts.reset(inner::reset);
          config.reset();
        });
  }

  @Override
  public void onDetach(DetachListener listener) {
    gate.check("listening for its removal");
    listeners.add(listener);
  }

  @Override
  public Usage usage() {
    Usage used = inner.usage();
    return new Usage(
        used.mappings() - surplus.get(), used.buffers(), used.dmaBytes(), used.vectors());
  }

  /**
   * Has something done each time the device is taken back, after it was silenced and before it is
   * reset and memory is freed: what ends those who have it mapped. It returns when they have ended.
   */
  public void onSilenced(Runnable ending) {
    gate.check("listening for its removal");
    endings.add(ending);
  }

  /**
   * Has something done, soon, when the device was taken back and is the broker's again, or has
   * gone; at once if that is so already.
   */
  public void onReturned(Runnable action) {
    synchronized (this) {
      if (aftermath != null) {
        aftermath.add(action);
        return;
      }
    }
    action.run();
  }

  /** Gives the device back to the broker, which takes all of it from the guest. */
  @Override
  public void close() {
    closedByGuest.run();
  }

  @Override
  public String toString() {
    return name.toString();
  }

  /** The guest has come: its calls reach the device. */
  void open() {
    gate.open();
  }

  /** Whether the guest has switched memory decode off, for itself. */
  boolean memoryEnabled() {
    return config.memoryEnabled();
  }

  /** The kind of interrupts that the guest has enabled. */
  Optional<Interrupts.Kind> enabledInterrupts() {
    return interrupts.enabled();
  }

  /** Ends those who have it mapped. */
  void silenced() {
    endings.forEach(Runnable::run);
  }

  List<DetachListener> listeners() {
    return List.copyOf(listeners);
  }

  /**
   * The guest's calls reach the device no more.
   *
   * @return whether those that were made before have come back
   */
  boolean fence() {
    boolean quiet = gate.shut(FENCE_LIMIT);
    trapped.closeAll();
    return quiet;
  }

  /** It was taken back: its memory is not the guest's any more. */
  void end() {
    dma.end();
  }

  /** It is the broker's again. */
  void returned() {
    List<Runnable> actions;
    synchronized (this) {
      actions = aftermath == null ? List.of() : aftermath;
      aftermath = null;
    }
    actions.forEach(Runnable::run);
  }

  private void through(String operation, Runnable action) {
    long stamp = gate.enter(operation);
    try {
      action.run();
    } finally {
      gate.leave(stamp);
    }
  }

  private static List<BarPart> readable(Bar bar, DeviceRequest request) {
    List<BarPart> parts = request.bars().get(bar.index());
    if (parts == null) {
      return List.of(new BarPart(0, Math.max(8, bar.size())));
    }
    for (BarPart part : parts) {
      if (!new BarPart(0, bar.size()).contains(part.offset(), part.length())) {
        throw new IllegalArgumentException(
            "%s: 0x%x bytes at 0x%x are not inside BAR %d of 0x%x bytes"
                .formatted(
                    request.device(), part.length(), part.offset(), bar.index(), bar.size()));
      }
    }
    return parts.stream().sorted(Comparator.comparingLong(BarPart::offset)).toList();
  }

  /**
   * Table and pending bits of MSI-X, in that BAR: whoever writes the table forges interrupts
   * (CVE-2013-3495), so only the backend does.
   */
  private static List<BarPart> msixTable(DeviceSnapshot snapshot, int bar) {
    Capability msix = snapshot.capabilities().find(Capability.MSIX).orElse(null);
    if (msix == null || msix.offset() + PENDING + 4 > snapshot.config().size()) {
      return List.of();
    }
    int entries = (snapshot.config().read16(msix.offset() + MESSAGE_CONTROL) & TABLE_SIZE) + 1;
    int table = snapshot.config().read32(msix.offset() + TABLE);
    int pending = snapshot.config().read32(msix.offset() + PENDING);
    List<BarPart> parts = new ArrayList<>();
    if ((table & BAR_INDEX) == bar) {
      parts.add(new BarPart(Integer.toUnsignedLong(table & ~BAR_INDEX), (long) entries * ENTRY));
    }
    if ((pending & BAR_INDEX) == bar) {
      parts.add(
          new BarPart(Integer.toUnsignedLong(pending & ~BAR_INDEX), 8L * ((entries + 63) / 64)));
    }
    return parts;
  }

  private static List<BarPart> without(List<BarPart> parts, List<BarPart> holes) {
    List<BarPart> left = parts;
    for (BarPart hole : holes) {
      long holeEnd = hole.offset() + hole.length();
      List<BarPart> cut = new ArrayList<>();
      for (BarPart part : left) {
        long end = part.offset() + part.length();
        if (holeEnd <= part.offset() || end <= hole.offset()) {
          cut.add(part);
          continue;
        }
        if (part.offset() < hole.offset()) {
          cut.add(new BarPart(part.offset(), hole.offset() - part.offset()));
        }
        if (holeEnd < end) {
          cut.add(new BarPart(holeEnd, end - holeEnd));
        }
      }
      left = List.copyOf(cut);
    }
    return left;
  }

  /** Behind the gate. */
  private final class GuardedConfig implements ConfigSpace {
    @Override
    public int size() {
      return config.size();
    }

    @Override
    public int read(int offset, int width) {
      long stamp = gate.enter("config read at offset 0x" + Integer.toHexString(offset));
      try {
        return config.read(offset, width);
      } finally {
        gate.leave(stamp);
      }
    }

    @Override
    public void write(int offset, int width, int value) {
      long stamp = gate.enter("config write at offset 0x" + Integer.toHexString(offset));
      try {
        config.write(offset, width, value);
      } finally {
        gate.leave(stamp);
      }
    }
  }
}
