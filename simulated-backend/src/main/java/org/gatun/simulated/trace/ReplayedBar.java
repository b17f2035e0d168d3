package org.gatun.simulated.trace;

import java.util.List;
import java.util.Optional;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.Mmio;
import org.gatun.pci.PortIo;
import org.gatun.pci.RegisterHandler;
import org.gatun.pci.SharedRange;
import org.gatun.pci.spi.ResourceTracker;
import org.gatun.pci.spi.ResourceTracker.Resource;
import org.gatun.simulated.trace.RecordedDevice.RecordedBar;

/** A BAR of a replayed device, trapped as it was when it was recorded. */
record ReplayedBar(ReplayedDevice device, RecordedBar bar, ResourceTracker given) implements Bar {
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
    if (ranges().stream().noneMatch(r -> r.contains(offset, length))
        || offset % 4 != 0
        || length % 4 != 0) {
      throw new IllegalArgumentException(
          "%s: can't map %d bytes at 0x%x of BAR %d: multiples of 4, and inside its memory of %d bytes"
              .formatted(device, length, offset, index(), size()));
    }
    device.check("mapping BAR " + index());
    Object key = new Object();
    RegisterHandler registers = new ReplayedRegisters(device, index(), offset);
    Mmio mmio = Mmio.trapped(device.name(), length, registers, () -> given.remove(key));
    try {
      given.add(key, new Resource.Mapping(), mmio::close);
    } catch (DeviceGoneException e) {
      mmio.close();
      throw e;
    }
    return mmio;
  }

  @Override
  public PortIo ports() {
    if (kind() != Kind.IO) {
      throw new IllegalArgumentException(
          device + ": BAR " + index() + " has memory behind it, not I/O ports");
    }
    return new ReplayedPorts(device, index(), size());
  }

  @Override
  public Optional<SharedRange> share(Range range) {
    return Optional.empty();
  }
}
