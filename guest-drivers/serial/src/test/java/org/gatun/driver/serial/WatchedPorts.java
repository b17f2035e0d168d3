package org.gatun.driver.serial;

import java.util.List;
import java.util.Optional;
import org.gatun.pci.Bar;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PortIo;
import org.gatun.pci.SharedRange;
import org.gatun.pci.config.ConfigSpace;

/** A device whose accesses of bytes somebody hears of, before each is made, and may make fail. */
record WatchedPorts(PciDevice device, Watcher watcher) implements PciDevice {
  /** Hears of accesses. */
  @FunctionalInterface
  interface Watcher {
    /** What it throws comes out of the access, which is not made then. */
    void accessed(boolean write, long register);
  }

  @Override
  public DeviceName name() {
    return device.name();
  }

  @Override
  public ConfigSpace config() {
    return device.config();
  }

  @Override
  public Optional<Bar> bar(int index) {
    return device.bar(index).map(bar -> new WatchedBar(bar, watcher));
  }

  @Override
  public DmaSpace dma() {
    return device.dma();
  }

  @Override
  public Interrupts interrupts() {
    return device.interrupts();
  }

  @Override
  public void busMaster(boolean on) {
    device.busMaster(on);
  }

  @Override
  public void reset() {
    device.reset();
  }

  @Override
  public void onDetach(DetachListener listener) {
    device.onDetach(listener);
  }

  @Override
  public Usage usage() {
    return device.usage();
  }

  @Override
  public void close() {
    device.close();
  }

  private record WatchedBar(Bar bar, Watcher watcher) implements Bar {
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
      return bar.ranges();
    }

    @Override
    public Mmio map(long offset, long length) {
      return bar.map(offset, length);
    }

    @Override
    public PortIo ports() {
      return new WatchedPortIo(bar.ports(), watcher);
    }

    @Override
    public Optional<SharedRange> share(Range range) {
      return bar.share(range);
    }
  }

  private record WatchedPortIo(PortIo ports, Watcher watcher) implements PortIo {
    @Override
    public long size() {
      return ports.size();
    }

    @Override
    public int read8(long offset) {
      watcher.accessed(false, offset);
      return ports.read8(offset);
    }

    @Override
    public int read16(long offset) {
      return ports.read16(offset);
    }

    @Override
    public int read32(long offset) {
      return ports.read32(offset);
    }

    @Override
    public void write8(long offset, int value) {
      watcher.accessed(true, offset);
      ports.write8(offset, value);
    }

    @Override
    public void write16(long offset, int value) {
      ports.write16(offset, value);
    }

    @Override
    public void write32(long offset, int value) {
      ports.write32(offset, value);
    }
  }
}
