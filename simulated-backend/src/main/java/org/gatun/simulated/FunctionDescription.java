package org.gatun.simulated;

import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.gatun.pci.Bar;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.jspecify.annotations.Nullable;

/**
 * A PCI function, as data: the bus makes config space, BARs and interrupts from it. A bridge (class
 * 0604) has a type 1 header, with at most two BARs; what is behind it is for {@link SimulatedBus}.
 *
 * @param revision 8 bits
 * @param romSize of the expansion ROM in bytes, a power of two of at least 2048, or 0 for none: a
 *     register only, nothing is behind it
 * @param capabilities besides MSI and MSI-X, which come first in config space; with PCI Express it
 *     has 4096 bytes, else 256
 * @param virtualFunctions which need PCI Express; the bus makes their capability
 */
public record FunctionDescription(
    PciId id,
    PciClass pciClass,
    int revision,
    List<BarDescription> bars,
    long romSize,
    InterruptDescription interrupts,
    List<CapabilityDescription> capabilities,
    Set<Trait> traits,
    Optional<VirtualFunctions> virtualFunctions) {
  private static final int CLASS_BRIDGE = 0x06;
  private static final int SUBCLASS_PCI_BRIDGE = 0x04;

  /** What a function is like besides. */
  public enum Trait {
    /**
     * Its slot can be reset, as can that of a device alone behind a root port: so the function can,
     * as long as it is alone in there.
     */
    SLOT_RESET,
    /** It has a built-in self test, which once started goes on until a reset. */
    SELF_TEST,
    /**
     * Behind the header, what belongs to no capability is registers of its own, which nobody has
     * documented and anybody can write.
     */
    UNDOCUMENTED_REGISTERS
  }

  /**
   * Copies the collections.
   *
   * @throws IllegalArgumentException if BARs overlap, or the MSI-X table is not inside its BAR, or
   *     a part breaks its rule
   */
  public FunctionDescription {
    bars = List.copyOf(bars);
    capabilities = List.copyOf(capabilities);
    traits = Set.copyOf(traits);
    if (revision < 0 || revision > 0xff) {
      throw new IllegalArgumentException("revision: 8 bits, not " + revision);
    }
    int registers = isBridge(pciClass) ? 2 : 6;
    Set<Integer> taken = new HashSet<>();
    for (BarDescription bar : bars) {
      if (!taken.add(bar.index()) || (bar.wide() && !taken.add(bar.index() + 1))) {
        throw new IllegalArgumentException(
            "bars: the register of BAR %d, or its second, is another's".formatted(bar.index()));
      }
      if (bar.index() + (bar.wide() ? 1 : 0) >= registers) {
        throw new IllegalArgumentException(
            "bars: BAR %d: a bridge has registers 0 and 1 only".formatted(bar.index()));
      }
    }
    if (romSize != 0 && (romSize < 2048 || romSize > 1 << 24 || Long.bitCount(romSize) != 1)) {
      throw new IllegalArgumentException(
          "romSize: a power of two from 2048 to 16 MiB, or 0, not " + romSize);
    }
    for (CapabilityDescription capability : capabilities) {
      if (capability.extended()
          && capabilities.stream().noneMatch(c -> c.isConventional(Capability.PCI_EXPRESS))) {
        throw new IllegalArgumentException(
            "capabilities: extended capability 0x%x needs PCI Express".formatted(capability.id()));
      }
    }
    if (virtualFunctions.isPresent()
        && (isBridge(pciClass)
            || capabilities.stream().noneMatch(c -> c.isConventional(Capability.PCI_EXPRESS)))) {
      throw new IllegalArgumentException(
          "virtualFunctions: only a PCI Express function that is no bridge has them");
    }
    Optional<Msix> msix = interrupts.msix();
    if (msix.isPresent()) {
      msix.get().checkInside(bars);
    }
  }

  /** One without virtual functions. */
  public FunctionDescription(
      PciId id,
      PciClass pciClass,
      int revision,
      List<BarDescription> bars,
      long romSize,
      InterruptDescription interrupts,
      List<CapabilityDescription> capabilities,
      Set<Trait> traits) {
    this(id, pciClass, revision, bars, romSize, interrupts, capabilities, traits, Optional.empty());
  }

  /**
   * An ordinary function, which can be reset.
   *
   * @param express whether it is a PCI Express endpoint, with a function level reset; else its slot
   *     is reset
   */
  public FunctionDescription(
      PciId id,
      PciClass pciClass,
      int revision,
      boolean express,
      List<BarDescription> bars,
      InterruptDescription interrupts) {
    this(
        id,
        pciClass,
        revision,
        bars,
        0,
        interrupts,
        express ? List.of(StandardCapabilities.expressEndpoint(true)) : List.of(),
        express ? Set.of() : Set.of(Trait.SLOT_RESET));
  }

  /** The same with other traits. */
  public FunctionDescription withTraits(Set<Trait> others) {
    return new FunctionDescription(
        id, pciClass, revision, bars, romSize, interrupts, capabilities, others, virtualFunctions);
  }

  /** The same with virtual functions. */
  public FunctionDescription withVirtualFunctions(VirtualFunctions some) {
    return new FunctionDescription(
        id, pciClass, revision, bars, romSize, interrupts, capabilities, traits, Optional.of(some));
  }

  /** Whether it is a PCI Express function: 4096 bytes of config space; else 256. */
  public boolean express() {
    return capabilities.stream().anyMatch(c -> c.isConventional(Capability.PCI_EXPRESS));
  }

  /** Whether it is a bridge to another bus. */
  public boolean bridge() {
    return isBridge(pciClass);
  }

  /** Which port of PCI Express it is; null if it is none. */
  @Nullable PortKind port() {
    return capabilities.stream()
        .map(CapabilityDescription::port)
        .filter(Objects::nonNull)
        .findFirst()
        .orElse(null);
  }

  /** Whether it can be reset by itself, without its slot. */
  boolean resetsItself() {
    return capabilities.stream().anyMatch(CapabilityDescription::resets);
  }

  /** Whether Access Control Services keep it from its neighbours. */
  boolean isolated() {
    return capabilities.stream().anyMatch(CapabilityDescription::isolates);
  }

  private static boolean isBridge(PciClass pciClass) {
    return pciClass.base() == CLASS_BRIDGE && pciClass.subclass() == SUBCLASS_PCI_BRIDGE;
  }

  /**
   * A BAR.
   *
   * @param index 0 to 5, of the low half if it is wide
   * @param size in bytes, a power of two: of memory at least 16, of I/O ports 4 to 256
   * @param wide whether it takes two registers (64 bits)
   * @param ranges which cover it, in the order of their offsets; none for I/O ports. A direct range
   *     is memory that the model shares with the driver: see {@link ModelContext#sharedMemory}
   * @param doorbells in trapped ranges
   */
  public record BarDescription(
      int index,
      Bar.Kind kind,
      long size,
      boolean wide,
      boolean prefetchable,
      List<Bar.Range> ranges,
      List<Bar.Doorbell> doorbells) {

    /**
     * Copies the lists.
     *
     * @throws IllegalArgumentException if a part breaks its rule
     */
    public BarDescription {
      ranges = List.copyOf(ranges);
      doorbells = List.copyOf(doorbells);
      boolean io = kind == Bar.Kind.IO;
      if (index < 0 || index > (wide ? 4 : 5)) {
        throw new IllegalArgumentException(
            "BAR %d: its index is 0 to 5, or to 4 if it is wide".formatted(index));
      }
      if (size < (io ? 4 : 16) || Long.bitCount(size) != 1 || (io && size > 256)) {
        throw new IllegalArgumentException(
            "BAR %d: its size is a power of two, of memory from 16 and of ports 4 to 256, not %d"
                .formatted(index, size));
      }
      if (io && (wide || prefetchable || !ranges.isEmpty())) {
        throw new IllegalArgumentException(
            "BAR %d: ports are neither wide nor prefetchable, and have no ranges".formatted(index));
      }
      if (!wide && size > 1L << 31) {
        throw new IllegalArgumentException(
            "BAR %d: its size is at most 2 GiB if it is not wide, not %d".formatted(index, size));
      }
      long end = 0;
      for (Bar.Range range : ranges) {
        if (range.offset() != end) {
          throw new IllegalArgumentException(
              "BAR %d: of its ranges, the one at 0x%x is to start at 0x%x"
                  .formatted(index, range.offset(), end));
        }
        end += range.length();
      }
      if (!io && end != size) {
        throw new IllegalArgumentException(
            "BAR %d: its ranges end at 0x%x, and it at 0x%x".formatted(index, end, size));
      }
      for (Bar.Doorbell doorbell : doorbells) {
        if (ranges.stream()
            .filter(r -> r.access() == Bar.Access.TRAPPED)
            .noneMatch(r -> r.contains(doorbell.offset(), doorbell.width()))) {
          throw new IllegalArgumentException(
              "BAR %d: its doorbell at 0x%x is not in a trapped range"
                  .formatted(index, doorbell.offset()));
        }
      }
    }

    /** A memory BAR. */
    public BarDescription(
        int index, long size, boolean wide, boolean prefetchable, List<Bar.Range> ranges) {
      this(index, Bar.Kind.MEMORY, size, wide, prefetchable, ranges, List.of());
    }

    /** The same with doorbells. */
    public BarDescription withDoorbells(List<Bar.Doorbell> some) {
      return new BarDescription(index, kind, size, wide, prefetchable, ranges, some);
    }

    /** A BAR of I/O ports. */
    public static BarDescription ports(int index, long size) {
      return new BarDescription(index, Bar.Kind.IO, size, false, false, List.of(), List.of());
    }

    /** A memory BAR that is trapped as a whole. */
    public static BarDescription trapped(int index, long size, boolean wide) {
      return new BarDescription(
          index, size, wide, false, List.of(new Bar.Range(0, size, Bar.Access.TRAPPED)));
    }
  }

  /**
   * How a function interrupts.
   *
   * @param pin 0 none, 1 to 4 for INTA to INTD
   * @param msiVectors 0 none, else a power of two up to 32
   * @param msiMasks whether MSI has a mask for each vector (PCI Local Bus Specification 3.0,
   *     6.8.1.7)
   * @param msix empty if it lacks it
   */
  public record InterruptDescription(
      int pin, int msiVectors, boolean msiMasks, Optional<Msix> msix) {
    /**
     * @throws IllegalArgumentException if a part breaks its rule
     */
    public InterruptDescription {
      if (pin < 0 || pin > 4) {
        throw new IllegalArgumentException("pin: 0 to 4, not " + pin);
      }
      if (msiVectors < 0 || msiVectors > 32 || Integer.bitCount(msiVectors) > 1) {
        throw new IllegalArgumentException("msiVectors: 0, 1, 2, 4 ... 32, not " + msiVectors);
      }
    }

    /** Without masks of MSI vectors. */
    public InterruptDescription(int pin, int msiVectors, Optional<Msix> msix) {
      this(pin, msiVectors, false, msix);
    }
  }

  /**
   * MSI-X: the bus serves table and pending bits, the model does not see accesses to them.
   *
   * @param vectors 1 to 2048
   * @param bar which holds both
   * @param table offset of the table, 16 bytes a vector; a multiple of 8
   * @param pending offset of the pending bits, 8 bytes for each 64 vectors; a multiple of 8
   */
  public record Msix(int vectors, int bar, long table, long pending) {
    /**
     * @throws IllegalArgumentException if a part breaks its rule
     */
    public Msix {
      if (vectors < 1 || vectors > 2048) {
        throw new IllegalArgumentException("MSI-X vectors: 1 to 2048, not " + vectors);
      }
      checkOffset("table", table);
      checkOffset("pending bits", pending);
    }

    private static void checkOffset(String what, long offset) {
      if (offset < 0 || offset > 0xffff_ffffL || offset % 8 != 0) {
        throw new IllegalArgumentException(
            "MSI-X %s: an offset of 32 bits, a multiple of 8, not 0x%x".formatted(what, offset));
      }
    }

    /** The size of the table in bytes. */
    public long tableSize() {
      return 16L * vectors;
    }

    /** The size of the pending bits in bytes. */
    public long pendingSize() {
      return 8L * ((vectors + 63) / 64);
    }

    private void checkInside(List<BarDescription> bars) {
      checkInside(bars, "table", table, tableSize());
      checkInside(bars, "pending bits", pending, pendingSize());
      if (table < pending + pendingSize() && pending < table + tableSize()) {
        throw new IllegalArgumentException(
            "MSI-X table at 0x%x and pending bits at 0x%x of BAR %d overlap"
                .formatted(table, pending, bar));
      }
    }

    private void checkInside(List<BarDescription> bars, String what, long offset, long length) {
      if (bars.stream()
          .filter(b -> b.index() == bar)
          .flatMap(b -> b.ranges().stream())
          .filter(r -> r.access() == Bar.Access.TRAPPED)
          .noneMatch(r -> r.contains(offset, length))) {
        throw new IllegalArgumentException(
            "MSI-X %s: %d bytes at 0x%x are not in a trapped range of BAR %d"
                .formatted(what, length, offset, bar));
      }
    }
  }
}
