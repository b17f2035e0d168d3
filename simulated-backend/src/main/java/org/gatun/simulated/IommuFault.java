package org.gatun.simulated;

import java.util.List;
import java.util.Optional;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaDirection;

/**
 * A DMA access that the IOMMU refused.
 *
 * @param busAddress the first byte that was refused
 * @param size in bytes, of what was refused
 * @param direction {@link DmaDirection#TO_DEVICE} for a read by the device, {@link
 *     DmaDirection#FROM_DEVICE} for a write
 * @param origin of what is mapped there, or was last: only if {@linkplain
 *     SimulatedIommu#keepOrigins asked for}
 */
public record IommuFault(
    DeviceName device,
    long busAddress,
    long size,
    DmaDirection direction,
    Kind kind,
    Optional<Origin> origin) {

  /** Why it was refused. */
  public enum Kind {
    /** Nothing is mapped there. */
    NOT_MAPPED("nothing is mapped there"),
    /** It is mapped for writing only. */
    NOT_READABLE("it is mapped for writing only"),
    /** It is mapped for reading only. */
    NOT_WRITABLE("it is mapped for reading only"),
    /** It is mapped, but who mapped it has freed the memory, or can't be reached any more. */
    GONE("the memory is mapped, and gone"),
    /**
     * It is a request for an interrupt that is not the device's own: a message of MSI or MSI-X with
     * another address or data than the host gave it, or a DMA write to where messages go.
     */
    INTERRUPT("it is no interrupt of the device's own");

    private final String text;

    Kind(String text) {
      this.text = text;
    }
  }

  /**
   * Where memory was mapped, and where unmapped: the innermost frames first, from the call of the
   * contract on.
   *
   * @param unmapped empty if it still is mapped
   */
  public record Origin(List<StackTraceElement> mapped, List<StackTraceElement> unmapped) {
    /** Copies the lists. */
    public Origin {
      mapped = List.copyOf(mapped);
      unmapped = List.copyOf(unmapped);
    }

    @Override
    public String toString() {
      String first = "mapped at " + mapped.getFirst();
      return unmapped.isEmpty() ? first : "unmapped at " + unmapped.getFirst() + ", " + first;
    }
  }

  /** One of what is not mapped, whose origin nobody asked for. */
  public IommuFault(DeviceName device, long busAddress, long size, DmaDirection direction) {
    this(device, busAddress, size, direction, Kind.NOT_MAPPED, Optional.empty());
  }

  @Override
  public String toString() {
    return "%s: DMA %s of %d bytes at bus address 0x%x: %s%s"
        .formatted(
            device,
            direction == DmaDirection.TO_DEVICE ? "read" : "write",
            size,
            busAddress,
            kind.text,
            origin.map(o -> "; " + o).orElse(""));
  }
}
