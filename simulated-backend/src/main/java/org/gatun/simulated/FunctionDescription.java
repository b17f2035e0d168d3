package org.gatun.simulated;

import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.gatun.pci.Bar;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;

/**
 * A PCI function, as data: the bus makes config space, BARs and interrupts from it.
 *
 * @param revision 8 bits
 * @param express whether it is a PCI Express endpoint: 4096 bytes of config space and that
 *     capability; else 256 bytes
 */
public record FunctionDescription(
    PciId id,
    PciClass pciClass,
    int revision,
    boolean express,
    List<BarDescription> bars,
    InterruptDescription interrupts) {

  /**
   * Copies the list.
   *
   * @throws IllegalArgumentException if BARs overlap, or the MSI-X table is not inside its BAR
   */
  public FunctionDescription {
    bars = List.copyOf(bars);
    Set<Integer> taken = new HashSet<>();
    for (BarDescription bar : bars) {
      if (!taken.add(bar.index()) || (bar.wide() && !taken.add(bar.index() + 1))) {
        throw new IllegalArgumentException("BAR " + bar.index() + " is described twice");
      }
    }
    Optional<Msix> msix = interrupts.msix();
    if (msix.isPresent()) {
      msix.get().checkInside(bars);
    }
  }

  /**
   * A memory BAR.
   *
   * @param index 0 to 5, of the low half if it is wide
   * @param size in bytes, a power of two of at least 16
   * @param wide whether it takes two registers (64 bits)
   * @param ranges which cover it, in the order of their offsets. A direct range is memory that the
   *     model shares with the driver: see {@link ModelContext#sharedMemory}
   */
  public record BarDescription(
      int index, long size, boolean wide, boolean prefetchable, List<Bar.Range> ranges) {

    /**
     * Copies the list.
     *
     * @throws IllegalArgumentException if a part breaks its rule
     */
    public BarDescription {
      ranges = List.copyOf(ranges);
      if (index < 0 || index > (wide ? 4 : 5) || size < 16 || Long.bitCount(size) != 1) {
        throw new IllegalArgumentException("no such BAR: index " + index + ", size " + size);
      }
      if (!wide && size > 1L << 31) {
        throw new IllegalArgumentException("a 32-bit BAR has at most 2 GiB, not " + size);
      }
      long end = 0;
      for (Bar.Range range : ranges) {
        if (range.offset() != end) {
          throw new IllegalArgumentException("the ranges of BAR " + index + " leave a gap");
        }
        end += range.length();
      }
      if (end != size) {
        throw new IllegalArgumentException("the ranges do not cover BAR " + index);
      }
    }

    /** A BAR that is trapped as a whole. */
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
   * @param msix empty if it lacks it
   */
  public record InterruptDescription(int pin, int msiVectors, Optional<Msix> msix) {
    /**
     * @throws IllegalArgumentException if a part breaks its rule
     */
    public InterruptDescription {
      if (pin < 0 || pin > 4) {
        throw new IllegalArgumentException("no such interrupt pin: " + pin);
      }
      if (msiVectors < 0 || msiVectors > 32 || Integer.bitCount(msiVectors) > 1) {
        throw new IllegalArgumentException("MSI has 1, 2, 4 ... 32 vectors, not " + msiVectors);
      }
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
      if (vectors < 1 || vectors > 2048 || (table | pending) % 8 != 0) {
        throw new IllegalArgumentException("no such MSI-X table: " + vectors + " vectors");
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
      boolean inside =
          bars.stream()
              .filter(b -> b.index() == bar)
              .flatMap(b -> b.ranges().stream())
              .filter(r -> r.access() == Bar.Access.TRAPPED)
              .filter(r -> r.contains(table, tableSize()) && r.contains(pending, pendingSize()))
              .findAny()
              .isPresent();
      if (!inside || (table < pending + pendingSize() && pending < table + tableSize())) {
        throw new IllegalArgumentException(
            "MSI-X table and pending bits are not apart, in one trapped range of BAR " + bar);
      }
    }
  }
}
