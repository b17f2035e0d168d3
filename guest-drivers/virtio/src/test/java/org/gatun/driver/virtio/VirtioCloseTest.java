package org.gatun.driver.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.gatun.pci.BusRange;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.Interrupts;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.TimeSource;
import org.gatun.pci.Vector;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.testkit.Device;
import org.gatun.testkit.SimulatedPci;
import org.junit.jupiter.api.Test;

/** A device is stopped before its memory goes, whatever fails on the way. */
@SimulatedPci
class VirtioCloseTest {
  private enum Part {
    REGISTERS,
    REGISTERS_GONE,
    BUS_MASTER,
    BUS_MASTER_GONE,
    INTERRUPTS
  }

  private final PciDevice device;
  private final VirtioOptions options;
  private final Set<Part> broken = EnumSet.noneOf(Part.class);

  VirtioCloseTest(@Device("virtio-blk,size=1M") PciDevice device, TimeSource time) {
    this.device = device;
    this.options = VirtioOptions.defaults().withTime(time).withCompletion(Completion.MSIX);
  }

  private void fail(Part part) {
    if (broken.contains(part)) {
      throw new PciException(device.name(), "EIO of " + part, null, null);
    }
  }

  private void lack(Part part) {
    if (broken.contains(part)) {
      throw new DeviceGoneException(device.name(), part.toString(), null);
    }
  }

  private VirtioDisk open() {
    return VirtioDisk.open(
        new TamperedDevice(device) {
          @Override
          long read(long mapped, long offset, long value) {
            fail(Part.REGISTERS);
            lack(Part.REGISTERS_GONE);
            return value;
          }

          @Override
          long written(long mapped, long offset, long value) {
            fail(Part.REGISTERS);
            lack(Part.REGISTERS_GONE);
            return value;
          }

          @Override
          public void busMaster(boolean on) {
            fail(Part.BUS_MASTER);
            lack(Part.BUS_MASTER_GONE);
            device.busMaster(on);
          }

          @Override
          public Interrupts interrupts() {
            return new StubbornInterrupts(device.interrupts());
          }
        },
        options);
  }

  private final class StubbornInterrupts implements Interrupts {
    private final Interrupts interrupts;

    StubbornInterrupts(Interrupts interrupts) {
      this.interrupts = interrupts;
    }

    @Override
    public int count(Kind kind) {
      return interrupts.count(kind);
    }

    @Override
    public List<Vector> enable(Kind kind, int count) {
      return interrupts.enable(kind, count);
    }

    @Override
    public void disable() {
      interrupts.disable();
      fail(Part.INTERRUPTS);
    }
  }

  private boolean isBusMaster() {
    return (device.config().read16(ConfigRegisters.COMMAND) & ConfigRegisters.COMMAND_BUS_MASTER)
        != 0;
  }

  @Test
  void registersThatFailLeaveBusMasterOff() {
    VirtioDisk disk = open();
    broken.add(Part.REGISTERS);
    assertThatExceptionOfType(PciException.class)
        .isThrownBy(disk::close)
        .withMessageContaining("EIO of REGISTERS");
    assertThat(isBusMaster()).isFalse();
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
  }

  @Test
  void whatElseFailsGoesWithTheFirst() {
    VirtioDisk disk = open();
    broken.addAll(EnumSet.of(Part.REGISTERS, Part.INTERRUPTS));
    assertThatThrownBy(disk::close)
        .isInstanceOf(PciException.class)
        .hasMessageContaining("EIO of REGISTERS")
        .satisfies(
            e ->
                assertThat(e.getSuppressed())
                    .singleElement()
                    .asString()
                    .contains("EIO of INTERRUPTS"));
    assertThat(isBusMaster()).isFalse();
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
  }

  @Test
  void busMasterThatFailsDoesNotMatterToADeviceThatIsReset() {
    VirtioDisk disk = open();
    broken.add(Part.BUS_MASTER);
    assertThatExceptionOfType(PciException.class)
        .isThrownBy(disk::close)
        .withMessageContaining("EIO of BUS_MASTER");
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
  }

