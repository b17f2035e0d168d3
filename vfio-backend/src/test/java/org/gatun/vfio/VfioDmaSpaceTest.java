package org.gatun.vfio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.WeakReference;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.function.Function;
import org.gatun.nativeaccess.Access;
import org.gatun.nativeaccess.Fd;
import org.gatun.pci.BusRange;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.DmaException;
import org.gatun.pci.PciDevice;
import org.gatun.pci.spi.ResourceTracker;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** DMA memory over an IOMMU that is a map. */
class VfioDmaSpaceTest {
  private static final DeviceName DEVICE = new DeviceName("vfio", "0000:01:00.0");
  private static final long PAGE = 4096;

  private final FakeIommu iommu = new FakeIommu();
  private final DmaDomain domain =
      new DmaDomain(
          iommu,
          List.of(new BusRange(0, 0xfedfffffL), new BusRange(0xfef00000L, (1L << 39) - 1)),
          PAGE);
  private final ResourceTracker tracker = new ResourceTracker(DEVICE);
  private final VfioDmaSpace dma = new VfioDmaSpace(DEVICE, domain, tracker);
  private final Arena arena = Arena.ofShared();

  @AfterEach
  void free() {
    arena.close();
  }

  @Test
  void allocatesWholePagesThatAreMappedBothWays() {
    DmaBuffer buffer = dma.allocate(5000, 8);

    assertThat(buffer.size()).isEqualTo(2 * PAGE);
    assertThat(buffer.busAddress() % PAGE).isZero();
    assertThat(buffer.getLongAcquire(0)).isZero();
    assertThat(iommu.mapped)
        .containsEntry(
            buffer.busAddress(),
            new DmaDomain.Mapped(
                buffer.busAddress(),
                buffer.segment().address(),
                2 * PAGE,
                DmaDirection.BIDIRECTIONAL));
    assertThat(tracker.usage(0)).isEqualTo(new PciDevice.Usage(0, 1, 2 * PAGE, 0));
  }

  @Test
  void closingUnmapsFirstAndThenFrees() {
    DmaBuffer buffer = dma.allocate(PAGE, PAGE);
    MemorySegment segment = buffer.segment();
    long address = buffer.busAddress();
    iommu.beforeUnmap = () -> assertThat(segment.scope().isAlive()).isTrue();

    buffer.close();
    buffer.close();

    assertThat(iommu.unmaps).containsExactly(address);
    assertThat(segment.scope().isAlive()).isFalse();
    assertThat(tracker.usage(0)).isEqualTo(PciDevice.Usage.NONE);
    assertThatThrownBy(() -> buffer.getIntAcquire(0)).isInstanceOf(DeviceGoneException.class);
  }

  @Test
  void memoryThatTheKernelDoesNotUnmapIsNeverFreedAndItsAddressNeverUsedAgain() {
    DmaBuffer first = dma.allocate(PAGE, PAGE);
    DmaBuffer second = dma.allocate(PAGE, PAGE);
    List<Long> kept = List.of(first.busAddress(), second.busAddress());
    iommu.beforeUnmap = () -> failingCall();
    first.close();
    iommu.beforeUnmap = () -> {};
    iommu.unmapsOnly = PAGE / 2;
    second.close();
    iommu.unmapsOnly = -1;

    assertThat(first.segment().scope().isAlive()).isTrue();
    assertThat(second.segment().scope().isAlive()).isTrue();
    assertThat(tracker.usage(0)).isEqualTo(PciDevice.Usage.NONE);
    assertThat(dma.allocate(PAGE, PAGE).busAddress()).isNotIn(kept);
  }

  @Test
  void closingTheDeviceUnmapsAllAndRefusesMore() {
    DmaBuffer first = dma.allocate(PAGE, PAGE);
    DmaBuffer second = dma.map(memory(2), DmaDirection.TO_DEVICE);

    tracker.closeAll();

    assertThat(iommu.mapped).isEmpty();
    assertThat(iommu.unmaps).containsExactly(second.busAddress(), first.busAddress());
    assertThatThrownBy(() -> dma.allocate(PAGE, PAGE)).isInstanceOf(DeviceGoneException.class);
    assertThat(iommu.mapped).isEmpty();
    first.close();
    assertThat(iommu.unmaps).hasSize(2);
  }

