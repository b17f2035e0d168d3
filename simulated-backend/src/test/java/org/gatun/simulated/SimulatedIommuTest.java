package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.gatun.pci.BusRange;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.DmaException;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.PciDevice;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The IOMMU, seen from a device that does any DMA that it is told to. */
@NullMarked
class SimulatedIommuTest {
  private static final long PAGE = 4096;

  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final ProbeModel model = new ProbeModel();
  private final DeviceName name = bus.plug("probe", model);
  private final PciDevice device = bus.open(name);
  private final DmaSpace dma = device.dma();
  private final DmaPort port = model.running().port;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment local = arena.allocate(1 << 16, PAGE);

  @AfterEach
  void close() {
    bus.close();
    arena.close();
  }

  @Test
  void movesDataAcrossMappings() {
    device.busMaster(true);
    MemorySegment memory = arena.allocate(2 * PAGE, PAGE);
    dma.mapAt(0x200000, memory.asSlice(PAGE, PAGE), DmaDirection.BIDIRECTIONAL);
    dma.mapAt(0x201000, memory.asSlice(0, PAGE), DmaDirection.BIDIRECTIONAL);
    local.setAtIndex(ValueLayout.JAVA_LONG, 0, 1);
    local.setAtIndex(ValueLayout.JAVA_LONG, 1, 2);

    assertThat(port.write(0x200ff8, local, 0, 16)).isTrue();
    assertThat(port.read(0x200ff8, local, 64, 16)).isTrue();

    assertThat(memory.getAtIndex(ValueLayout.JAVA_LONG, 2 * PAGE / 8 - 1)).isEqualTo(1);
    assertThat(memory.getAtIndex(ValueLayout.JAVA_LONG, 0)).isEqualTo(2);
    assertThat(local.getAtIndex(ValueLayout.JAVA_LONG, 8)).isEqualTo(1);
    assertThat(local.getAtIndex(ValueLayout.JAVA_LONG, 9)).isEqualTo(2);
  }

