package org.gatun.driver.virtio;

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
import org.gatun.pci.RegisterHandler;
import org.gatun.pci.SharedRange;
import org.gatun.pci.config.ConfigSpace;

/** A device that a test changes: by overriding what it is about. */
class TamperedDevice implements PciDevice {
  private final PciDevice device;

  TamperedDevice(PciDevice device) {
    this.device = device;
  }

  /**
   * What reads give.
   *
   * @param mapped bytes of the mapping: of 56 it is the common configuration
   * @param value what the device has given
   */
  long read(long mapped, long offset, long value) {
    return value;
  }

  /** What is written. */
  long written(long mapped, long offset, long value) {
    return value;
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
    return device.bar(index).map(TamperedBar::new);
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

  private final class TamperedBar implements Bar {
    private final Bar bar;

    TamperedBar(Bar bar) {
      this.bar = bar;
    }

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
      Mmio mapped = bar.map(offset, length);
      return Mmio.trapped(mapped.name(), mapped.size(), new Tampering(mapped), mapped::close);
    }

    @Override
    public PortIo ports() {
      return bar.ports();
    }

    @Override
    public Optional<SharedRange> share(Range range) {
      return bar.share(range);
    }
  }

  private final class Tampering implements RegisterHandler {
    private final Mmio mapped;

    Tampering(Mmio mapped) {
      this.mapped = mapped;
    }

    @Override
    public long read(long offset, int width) {
      long value =
          switch (width) {
            case 1 -> mapped.read8(offset);
            case 2 -> mapped.read16(offset);
            case 4 -> mapped.read32(offset);
            default -> mapped.read64(offset);
          };
      return TamperedDevice.this.read(mapped.size(), offset, value);
    }

    @Override
    public void write(long offset, int width, long value) {
      long changed = written(mapped.size(), offset, value);
      switch (width) {
        case 1 -> mapped.write8(offset, (int) changed);
        case 2 -> mapped.write16(offset, (int) changed);
        case 4 -> mapped.write32(offset, (int) changed);
        default -> mapped.write64(offset, changed);
      }
    }
  }
}
