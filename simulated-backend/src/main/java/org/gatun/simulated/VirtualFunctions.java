package org.gatun.simulated;

import java.util.Map;
import java.util.function.IntFunction;
import org.gatun.pci.Bar;
import org.gatun.simulated.FunctionDescription.BarDescription;

/**
 * The virtual functions that Single Root I/O Virtualization gives a function, which is their
 * physical one (PCI Express Base Specification 5.0, 9). They are there while its VF Enable is set:
 * that makes as many as NumVFs says appear, within the 100 ms that software has to wait. Each has
 * the name of the physical function and {@code /vf0}, {@code /vf1}, and an IOMMU group to itself if
 * the bridges on the way isolate. They answer at their BARs while VF Memory Space Enable is set.
 * When VF Enable is cleared, as by a reset of the physical function, they are gone at once, and
 * whoever has one open hears it.
 *
 * @param total how many there can be, 1 to 128
 * @param models what each does, by its number from 0; all with the same description
 */
public record VirtualFunctions(int total, IntFunction<DeviceModel> models) {
  /** What System Page Size says at first: BARs are not smaller. */
  private static final long PAGE = 4096;

  /**
   * @throws IllegalArgumentException if there can't be so many, or if they are described as what no
   *     virtual function is: the message names the part
   */
  public VirtualFunctions {
    if (total < 1 || total > 128) {
      throw new IllegalArgumentException("total: 1 to 128 virtual functions, not " + total);
    }
    FunctionDescription each = models.apply(0).description();
    if (!each.express() || !each.resetsItself()) {
      throw new IllegalArgumentException(
          "models: a virtual function is one of PCI Express, with a function level reset");
    }
    if (each.interrupts().pin() != 0 || each.romSize() != 0 || each.bridge()) {
      throw new IllegalArgumentException(
          "models: a virtual function has no interrupt pin and no expansion ROM, and is no bridge");
    }
    for (BarDescription bar : each.bars()) {
      if (bar.kind() != Bar.Kind.MEMORY || bar.size() < PAGE) {
        throw new IllegalArgumentException(
            "models: BAR %d of a virtual function is memory, of a page at least"
                .formatted(bar.index()));
      }
    }
  }

  /** What each is like. */
  FunctionDescription each() {
    return models.apply(0).description();
  }

  /**
   * Where they are, on the bus of their physical function.
   *
   * @param first slot and function of the first in the low 8 bits of a routing id, 3 of them the
   *     function; the others follow
   * @param barAddresses of the first, by index of the BAR; those of the others follow
   */
  record Places(int first, Map<Integer, Long> barAddresses) {}
}
