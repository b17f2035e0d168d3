package org.gatun.vmtests;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.gatun.pci.Mmio;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.vfio.VfioBackend;
import org.gatun.vfio.sysfs.SysfsDevice;

/**
 * A place in a device that holds a mark until the device is reset: the address of an interrupt
 * message that is not in use. A function-level reset and a reset of the bus clear it, in QEMU;
 * Linux neither saves nor restores it, nor does closing, unbinding or saving power change it. It is
 * reached through sysfs, past VFIO, whose users are not given these addresses.
 *
 * <p>A test that uses the very interrupt takes the mark away, since Linux clears the address of one
 * that it is done with. So a device has as many marks as it has places.
 */
sealed interface ResetMarker {
  /** An address that no interrupt controller has, should it be used after all. */
  int MARK = 0x1234_5000;

  /** All that a device has. */
  static List<ResetMarker> of(SysfsDevice device) {
    Capabilities capabilities = Capabilities.walk(device.config());
    return Stream.of(
            capabilities.find(Capability.MSI).map(msi -> (ResetMarker) new Msi(device, msi)),
            capabilities.find(Capability.MSIX).map(msix -> (ResetMarker) Msix.last(device, msix)))
        .flatMap(Optional::stream)
        .toList();
  }

  /** Sets the mark. */
  void set();

  /** Takes it away as a reset does. */
  void clear();

  /** Whether there was no reset since the mark was set, or since the interrupt was last used. */
  boolean isSet();

  /** The one address of MSI, in config space (PCI 3.0, 6.8.1.4). */
  record Msi(SysfsDevice device, int offset) implements ResetMarker {
    Msi(SysfsDevice device, Capability msi) {
      this(device, msi.offset() + 4);
    }

    @Override
    public void set() {
      write(MARK);
    }

    @Override
    public void clear() {
      write(0);
    }

    @Override
    public boolean isSet() {
      return device.config().read32(offset) != 0;
    }

    private void write(int value) {
      ByteBuffer bytes = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(0, value);
      try (FileChannel config =
          FileChannel.open(device.directory().resolve("config"), StandardOpenOption.WRITE)) {
        config.write(bytes, offset);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  /**
   * The address of a vector of MSI-X, in the table, in a BAR (PCI 3.0, 6.8.2.6). The last vector:
   * few use so many.
   */
  record Msix(SysfsDevice device, int bar, long offset) implements ResetMarker {
    private static final int ENTRY_SIZE = 16;

    static Msix last(SysfsDevice device, Capability msix) {
      ConfigSpace config = device.config();
      int last = config.read16(msix.offset() + 2) & 0x7ff;
      int table = config.read32(msix.offset() + 4);
      return new Msix(
          device, table & 7, Integer.toUnsignedLong(table & ~7) + (long) last * ENTRY_SIZE);
    }

    @Override
    public void set() {
      access(address -> address.write32(0, MARK));
    }

    @Override
    public void clear() {
      access(address -> address.write32(0, 0));
    }

    @Override
    public boolean isSet() {
      AtomicInteger value = new AtomicInteger();
      access(address -> value.set(address.read32(0)));
      return value.get() != 0;
    }

    private void access(Consumer<Mmio> action) {
      try (Arena arena = Arena.ofConfined();
          FileChannel file =
              FileChannel.open(
                  device.directory().resolve("resource" + bar),
                  StandardOpenOption.READ,
                  StandardOpenOption.WRITE);
          Mmio address =
              Mmio.direct(
                  VfioBackend.name(device.address()),
                  file.map(MapMode.READ_WRITE, offset, Integer.BYTES, arena),
                  () -> {})) {
        action.accept(address);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
