package org.gatun.simulated.trace;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceName;
import org.gatun.pci.Mmio;
import org.gatun.pci.PortIo;
import org.gatun.pci.RegisterHandler;
import org.gatun.pci.SharedRange;

/** A BAR each access of which is seen: so all of it is trapped. */
record ObservedBar(DeviceName device, Bar bar, Observer observer) implements Bar {
  @Override
  public int index() {
    return bar.index();
  }

  @Override
  public Kind kind() {
    return bar.kind();
  }

  @Override
  public long size() {
    return bar.size();
  }

  @Override
  public boolean prefetchable() {
    return bar.prefetchable();
  }

  @Override
  public List<Range> ranges() {
    return kind() == Kind.IO ? List.of() : List.of(new Range(0, size(), Access.TRAPPED));
  }

  @Override
  public Mmio map(long offset, long length) {
    List<Range> parts =
        bar.ranges().stream()
            .filter(r -> r.offset() < offset + length && offset < r.offset() + r.length())
            .toList();
    boolean whole =
        parts.size() < 2 || !new Range(0, size(), Access.TRAPPED).contains(offset, length);
    Mmio registers = whole ? bar.map(offset, length) : mapAcross(parts, offset, length);
    return Mmio.trapped(
        device,
        registers.size(),
        new WatchedRegisters(registers, index(), offset, observer),
        registers::close);
  }

  @Override
  public PortIo ports() {
    return new ObservedPorts(bar.ports(), index(), observer);
  }

  @Override
  public List<Doorbell> doorbells() {
    return bar.doorbells();
  }

  /** What others do to what they are given is not seen: so nobody is given it. */
  @Override
  public Optional<SharedRange> share(Range range) {
    return Optional.empty();
  }

  /** Several mappings of the device, as one: its own ranges are direct and trapped in turn. */
  private Mmio mapAcross(List<Range> ranges, long offset, long length) {
    List<Mmio> mapped = new ArrayList<>();
    List<Range> places = new ArrayList<>();
    Runnable close = () -> mapped.forEach(Mmio::close);
    try {
      for (Range range : ranges) {
        long from = Math.max(offset, range.offset());
        long to = Math.min(offset + length, range.offset() + range.length());
        mapped.add(bar.map(from, to - from));
        places.add(new Range(from - offset, to - from, range.access()));
      }
    } catch (RuntimeException e) {
      close.run();
      throw e;
    }
    return Mmio.trapped(device, length, new Joined(mapped, places), close);
  }

  /**
   * Ranges start and end at multiples of 4 at least, so only an access of 8 bytes can be in two.
   */
  private record Joined(List<Mmio> mapped, List<Range> places) implements RegisterHandler {
    @Override
    public long read(long offset, int width) {
      int part = part(offset, width);
      return WatchedRegisters.read(mapped.get(part), offset - places.get(part).offset(), width);
    }

    @Override
    public void write(long offset, int width, long value) {
      int part = part(offset, width);
      WatchedRegisters.write(mapped.get(part), offset - places.get(part).offset(), width, value);
    }

    private int part(long offset, int width) {
      for (int part = 0; part < places.size(); part++) {
        if (places.get(part).contains(offset, width)) {
          return part;
        }
      }
      throw new IndexOutOfBoundsException(
          "offset 0x%x, %d bytes: in two ranges of the BAR".formatted(offset, width));
    }
  }
}