  @Test
  void aDeviceThatIsGoneNeedsNoStop() {
    VirtioDisk disk = open();
    broken.addAll(EnumSet.of(Part.REGISTERS_GONE, Part.BUS_MASTER_GONE));
    assertThatCode(disk::close).doesNotThrowAnyException();
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
  }

  @Test
  void memoryStaysWithADeviceThatCanNotBeStopped() {
    VirtioDisk disk = open();
    PciDevice.Usage before = device.usage();
    broken.addAll(EnumSet.of(Part.REGISTERS, Part.BUS_MASTER));
    assertThatThrownBy(disk::close)
        .isInstanceOf(PciException.class)
        .hasMessageContaining("could be neither reset nor kept from memory")
        .hasRootCauseMessage(device.name() + ": EIO of REGISTERS");
    assertThat(device.usage())
        .isEqualTo(new PciDevice.Usage(0, before.buffers(), before.dmaBytes(), 0));
    assertThatExceptionOfType(DeviceGoneException.class).isThrownBy(disk::poll);
    assertThatExceptionOfType(DeviceGoneException.class).isThrownBy(disk::serialNumber);
    assertThatCode(disk::close).as("the second time").doesNotThrowAnyException();
    device.close();
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
  }

  @Test
  void registersThatAreGoneDoNotSayThatTheDeviceIs() {
    VirtioDisk disk = open();
    broken.addAll(EnumSet.of(Part.REGISTERS_GONE, Part.BUS_MASTER));
    assertThatExceptionOfType(PciException.class)
        .isThrownBy(disk::close)
        .withMessageContaining("could be neither reset nor kept from memory");
    assertThat(device.usage().buffers()).isPositive();
    device.close();
  }

  @Test
  void whatFailsToOpenSaysSoFirst() {
    broken.addAll(EnumSet.of(Part.BUS_MASTER));
    assertThatThrownBy(this::open)
        .isInstanceOf(PciException.class)
        .hasMessageContaining("EIO of BUS_MASTER")
        .satisfies(e -> assertThat(e.getSuppressed()).as("of the close").hasSize(1));
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
  }

  /** Of several buffers, one that can't be given back does not keep the others. */
  @Test
  void eachBufferIsGivenBack() {
    AtomicInteger left = new AtomicInteger();
    DmaSpace space = new StubbornSpace(device, left);
    VirtioDisk disk =
        VirtioDisk.open(
            new TamperedDevice(device) {
              @Override
              public DmaSpace dma() {
                return space;
              }
            },
            options);
    assertThat(left).hasValue(2);
    assertThatExceptionOfType(PciException.class)
        .isThrownBy(disk::close)
        .withMessageContaining("EIO of a buffer");
    assertThat(left).hasValue(0);
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
  }

  private record StubbornSpace(PciDevice device, AtomicInteger left) implements DmaSpace {
    @Override
    public DmaBuffer allocate(long size, long alignment) {
      DmaBuffer buffer = device.dma().allocate(size, alignment);
      left.incrementAndGet();
      return new DmaBuffer(
          device.name(),
          buffer.segment(),
          buffer.busAddress(),
          () -> {
            buffer.close();
            left.decrementAndGet();
            throw new PciException(device.name(), "EIO of a buffer", null, null);
          });
    }

    @Override
    public DmaBuffer map(MemorySegment memory, DmaDirection direction) {
      return device.dma().map(memory, direction);
    }

    @Override
    public DmaBuffer mapAt(long busAddress, MemorySegment memory, DmaDirection direction) {
      return device.dma().mapAt(busAddress, memory, direction);
    }

    @Override
    public List<BusRange> usableRanges() {
      return device.dma().usableRanges();
    }

    @Override
    public void limitTo(int bits) {
      device.dma().limitTo(bits);
    }
  }
}