  @Test
  void closingTheDeviceWaitsForABufferThatIsBeingMapped() throws InterruptedException {
    CountDownLatch mapping = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    iommu.beforeMap =
        () -> {
          mapping.countDown();
          awaitUninterruptibly(goOn);
        };
    Thread allocating = new Thread(() -> dma.allocate(PAGE, PAGE));
    allocating.start();
    mapping.await();
    Thread closing = new Thread(tracker::closeAll);
    closing.start();
    goOn.countDown();
    closing.join();
    allocating.join();

    assertThat(iommu.mapped).isEmpty();
    assertThat(iommu.unmaps).hasSize(1);
  }

  @Test
  void theLimitOfTheDeviceIsKept() {
    dma.limitTo(25);

    assertThat(dma.allocate(15 << 20, PAGE).busAddress()).isEqualTo(16 << 20);
    assertThatThrownBy(() -> dma.allocate(16 << 20, PAGE))
        .isInstanceOf(DmaException.class)
        .hasMessageContaining("no bus addresses are left for 0x1000000 bytes")
        .hasMessageContaining("0x0-0x1ffffff");
    assertThatThrownBy(() -> dma.mapAt(32 << 20, memory(1), DmaDirection.TO_DEVICE))
        .isInstanceOf(DmaException.class)
        .hasMessageContaining("0x2000000");
    assertThat(tracker.usage(0).buffers()).isEqualTo(1);
    assertThat(dma.usableRanges()).hasSize(2);
    assertThatThrownBy(() -> dma.limitTo(11)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> dma.limitTo(65)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void mapsAtAGivenAddressOnce() {
    MemorySegment memory = memory(1);
    DmaBuffer buffer = dma.mapAt(0, memory, DmaDirection.TO_DEVICE);

    assertThat(buffer.busAddress()).isZero();
    for (MemorySegment other : List.of(memory(1), memory(2))) {
      assertThatThrownBy(() -> dma.mapAt(0, other, DmaDirection.TO_DEVICE))
          .isInstanceOf(DmaException.class)
          .hasMessageContaining("something else is mapped there");
    }
    // Not the same, since it would let the device write.
    assertThatThrownBy(() -> dma.mapAt(0, memory, DmaDirection.BIDIRECTIONAL))
        .isInstanceOf(DmaException.class);
    assertThatThrownBy(() -> dma.mapAt(0xfee00000L, memory(1), DmaDirection.TO_DEVICE))
        .isInstanceOf(DmaException.class)
        .hasMessageContaining("usable are");
    assertThatThrownBy(() -> dma.mapAt(0x1800, memory(1), DmaDirection.TO_DEVICE))
        .isInstanceOf(DmaException.class);
    assertThat(tracker.usage(0).buffers()).isEqualTo(1);
  }

  @Test
  void devicesOfAGroupShareAMappingThatBothMake() {
    ResourceTracker otherTracker = new ResourceTracker(DEVICE);
    VfioDmaSpace other = new VfioDmaSpace(DEVICE, domain, otherTracker);
    MemorySegment memory = memory(4);

    DmaBuffer ours = dma.mapAt(0x1000, memory, DmaDirection.BIDIRECTIONAL);
    DmaBuffer theirs = other.mapAt(0x1000, memory, DmaDirection.BIDIRECTIONAL);
    assertThat(iommu.maps).isEqualTo(1);
    ours.close();
    assertThat(iommu.mapped).containsKey(0x1000L);
    theirs.close();
    assertThat(iommu.mapped).isEmpty();
    assertThat(dma.allocate(PAGE, PAGE).busAddress())
        .isNotEqualTo(other.allocate(PAGE, PAGE).busAddress());
  }

  @Test
  void aMappingThatTheKernelRefusesLeavesNothingBehind() {
    iommu.beforeMap = () -> failingCall();

    assertThatThrownBy(() -> dma.allocate(PAGE, PAGE))
        .isInstanceOf(DmaException.class)
        .hasMessageContaining("ENOENT");
    assertThatThrownBy(() -> dma.mapAt(0, memory(1), DmaDirection.TO_DEVICE))
        .isInstanceOf(DmaException.class);
    assertThat(tracker.usage(0)).isEqualTo(PciDevice.Usage.NONE);

    iommu.beforeMap = () -> {};
    assertThat(dma.allocate(PAGE, PAGE).busAddress()).isEqualTo(16 << 20);
    assertThat(dma.mapAt(0, memory(1), DmaDirection.TO_DEVICE).busAddress()).isZero();
  }

  @Test
  void refusesWhatCannotBeMapped() {
    MemorySegment memory = memory(2);
    for (MemorySegment bad :
        List.of(
            MemorySegment.ofArray(new byte[4096]),
            memory.asSlice(0, 0),
            memory.asSlice(0, 100),
            memory.asSlice(512, 4096))) {
      assertThatThrownBy(() -> dma.map(bad, DmaDirection.TO_DEVICE))
          .isInstanceOf(IllegalArgumentException.class);
    }
    assertThatThrownBy(() -> dma.map(memory.asReadOnly(), DmaDirection.FROM_DEVICE))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(dma.map(memory.asReadOnly(), DmaDirection.TO_DEVICE).size()).isEqualTo(2 * PAGE);
    for (long size : new long[] {0, -1, Long.MAX_VALUE}) {
      assertThatThrownBy(() -> dma.allocate(size, PAGE))
          .isInstanceOf(IllegalArgumentException.class);
    }
    for (long alignment : new long[] {0, -PAGE, 3, Long.MIN_VALUE}) {
      assertThatThrownBy(() -> dma.allocate(PAGE, alignment))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void memoryStaysReachableAsLongAsItIsMapped() {
    WeakReference<?> mapped = mapAndForget(m -> dma.map(m, DmaDirection.BIDIRECTIONAL));
    WeakReference<?> mappedAt = mapAndForget(m -> dma.mapAt(0, m, DmaDirection.BIDIRECTIONAL));
    collectGarbage();
    assertThat(mapped.get()).isNotNull();
    assertThat(mappedAt.get()).isNotNull();

    tracker.closeAll();

    assertThat(iommu.mapped).isEmpty();
    collectGarbage();
    assertThat(mapped.get()).isNull();
    assertThat(mappedAt.get()).isNull();
  }

  @Test
  void memoryThatTheKernelDoesNotUnmapStaysReachableForGood() {
    WeakReference<?> mapped = mapAndForget(m -> dma.map(m, DmaDirection.BIDIRECTIONAL));
    iommu.beforeUnmap = () -> failingCall();

    tracker.closeAll();

    collectGarbage();
    assertThat(mapped.get()).isNotNull();
  }

  /**
   * Maps memory that is freed when nobody holds it any more, and drops it and its buffer.
   *
   * @return what lives as long as the memory
   */
  private static WeakReference<?> mapAndForget(Function<MemorySegment, DmaBuffer> map) {
    MemorySegment memory = Arena.ofAuto().allocate(PAGE, PAGE);
    assertThat(map.apply(memory).size()).isEqualTo(PAGE);
    return new WeakReference<>(memory.scope());
  }

  /** Until what nobody holds has gone. */
  private static void collectGarbage() {
    WeakReference<Object> garbage = new WeakReference<>(new Object());
    for (int i = 0; i < 10 && garbage.get() != null; i++) {
      System.gc();
    }
    assertThat(garbage.get()).isNull();
  }

  private MemorySegment memory(int pages) {
    return arena.allocate(pages * PAGE, PAGE);
  }

  /** Fails as a system call does. */
  private static void failingCall() {
    Fd.open(Path.of("/nowhere"), Access.READ).close();
  }

  private static void awaitUninterruptibly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static final class FakeIommu implements DmaDomain.Mapper {
    final Map<Long, DmaDomain.Mapped> mapped = new HashMap<>();
    final List<Long> unmaps = new ArrayList<>();
    int maps;
    long unmapsOnly = -1;
    Runnable beforeMap = () -> {};
    Runnable beforeUnmap = () -> {};

    @Override
    public void map(long busAddress, long address, long size, DmaDirection direction) {
      beforeMap.run();
      maps++;
      mapped.put(busAddress, new DmaDomain.Mapped(busAddress, address, size, direction));
    }

    @Override
    public long unmap(long busAddress, long size) {
      beforeUnmap.run();
      unmaps.add(busAddress);
      if (unmapsOnly >= 0) {
        return unmapsOnly;
      }
      mapped.remove(busAddress);
      return size;
    }
  }
}
