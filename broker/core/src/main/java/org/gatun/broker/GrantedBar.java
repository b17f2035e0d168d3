package org.gatun.broker;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.gatun.broker.DeviceRequest.BarPart;
import org.gatun.pci.Bar;
import org.gatun.pci.Mmio;
import org.gatun.pci.PortIo;
import org.gatun.pci.RegisterHandler;
import org.gatun.pci.SharedRange;
import org.gatun.pci.spi.ResourceTracker;

/**
 * A BAR, as far as it was granted. Pages that are wholly the guest's are the backend's mappings and
 * nothing more; in all others each access is looked at (XSA-461).
 */
final class GrantedBar implements Bar {
  private static final long PAGE = 4096;

  private final Bar inner;
  private final Gate gate;
  private final List<BarPart> readable;
  private final List<BarPart> writable;
  private final List<Range> ranges;
  private final ResourceTracker trapped;
  private final AtomicInteger surplus;
  private final DeniedAccess deniedAccess;

  /**
   * @param readable what the guest may read, ascending
   * @param writable what of it the guest may write, ascending
   * @param trapped where mappings with handlers are noted: they end with the grant
   * @param surplus counts mappings of the backend's beyond one for each of the guest's
   */
  GrantedBar(
      Bar inner,
      Gate gate,
      List<BarPart> readable,
      List<BarPart> writable,
      ResourceTracker trapped,
      AtomicInteger surplus,
      DeniedAccess deniedAccess) {
    this.inner = inner;
    this.gate = gate;
    this.readable = readable;
    this.writable = writable;
    this.trapped = trapped;
    this.surplus = surplus;
    this.deniedAccess = deniedAccess;
    this.ranges = inner.kind() == Kind.IO ? List.of() : cut();
  }

  @Override
  public int index() {
    return inner.index();
  }

  @Override
  public Kind kind() {
    return inner.kind();
  }

  @Override
  public long size() {
    return inner.size();
  }

  @Override
  public boolean prefetchable() {
    return inner.prefetchable();
  }

  @Override
  public List<Range> ranges() {
    return ranges;
  }

  @Override
  public Mmio map(long offset, long length) {
    long stamp = gate.enter("mapping BAR " + index());
    try {
      Range range =
          ranges.stream()
              .filter(r -> r.contains(offset, length))
              .findFirst()
              .orElseThrow(
                  () ->
                      new IllegalArgumentException(
                          "can't map %d bytes at 0x%x of BAR %d: not wholly inside one of %s"
                              .formatted(length, offset, index(), ranges)));
      return range.access() == Access.DIRECT
          ? inner.map(offset, length)
          : mapTrapped(offset, length);
    } finally {
      gate.leave(stamp);
    }
  }

  @Override
  public PortIo ports() {
    return new GrantedPorts(inner.ports(), gate, this::isReadable, this::isWritable, deniedAccess);
  }

  @Override
  public List<Doorbell> doorbells() {
    return inner.doorbells().stream()
        .filter(doorbell -> isWritable(doorbell.offset(), doorbell.width()))
        .toList();
  }

  @Override
  public Optional<SharedRange> share(Range range) {
    return isDirect(range) ? inner.share(range) : Optional.empty();
  }

  @Override
  public Optional<SharedRange> entrust(Range range) {
    return isDirect(range) ? inner.entrust(range) : Optional.empty();
  }

  private boolean isDirect(Range range) {
    return ranges.stream()
        .anyMatch(r -> r.access() == Access.DIRECT && r.contains(range.offset(), range.length()));
  }

  /** Page by page: direct if the backend maps it and all of it is the guest's, to write too. */
  private List<Range> cut() {
    List<Range> pages = new ArrayList<>();
    for (Range range : inner.ranges()) {
      long end = range.offset() + range.length();
      if (range.access() == Access.TRAPPED) {
        append(pages, range.offset(), end, Access.TRAPPED);
        continue;
      }
      long firstPage = Math.min((range.offset() + PAGE - 1) / PAGE * PAGE, end);
      long lastPage = Math.max(end / PAGE * PAGE, firstPage);
      append(pages, range.offset(), firstPage, Access.TRAPPED);
      for (BarPart part : writable) {
        // The pages of this part: what lies before them is trapped.
        long from = (Math.max(part.offset(), firstPage) + PAGE - 1) / PAGE * PAGE;
        long to = Math.min(part.offset() + part.length(), lastPage) / PAGE * PAGE;
        if (from < to) {
          append(pages, covered(pages), from, Access.TRAPPED);
          append(pages, from, to, Access.DIRECT);
        }
      }
      append(pages, covered(pages), end, Access.TRAPPED);
    }
    return List.copyOf(pages);
  }

