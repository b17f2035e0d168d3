package org.gatun.vfio;

import java.util.List;
import org.gatun.nativeaccess.Access;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.Mapping;
import org.gatun.pci.Bar.Range;
import org.gatun.pci.DeviceName;
import org.gatun.pci.Mmio;
import org.gatun.pci.RegisterHandler;
import org.gatun.vfio.common.Region;
import org.gatun.vfio.common.VfioBar;

/**
 * The trapped parts of a memory BAR that the kernel lets nobody read or write, only map: a mapping
 * of our own, of which each access is checked. What is hidden reads as all ones, and writes to it
 * are dropped, as VFIO does it; so is a page that the BAR shares with others out of reach.
 */
final class MappedTrap implements VfioBar.Trap, AutoCloseable {
  private final Mapping mapping;
  private final Mmio registers;

  /** Of what was mapped, in the BAR. */
  private final long first;

  private final List<Region.Area> hidden;

  private MappedTrap(Mapping mapping, Mmio registers, long first, List<Region.Area> hidden) {
    this.mapping = mapping;
    this.registers = registers;
    this.first = first;
    this.hidden = hidden;
  }

  /**
   * Maps what is trapped of a BAR.
   *
   * @param trapped its trapped ranges, in order; not empty
   * @param offsetInPage of the BAR's first byte: not 0 for one that is smaller than a page
   * @throws org.gatun.nativeaccess.LinuxException if the kernel refuses
   */
  static MappedTrap map(
      DeviceName device,
      Fd resource,
      List<Range> trapped,
      long offsetInPage,
      List<Region.Area> hidden) {
    long page = Mapping.pageSize();
    long first = trapped.getFirst().offset();
    long length = trapped.getLast().offset() + trapped.getLast().length() - first;
    // Such a range starts at a page, or at the start of the BAR.
    long pages = Math.ceilDiv(offsetInPage + length, page) * page;
    Mapping mapping = Mapping.map(resource, first, pages, Access.READ_WRITE);
    Mmio registers =
        Mmio.direct(device, mapping.segment().asSlice(offsetInPage, length), mapping::close);
    return new MappedTrap(mapping, registers, first, List.copyOf(hidden));
  }

  @Override
  public RegisterHandler at(long start) {
    return new Part(start);
  }

  @Override
  public void close() {
    registers.close();
    // In case another thread is just closing it.
    mapping.close();
  }

  private boolean isHidden(long offset, int width) {
    for (Region.Area area : hidden) {
      if (offset < area.offset() + area.size() && offset + width > area.offset()) {
        return true;
      }
    }
    return false;
  }

  private final class Part implements RegisterHandler {
    private final long start;

    Part(long start) {
      this.start = start;
    }

    @Override
    public long read(long offset, int width) {
      long at = start + offset;
      if (isHidden(at, width)) {
        return -1;
      }
      return switch (width) {
        case 1 -> registers.read8(at - first);
        case 2 -> registers.read16(at - first);
        case 4 -> registers.read32(at - first);
        default -> registers.read64(at - first);
      };
    }

    @Override
    public void write(long offset, int width, long value) {
      long at = start + offset;
      if (isHidden(at, width)) {
        return;
      }
      switch (width) {
        case 1 -> registers.write8(at - first, (int) value);
        case 2 -> registers.write16(at - first, (int) value);
        case 4 -> registers.write32(at - first, (int) value);
        default -> registers.write64(at - first, value);
      }
    }
  }
}