  @Test
  void whatIsNotMappedIsNeitherReadNorWritten() {
    device.busMaster(true);
    DmaBuffer buffer = dma.allocate(PAGE, PAGE);
    buffer.segment().fill((byte) 7);
    local.fill((byte) 9);
    long end = buffer.busAddress() + PAGE;

    assertThat(port.read(end - 8, local, 0, 16)).isFalse();
    assertThat(port.write(end - 8, local, 32, 16)).isFalse();
    assertThat(port.readLong(end)).isZero();
    assertThat(port.writeLong(-8, 1)).isFalse();

    assertThat(local.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(0x0707070707070707L);
    assertThat(local.get(ValueLayout.JAVA_LONG, 8)).isEqualTo(0x0909090909090909L);
    assertThat(buffer.getLongAcquire(PAGE - 8))
        .as("what was mapped")
        .isEqualTo(0x0909090909090909L);
    assertThat(bus.iommu().faults())
        .containsExactly(
            new IommuFault(name, end, 8, DmaDirection.TO_DEVICE),
            new IommuFault(name, end, 8, DmaDirection.FROM_DEVICE),
            new IommuFault(name, end, 8, DmaDirection.TO_DEVICE),
            new IommuFault(name, -8, 8, DmaDirection.FROM_DEVICE));
  }

  @Test
  void holdsTheDeviceToTheDirection() {
    device.busMaster(true);
    MemorySegment memory = arena.allocate(2 * PAGE, PAGE);
    DmaBuffer in = dma.map(memory.asSlice(0, PAGE), DmaDirection.FROM_DEVICE);
    DmaBuffer out = dma.map(memory.asSlice(PAGE, PAGE), DmaDirection.TO_DEVICE);

    assertThat(port.write(in.busAddress(), local, 0, 8)).isTrue();
    assertThat(port.read(in.busAddress(), local, 0, 8)).isFalse();
    assertThat(port.read(out.busAddress(), local, 0, 8)).isTrue();
    assertThat(port.write(out.busAddress(), local, 0, 8)).isFalse();

    assertThat(bus.iommu().faults())
        .extracting(IommuFault::kind)
        .containsExactly(IommuFault.Kind.NOT_READABLE, IommuFault.Kind.NOT_WRITABLE);
    assertThat(bus.iommu().faults().getLast())
        .hasToString(
            "simulated:probe: DMA write of 8 bytes at bus address 0x%x: it is mapped for reading"
                    .formatted(out.busAddress())
                + " only");
  }

  @Test
  void whereAMappingCameFromAndWentIsKnownIfAskedFor() {
    device.busMaster(true);
    DmaBuffer before = dma.allocate(PAGE, PAGE);
    bus.iommu().keepOrigins(true);
    long early = before.busAddress();
    before.close();
    assertThat(fault(early).origin()).as("mapped when nobody asked").isEmpty();

    DmaBuffer buffer = mapped();
    long address = buffer.busAddress();
    buffer.close();
    IommuFault.Origin origin = fault(address + 8).origin().orElseThrow();
    assertThat(origin.mapped().getFirst().getMethodName()).isEqualTo("mapped");
    assertThat(origin.unmapped().getFirst().getMethodName())
        .isEqualTo("whereAMappingCameFromAndWentIsKnownIfAskedFor");
    assertThat(bus.iommu().faults().getLast().toString())
        .contains("nothing is mapped there; unmapped at ", ", mapped at ")
        .contains("SimulatedIommuTest.java:" + origin.mapped().getFirst().getLineNumber());

    MemorySegment page = arena.allocate(PAGE, PAGE);
    DmaBuffer in = dma.map(page, DmaDirection.FROM_DEVICE);
    IommuFault refused = fault(in.busAddress());
    assertThat(refused.kind()).isEqualTo(IommuFault.Kind.NOT_READABLE);
    assertThat(refused.origin().orElseThrow().unmapped()).isEmpty();
  }

  /** A device can be made to map and unmap for ever. */
  @Test
  void onlyTheNewestOriginsAreKept() {
    device.busMaster(true);
    bus.iommu().keepOrigins(true);
    MemorySegment page = arena.allocate(PAGE, PAGE);
    for (int i = 0; i < 300; i++) {
      dma.mapAt(0x200000 + i * PAGE, page, DmaDirection.BIDIRECTIONAL).close();
    }
    assertThat(fault(0x200000).origin()).isEmpty();
    assertThat(fault(0x200000 + 299 * PAGE).origin()).isPresent();
  }

  @Test
  void keepsTheNewestFaultsOnly() {
    device.busMaster(true);
    int many = SimulatedIommu.KEPT_FAULTS + 10;
    for (int i = 0; i < many; i++) {
      port.readLong(8L * i);
    }
    assertThat(bus.iommu().faultCount()).isEqualTo(many);
    assertThat(bus.iommu().faults()).hasSize(SimulatedIommu.KEPT_FAULTS);
    assertThat(bus.iommu().faults().getFirst().busAddress()).isEqualTo(80);
  }

  @Test
  void withoutBusMasterNothingMovesAndNothingIsRecorded() {
    DmaBuffer buffer = dma.allocate(PAGE, PAGE);
    local.fill((byte) 9);

    assertThat(port.write(buffer.busAddress(), local, 0, 8)).isFalse();
    assertThat(port.read(buffer.busAddress(), local, 0, 8)).isFalse();

    assertThat(buffer.getLongAcquire(0)).isZero();
    assertThat(local.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(0x0909090909090909L);
    assertThat(bus.iommu().faults()).isEmpty();
    device.config().write16(4, device.config().read16(4) | 4);
    assertThat(port.write(buffer.busAddress(), local, 8, 8)).isTrue();
  }

  @Test
  void hasTheUsableRangesOfX86() {
    assertThat(dma.usableRanges())
        .containsExactly(new BusRange(0, 0xfedfffffL), new BusRange(0xfef00000L, (1L << 39) - 1));
    MemorySegment page = arena.allocate(PAGE, PAGE);
    for (long address : new long[] {0xfee00000L, 0xfeeff000L, 1L << 39, -PAGE}) {
      assertThatThrownBy(() -> dma.mapAt(address, page, DmaDirection.BIDIRECTIONAL))
          .isInstanceOf(DmaException.class)
          .hasMessageContaining("can't be mapped");
    }
    dma.mapAt(0xfedff000L, page, DmaDirection.BIDIRECTIONAL);
    dma.mapAt(0, page, DmaDirection.BIDIRECTIONAL);
  }

  @Test
  void refusesOverlapsAndReusesWhatIsFree() {
    MemorySegment memory = arena.allocate(4 * PAGE, PAGE);
    DmaBuffer middle = dma.mapAt(0x300000, memory.asSlice(0, 2 * PAGE), DmaDirection.BIDIRECTIONAL);
    for (long address : new long[] {0x2ff000, 0x300000, 0x301000}) {
      assertThatThrownBy(
              () ->
                  dma.mapAt(
                      address, memory.asSlice(2 * PAGE, 2 * PAGE), DmaDirection.BIDIRECTIONAL))
          .isInstanceOf(DmaException.class)
          .hasMessageContaining("mapped already");
    }
    assertThatThrownBy(
            () -> dma.mapAt(0x300000, memory.asSlice(0, 2 * PAGE), DmaDirection.TO_DEVICE))
        .as("the same memory in another direction")
        .isInstanceOf(DmaException.class);
    middle.close();
    dma.mapAt(0x301000, memory.asSlice(0, 2 * PAGE), DmaDirection.BIDIRECTIONAL);
  }

  @Test
  void theSameMappingMadeTwiceGoesWhenBothAreGone() {
    device.busMaster(true);
    MemorySegment memory = arena.allocate(PAGE, PAGE);
    DmaBuffer first = dma.mapAt(0x300000, memory, DmaDirection.BIDIRECTIONAL);
    DmaBuffer second = dma.mapAt(0x300000, memory, DmaDirection.BIDIRECTIONAL);
    assertThat(device.usage().buffers()).isEqualTo(2);
    first.close();
    assertThat(port.writeLong(0x300000, 2)).isTrue();
    assertThat(memory.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(2);
    second.close();
    assertThat(port.writeLong(0x300000, 3)).isFalse();
    assertThat(memory.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(2);
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
  }

  @Test
  void allocatesAlignedWithinTheLimitAndWithoutOverlap() {
    Random random = new Random(42);
    dma.limitTo(28);
    TreeMap<Long, DmaBuffer> live = new TreeMap<>();
    for (int i = 0; i < 2000; i++) {
      if (random.nextInt(3) == 0 && !live.isEmpty()) {
        live.pollFirstEntry().getValue().close();
      } else {
        long alignment = PAGE << random.nextInt(5);
        DmaBuffer buffer = dma.allocate(1 + random.nextInt(20_000), alignment);
        long start = buffer.busAddress();
        assertThat(start % alignment).isZero();
        assertThat(start + buffer.size()).isLessThanOrEqualTo(1 << 28);
        var below = live.floorEntry(start);
        assertThat(below == null || below.getKey() + below.getValue().size() <= start).isTrue();
        Long above = live.ceilingKey(start);
        assertThat(above == null || above >= start + buffer.size()).isTrue();
        live.put(start, buffer);
      }
    }
    assertThat(device.usage().buffers()).isEqualTo(live.size());
    live.values().forEach(DmaBuffer::close);
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
  }

  @Test
  void runsOutOfAddressesAndHasThemBackAfterAClose() {
    dma.limitTo(13);
    DmaBuffer first = dma.allocate(PAGE, PAGE);
    long address = first.busAddress();
    dma.allocate(PAGE, PAGE);
    assertThatThrownBy(() -> dma.allocate(PAGE, PAGE)).isInstanceOf(DmaException.class);
    first.close();
    assertThat(dma.allocate(1, 1).busAddress()).isEqualTo(address);
  }

  @Test
  void refusesWhatCannotBeMapped() {
    for (MemorySegment memory :
        List.of(
            MemorySegment.ofArray(new byte[4096]),
            local.asSlice(8, PAGE),
            local.asSlice(0, 8),
            local.asSlice(0, 0))) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> dma.map(memory, DmaDirection.BIDIRECTIONAL));
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> dma.mapAt(8, local.asSlice(0, PAGE), DmaDirection.BIDIRECTIONAL));
    assertThatIllegalArgumentException().isThrownBy(() -> dma.allocate(0, PAGE));
    assertThatIllegalArgumentException().isThrownBy(() -> dma.allocate(-1, PAGE));
    assertThatIllegalArgumentException().isThrownBy(() -> dma.allocate(PAGE, 3));
    assertThatIllegalArgumentException().isThrownBy(() -> dma.limitTo(11));
    assertThatIllegalArgumentException().isThrownBy(() -> dma.limitTo(65));
  }

  @Test
  void memoryThatItsOwnerFreedTooEarlyIsAFault() {
    device.busMaster(true);
    try (Arena shortLived = Arena.ofShared()) {
      dma.mapAt(0x400000, shortLived.allocate(PAGE, PAGE), DmaDirection.BIDIRECTIONAL);
    }
    assertThat(port.read(0x400000, local, 0, 8)).isFalse();
    assertThat(port.readLong(0x400000)).isZero();
    assertThat(bus.iommu().faults())
        .extracting(IommuFault::kind)
        .containsExactly(IommuFault.Kind.GONE, IommuFault.Kind.GONE);
  }

  @Test
  void devicesDoNotReachEachOthersMemory() {
    ProbeModel other = new ProbeModel();
    PciDevice otherDevice = bus.open(bus.plug("other", other));
    otherDevice.busMaster(true);
    device.busMaster(true);
    DmaBuffer mine = dma.allocate(PAGE, PAGE);

    assertThat(other.running().port.write(mine.busAddress(), local, 0, 8)).isFalse();
    assertThat(port.write(mine.busAddress(), local, 0, 8)).isTrue();
  }

  /** A canary is put into memory right after it was unmapped: no DMA may hit it. */
  @Test
  void noDmaComesAfterTheClose() throws InterruptedException {
    device.busMaster(true);
    MemorySegment memory = arena.allocate(16 * PAGE, PAGE);
    MemorySegment zeros = arena.allocate(memory.byteSize());
    AtomicBoolean stop = new AtomicBoolean();
    List<Thread> engines = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      DmaPort engine = model.running().context.newDmaPort();
      long offset = 256L * i;
      MemorySegment source = arena.allocate(16 * PAGE, PAGE);
      source.fill((byte) 1);
      engines.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    while (!stop.get()) {
                      engine.write(0x500000 + offset, source, 0, 8 * PAGE);
                    }
                  }));
    }
    for (int round = 0; round < 400; round++) {
      DmaBuffer buffer = dma.mapAt(0x500000, memory, DmaDirection.BIDIRECTIONAL);
      while (round % 4 == 0 && memory.get(ValueLayout.JAVA_BYTE, 8 * PAGE) == 0) {
        Thread.onSpinWait();
      }
      if (round % 5 == 0) {
        device.busMaster(false);
      }
      buffer.close();
      memory.fill((byte) 0);
      assertThat(memory.mismatch(zeros)).as("round %d", round).isEqualTo(-1);
      device.busMaster(true);
    }
    stop.set(true);
    for (Thread engine : engines) {
      engine.join();
    }
  }

  @Test
  void closingABufferUnderDmaFreesIt() throws InterruptedException {
    device.busMaster(true);
    AtomicBoolean stop = new AtomicBoolean();
    Thread engine =
        Thread.ofPlatform()
            .start(
                () -> {
                  for (long address = 1 << 20; !stop.get(); address += PAGE) {
                    port.write(address, local, 0, 1 << 15);
                    if (address > 1 << 21) {
                      address = 1 << 20;
                    }
                  }
                });
    for (int round = 0; round < 300; round++) {
      DmaBuffer buffer = dma.allocate(1 << 16, PAGE);
      Thread.onSpinWait();
      buffer.close();
      assertThatThrownBy(() -> buffer.getIntAcquire(0)).isInstanceOf(DeviceGoneException.class);
    }
    stop.set(true);
    engine.join();
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
  }

  private DmaBuffer mapped() {
    return dma.allocate(PAGE, PAGE);
  }

  /** The fault of a read there. */
  private IommuFault fault(long address) {
    assertThat(port.read(address, local, 0, 8)).isFalse();
    return bus.iommu().faults().getLast();
  }
}
