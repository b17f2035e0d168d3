package org.gatun.broker.fuzz;

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

/**
 * A device whose config space holds any bytes, and takes whatever is written: so each write that
 * comes through shows. Of the rest, it has BARs of 4 KiB.
 */
final class HostileDevice implements PciDevice {
  static final DeviceName NAME = new DeviceName("simulated", "hostile");

  private final byte[] bytes;

  HostileDevice(byte[] bytes) {
    this.bytes = bytes;
  }

  /** What it has, for who looks past everybody. */
  byte[] bytes() {
    return bytes.clone();
  }

  @Override
  public DeviceName name() {
    return NAME;
  }

  @Override
  public ConfigSpace config() {
    return new ConfigSpace() {
      @Override
      public int size() {
        return bytes.length;
      }

      @Override
      public int read(int offset, int width) {
        ConfigSpace.check(offset, width, bytes.length);
        int value = 0;
        for (int i = 0; i < width; i++) {
          value |= (bytes[offset + i] & 0xff) << (8 * i);
        }
        return value;
      }

      @Override
      public void write(int offset, int width, int value) {
        ConfigSpace.check(offset, width, bytes.length);
        for (int i = 0; i < width; i++) {
          bytes[offset + i] = (byte) (value >>> (8 * i));
        }
      }
    };
  }

  @Override
  public Optional<Bar> bar(int index) {
    return Optional.of(new Registers(index));
  }

  @Override
  public DmaSpace dma() {
    throw new UnsupportedOperationException();
  }

  @Override
  public Interrupts interrupts() {
    throw new UnsupportedOperationException();
  }

  @Override
  public void busMaster(boolean on) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void reset() {
    throw new UnsupportedOperationException();
  }

  @Override
  public void onDetach(DetachListener listener) {}

  @Override
  public Usage usage() {
    return Usage.NONE;
  }

  @Override
  public void close() {}

  private record Registers(int index) implements Bar {
    private static final int SIZE = 4096;

    @Override
    public Kind kind() {
      return Kind.MEMORY;
    }

    @Override
    public long size() {
      return SIZE;
    }

    @Override
    public boolean prefetchable() {
      return false;
    }

    @Override
    public List<Range> ranges() {
      return List.of(new Range(0, SIZE, Access.TRAPPED));
    }

    @Override
    public Mmio map(long offset, long length) {
      throw new UnsupportedOperationException();
    }

    @Override
    public PortIo ports() {
      throw new UnsupportedOperationException();
    }

    @Override
    public Optional<SharedRange> share(Range range) {
      return Optional.empty();
    }
  }
}