  private static long covered(List<Range> pages) {
    return pages.isEmpty() ? 0 : pages.getLast().offset() + pages.getLast().length();
  }

  /** Appends a range, or lengthens the last one. */
  private static void append(List<Range> pages, long from, long to, Access access) {
    if (from >= to) {
      return;
    }
    if (!pages.isEmpty() && pages.getLast().access() == access) {
      Range last = pages.removeLast();
      pages.add(new Range(last.offset(), to - last.offset(), access));
    } else {
      pages.add(new Range(from, to - from, access));
    }
  }

  private Mmio mapTrapped(long offset, long length) {
    List<Part> parts = new ArrayList<>();
    boolean mapped = false;
    try {
      for (Range range : inner.ranges()) {
        long from = Math.max(range.offset(), offset);
        long to = Math.min(range.offset() + range.length(), offset + length);
        if (from < to) {
          parts.add(new Part(from, inner.map(from, to - from)));
        }
      }
      Object key = new Object();
      Mmio mmio =
          Mmio.trapped(
              parts.getFirst().registers.name(),
              length,
              new Filter(offset, List.copyOf(parts)),
              () -> {
                trapped.remove(key);
                surplus.addAndGet(1 - parts.size());
                closeAll(parts);
              });
      surplus.addAndGet(parts.size() - 1);
      trapped.add(key, new ResourceTracker.Resource.Mapping(), mmio::close);
      mapped = true;
      return mmio;
    } finally {
      if (!mapped) {
        closeAll(parts);
      }
    }
  }

  private static void closeAll(List<Part> parts) {
    parts.forEach(part -> part.registers.close());
  }

  private boolean isReadable(long offset, int width) {
    return isIn(readable, offset, width);
  }

  private boolean isWritable(long offset, int width) {
    return isIn(writable, offset, width);
  }

  private static boolean isIn(List<BarPart> parts, long offset, int width) {
    for (int i = 0; i < parts.size(); i++) {
      if (parts.get(i).contains(offset, width)) {
        return true;
      }
    }
    return false;
  }

  /** Hears of accesses to what is not the guest's. */
  interface DeniedAccess {
    /** At an offset from the start of the BAR. */
    void denied(long offset, int width);
  }

  /** A mapping of the backend's, and where in the BAR it starts. */
  private record Part(long start, Mmio registers) {}

  /** Looks at each access: what is not the guest's reads as all ones, as if nothing were there. */
  private final class Filter implements RegisterHandler {
    private final long start;
    private final List<Part> parts;

    Filter(long start, List<Part> parts) {
      this.start = start;
      this.parts = parts;
    }

    @Override
    public long read(long offset, int width) {
      long stamp = gate.enter("register read");
      try {
        long at = start + offset;
        if (!isReadable(at, width)) {
          deniedAccess.denied(at, width);
          return -1;
        }
        Part part = partOf(at);
        long inside = at - part.start;
        return switch (width) {
          case 1 -> part.registers.read8(inside);
          case 2 -> part.registers.read16(inside);
          case 4 -> part.registers.read32(inside);
          default -> part.registers.read64(inside);
        };
      } finally {
        gate.leave(stamp);
      }
    }

    @Override
    public void write(long offset, int width, long value) {
      long stamp = gate.enter("register write");
      try {
        long at = start + offset;
        if (!isWritable(at, width)) {
          deniedAccess.denied(at, width);
          return;
        }
        Part part = partOf(at);
        long inside = at - part.start;
        switch (width) {
          case 1 -> part.registers.write8(inside, (int) value);
          case 2 -> part.registers.write16(inside, (int) value);
          case 4 -> part.registers.write32(inside, (int) value);
          default -> part.registers.write64(inside, value);
        }
      } finally {
        gate.leave(stamp);
      }
    }

    private Part partOf(long offset) {
      for (int i = parts.size() - 1; i > 0; i--) {
        if (parts.get(i).start <= offset) {
          return parts.get(i);
        }
      }
      return parts.getFirst();
    }
  }
}
