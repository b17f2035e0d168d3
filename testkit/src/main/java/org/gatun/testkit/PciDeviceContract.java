package org.gatun.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.gatun.pci.Bar;
import org.gatun.pci.BusRange;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.DmaException;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciDevice.Usage;
import org.gatun.pci.ResetUnavailableException;
import org.gatun.pci.Vector;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What every {@link PciDevice} does, whoever makes it. To be extended by a test of that maker's:
 *
 * <pre>{@code
 * class MyDeviceTest extends PciDeviceContract {
 *   @Override
 *   protected PciDevice open() {
 *     return backend.open(DeviceName.parse("mine:device"));
 *   }
 * }
 * }</pre>
 *
 * <p>It uses nothing but the public contract. It makes the device do nothing: {@link
 * EduDeviceContract} does. It needs a device that nobody else uses and that may be reset, with less
 * than 4 MiB of DMA memory free to use.
 */
public abstract class PciDeviceContract {
  private static final int PAGE = 4096;

  /** For what must happen, and only if it does not: long enough for a slow virtual machine. */
  private static final long HANG_SECONDS = 60;

  private PciDevice device;

  /** For subclasses. */
  protected PciDeviceContract() {}

  /**
   * Opens the device under test; called before each test, which closes it. It may be the same
   * device each time.
   */
  protected abstract PciDevice open();

  /** The device under test, opened. */
  protected final PciDevice device() {
    return device;
  }

  /**
   * A BAR whose first 32-bit register can be read without an effect: the first memory BAR, unless a
   * subclass knows better. Empty skips the tests that need one.
   */
  protected Optional<Bar> readableBar() {
    return device.bars().stream().filter(b -> b.kind() == Bar.Kind.MEMORY).findFirst();
  }

  /**
   * Whether an IOMMU, real or simulated, confines the device: bus addresses are then chosen freely,
   * and what is not mapped is out of reach. True unless a subclass knows better; what needs it is
   * then skipped.
   */
  protected boolean isConfined() {
    return true;
  }

  @BeforeEach
  final void openDevice() {
    device = open();
  }

  @AfterEach
  final void closeDevice() {
    device.close();
  }

  // Config space

  @Test
  void configSpaceIsConventionalOrExpress() {
    assertThat(device.config().size())
        .isIn(ConfigRegisters.CONVENTIONAL_SIZE, ConfigRegisters.EXPRESS_SIZE);
  }

  @Test
  void configReadsAgreeInAllWidths() {
    ConfigSpace config = device.config();
    for (int offset = 0; offset < ConfigRegisters.COMMAND; offset += 4) {
      int whole = config.read32(offset);
      for (int i = 0; i < 4; i++) {
        assertThat(config.read8(offset + i)).isEqualTo(whole >>> (8 * i) & 0xff);
      }
      assertThat(config.read16(offset)).isEqualTo(whole & 0xffff);
      assertThat(config.read16(offset + 2)).isEqualTo(whole >>> 16);
    }
    assertThatCode(() -> config.read32(config.size() - 4)).doesNotThrowAnyException();
  }

  @Test
  void configAccessesThatBreakTheRulesAreRefused() {
    ConfigSpace config = device.config();
    int size = config.size();
    int[][] bad = {
      {-1, 1},
      {-4, 4},
      {size, 1},
      {size - 1, 2},
      {size - 2, 4},
      {size, 4},
      {1, 2},
      {1, 4},
      {2, 4},
      {0, 0},
      {0, 3},
      {0, 8},
      {0, -1},
      {Integer.MAX_VALUE - 3, 4},
      {Integer.MIN_VALUE, 4}
    };
    for (int[] access : bad) {
      assertThatIllegalArgumentException()
          .as("read of %d bytes at %d", access[1], access[0])
          .isThrownBy(() -> config.read(access[0], access[1]));
      assertThatIllegalArgumentException()
          .as("write of %d bytes at %d", access[1], access[0])
          .isThrownBy(() -> config.write(access[0], access[1], 0));
    }
  }

  @Test
  void idsAreThoseOfConfigSpace() {
    ConfigSpace config = device.config();

    assertThat(device.id()).isEqualTo(PciId.of(config));
    assertThat(device.id().vendor())
        .isEqualTo(config.read16(ConfigRegisters.VENDOR_ID))
        .isNotIn(0, 0xffff);
    assertThat(device.pciClass()).isEqualTo(PciClass.of(config));
  }

  @Test
  void idsCannotBeWritten() {
    PciId id = device.id();
    device.config().write16(ConfigRegisters.VENDOR_ID, ~id.vendor());
    device.config().write32(ConfigRegisters.VENDOR_ID, 0);

    assertThat(device.id()).isEqualTo(id);
  }

  @Test
  void capabilityListsAreSound() {
    ConfigSpace config = device.config();
    Capabilities capabilities = Capabilities.walk(config);

    assertThat(capabilities.faults()).isEmpty();
    assertThat(capabilities.list())
        .allSatisfy(
            c ->
                assertThat(c.offset())
                    .isBetween(
                        c.extended() ? ConfigRegisters.EXTENDED : ConfigRegisters.HEADER_END,
                        c.extended() ? config.size() - 4 : 0xfc));
  }

  // BARs

  @Test
  void barsAreThoseOfConfigSpace() {
    List<Bar> bars = device.bars();
    for (int index = 0; index < 6; index++) {
      int i = index;
      assertThat(device.bar(index).map(Bar::index))
          .isEqualTo(bars.stream().map(Bar::index).filter(b -> b == i).findFirst());
    }
    for (Bar bar : bars) {
      int register = device.config().read32(ConfigRegisters.BAR0 + 4 * bar.index());
      boolean io = (register & 1) != 0;
      assertThat(bar.kind()).isEqualTo(io ? Bar.Kind.IO : Bar.Kind.MEMORY);
      assertThat(bar.prefetchable()).isEqualTo(!io && (register & 8) != 0);
      assertThat(Long.bitCount(bar.size())).as("bits in a power of two").isEqualTo(1);
      if (!io && (register & 6) == 4) {
        assertThat(device.bar(bar.index() + 1)).as("high half of a 64-bit BAR").isEmpty();
      }
    }
  }

  @Test
  void thereAreSixPlacesForBars() {
    assertThatIllegalArgumentException().isThrownBy(() -> device.bar(-1));
    assertThatIllegalArgumentException().isThrownBy(() -> device.bar(6));
  }

  @Test
  void rangesCoverABarWithoutGaps() {
    for (Bar bar : device.bars()) {
      if (bar.kind() == Bar.Kind.IO) {
        assertThat(bar.ranges()).isEmpty();
        continue;
      }
      long end = 0;
      for (Bar.Range range : bar.ranges()) {
        assertThat(range.offset()).as("offset of %s of BAR %d", range, bar.index()).isEqualTo(end);
        end += range.length();
      }
      assertThat(end).as("end of BAR %d", bar.index()).isEqualTo(bar.size());
    }
  }

  @Test
  void eachRangeCanBeMappedAndSaysWhatItIs() {
    for (Bar bar : memoryBars()) {
      for (Bar.Range range : bar.ranges()) {
        try (Mmio mmio = bar.map(range.offset(), range.length())) {
          assertThat(mmio.size()).isEqualTo(range.length());
          assertThat(mmio.isDirect()).isEqualTo(range.access() == Bar.Access.DIRECT);
          assertThat(mmio.name()).isEqualTo(device.name());
        }
      }
    }
  }

  @Test
  void aPartOfARangeCanBeMappedAtAnyMultipleOf4() {
    for (Bar bar : memoryBars()) {
      for (Bar.Range range : bar.ranges()) {
        for (long offset : new long[] {4, 8, range.length() - 4}) {
          if (offset <= range.length() - 4) {
            try (Mmio mmio = bar.map(range.offset() + offset, 4)) {
              assertThat(mmio.size()).isEqualTo(4);
              assertThatExceptionOfType(IndexOutOfBoundsException.class)
                  .isThrownBy(() -> mmio.read32(4));
              assertThatExceptionOfType(IndexOutOfBoundsException.class)
                  .isThrownBy(() -> mmio.write32(-4, 0));
            }
          }
        }
      }
    }
  }

  @Test
  void whatIsNotInOneRangeCannotBeMapped() {
    for (Bar bar : memoryBars()) {
      long size = bar.size();
      List<long[]> bad =
          new ArrayList<>(
              List.of(
                  new long[] {-4, 4},
                  new long[] {-4, 8},
                  new long[] {0, size + 4},
                  new long[] {size, 4},
                  new long[] {size - 4, 8},
                  new long[] {0, 0},
                  new long[] {0, -4},
                  new long[] {2, 4},
                  new long[] {0, 6},
                  new long[] {4, Long.MAX_VALUE - 3},
                  new long[] {Long.MAX_VALUE - 3, 4},
                  new long[] {Long.MIN_VALUE, 4}));
      List<Bar.Range> ranges = bar.ranges();
      for (int i = 1; i < ranges.size(); i++) {
        if (ranges.get(i - 1).access() != ranges.get(i).access()) {
          bad.add(new long[] {ranges.get(i).offset() - 4, 8});
        }
      }
      for (long[] part : bad) {
        assertThatIllegalArgumentException()
            .as("%d bytes at %d of BAR %d", part[1], part[0], bar.index())
            .isThrownBy(() -> bar.map(part[0], part[1]));
      }
    }
    assertThat(device.usage()).isEqualTo(Usage.NONE);
  }

  @Test
  void memoryHasNoPortsAndPortsCannotBeMapped() {
    for (Bar bar : device.bars()) {
      if (bar.kind() == Bar.Kind.IO) {
        assertThat(bar.ports().size()).isEqualTo(bar.size());
        assertThatIllegalArgumentException().isThrownBy(() -> bar.map(0, 4));
      } else {
        assertThatIllegalArgumentException().isThrownBy(bar::ports);
      }
    }
  }

  @Test
  void eachMappingHasALifetimeOfItsOwn() {
    Bar bar = needReadableBar();
    Mmio first = bar.map(0, 4);
    try (Mmio second = bar.map(0, 4)) {
      int value = second.read32(0);
      first.close();

      assertGone(() -> first.read32(0));
      assertThat(second.read32(0)).isEqualTo(value);
      assertThat(device.usage()).isEqualTo(new Usage(1, 0, 0, 0));
    }
    assertThat(device.usage()).isEqualTo(Usage.NONE);
  }

  // DMA

  @Test
  void allocatedMemoryIsZeroedAlignedUsableAndApart() {
    DmaSpace dma = device.dma();
    List<DmaBuffer> buffers = new ArrayList<>();
    long[][] wanted = {
      {1, 1}, {4096, 4096}, {4097, 4096}, {100, 1 << 16}, {65536, 1 << 16}, {1, 1 << 20}, {8192, 1}
    };
    for (long[] sizeAndAlignment : wanted) {
      DmaBuffer buffer = dma.allocate(sizeAndAlignment[0], sizeAndAlignment[1]);
      buffers.add(buffer);
      assertThat(buffer.size()).isGreaterThanOrEqualTo(sizeAndAlignment[0]);
      assertThat(buffer.busAddress() % Math.max(PAGE, sizeAndAlignment[1])).isZero();
      assertThat(buffer.segment().byteSize()).isEqualTo(buffer.size());
      assertThat(bytes(buffer)).containsOnly(0);
      buffer.segment().fill((byte) buffers.size());
    }

    assertUsable(buffers);
    assertApart(buffers);
    for (int i = 0; i < buffers.size(); i++) {
      assertThat(bytes(buffers.get(i))).containsOnly(i + 1);
    }
    assertThat(device.usage())
        .isEqualTo(
            new Usage(0, buffers.size(), buffers.stream().mapToLong(DmaBuffer::size).sum(), 0));
    buffers.forEach(DmaBuffer::close);
    assertThat(device.usage()).isEqualTo(Usage.NONE);
  }

  @Test
  void memoryIsZeroedAgainWhenItIsUsedAgain() {
    for (int i = 0; i < 20; i++) {
      try (DmaBuffer buffer = device.dma().allocate(65536, PAGE)) {
        assertThat(buffer.segment().mismatch(MemorySegment.ofArray(new byte[65536])))
            .as("first byte that is not zero")
            .isEqualTo(-1);
        buffer.segment().fill((byte) 0x5a);
      }
    }
  }

  @Test
  void sizesAndAlignmentsThatMakeNoSenseAreRefused() {
    DmaSpace dma = device.dma();
    for (long size : new long[] {0, -1, Long.MIN_VALUE}) {
      assertThatIllegalArgumentException().isThrownBy(() -> dma.allocate(size, PAGE));
    }
    for (long alignment : new long[] {0, -1, -4096, 3, 4095, Long.MIN_VALUE}) {
      assertThatIllegalArgumentException().isThrownBy(() -> dma.allocate(PAGE, alignment));
    }
    assertThat(device.usage()).isEqualTo(Usage.NONE);
  }

  @Test
  void moreMemoryThanThereIsIsRefused() {
    assertThatExceptionOfType(DmaException.class)
        .isThrownBy(() -> device.dma().allocate(1L << 50, PAGE))
        .satisfies(e -> assertThat(e.device()).isEqualTo(device.name()));
    assertThat(device.usage()).isEqualTo(Usage.NONE);
  }

  @Test
  void buffersLieBelowTheLimitOfTheDevice() {
    DmaSpace dma = device.dma();
    List<DmaBuffer> buffers = new ArrayList<>();
    // Below 32 MiB of physical memory is the kernel.
    for (int bits : isConfined() ? new int[] {32, 28, 25} : new int[] {32, 28}) {
      dma.limitTo(bits);
      for (int i = 0; i < 4; i++) {
        DmaBuffer buffer = dma.allocate(3 * PAGE, PAGE);
        buffers.add(buffer);
        assertThat(buffer.busAddress()).isBetween(0L, (1L << bits) - buffer.size());
      }
    }
    assertApart(buffers);
    assertUsable(buffers);
  }

  @Test
  void aLimitThatLeavesNoRoomIsToldApart() {
    DmaSpace dma = device.dma();
    dma.limitTo(12);

    assertThatExceptionOfType(DmaException.class).isThrownBy(() -> dma.allocate(2 * PAGE, PAGE));
  }

  @Test
  void anAddressAboveTheLimitIsRefused() {
    device.dma().limitTo(28);
    try (Arena arena = Arena.ofShared()) {
      MemorySegment memory = arena.allocate(2 * PAGE, PAGE);
      for (long address : new long[] {(1 << 28) - PAGE, 1 << 28}) {
        assertThatExceptionOfType(DmaException.class)
            .isThrownBy(() -> device.dma().mapAt(address, memory, DmaDirection.BIDIRECTIONAL));
      }
    }
  }

  @Test
  void limitsHave12To64Bits() {
    DmaSpace dma = device.dma();
    for (int bits : new int[] {11, 0, -1, 65}) {
      assertThatIllegalArgumentException().isThrownBy(() -> dma.limitTo(bits));
    }
    dma.limitTo(12);
    dma.limitTo(64);
    dma.allocate(PAGE, PAGE).close();
  }

  @Test
  void usableRangesAreAscendingAndApart() {
    List<BusRange> ranges = device.dma().usableRanges();

    assertThat(ranges).isNotEmpty();
    for (int i = 1; i < ranges.size(); i++) {
      assertThat(Long.compareUnsigned(ranges.get(i - 1).last(), ranges.get(i).first()))
          .isNegative();
    }
  }

  @Test
  void memoryOfTheCallersIsMappedOrRefusedByName() {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment memory = arena.allocate(4 * PAGE, PAGE);
      memory.fill((byte) 0x77);
      for (DmaDirection direction : DmaDirection.values()) {
        try (DmaBuffer buffer = device.dma().map(memory, direction)) {
          assertUsable(List.of(buffer));
          assertThat(buffer.busAddress() % PAGE).isZero();
          assertThat(buffer.size()).isEqualTo(memory.byteSize());
          assertThat(bytes(buffer)).containsOnly(0x77);
          assertThat(device.usage()).isEqualTo(new Usage(0, 1, memory.byteSize(), 0));
        } catch (DmaException e) {
          assertThat(e.device()).isEqualTo(device.name());
        }
      }
      assertThat(device.usage()).isEqualTo(Usage.NONE);
      assertThat(memory.get(ValueLayout.JAVA_BYTE, 0))
          .as("the caller's still")
          .isEqualTo((byte) 0x77);
    }
  }

  @Test
  void memoryOfTheCallersIsNativeAndWholePages() {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment memory = arena.allocate(4 * PAGE, PAGE);
      List<MemorySegment> bad =
          List.of(
              MemorySegment.ofArray(new byte[PAGE]),
              memory.asSlice(8, PAGE),
              memory.asSlice(0, PAGE - 8),
              memory.asSlice(0, 0));
      for (MemorySegment segment : bad) {
        assertThatIllegalArgumentException()
            .isThrownBy(() -> device.dma().map(segment, DmaDirection.BIDIRECTIONAL));
        assertThatIllegalArgumentException()
            .isThrownBy(() -> device.dma().mapAt(1 << 24, segment, DmaDirection.BIDIRECTIONAL));
      }
    }
    assertThat(device.usage()).isEqualTo(Usage.NONE);
  }

  @Test
  void readOnlyMemoryIsNothingThatADeviceWrites() {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment memory = arena.allocate(PAGE, PAGE).asReadOnly();
      for (DmaDirection writing : List.of(DmaDirection.FROM_DEVICE, DmaDirection.BIDIRECTIONAL)) {
        assertThatIllegalArgumentException()
            .isThrownBy(() -> device.dma().map(memory, writing))
            .withMessageContaining(DmaDirection.TO_DEVICE.toString());
        assertThatIllegalArgumentException()
            .isThrownBy(() -> device.dma().mapAt(1 << 24, memory, writing));
      }
    }
    assertThat(device.usage()).isEqualTo(Usage.NONE);
  }

  @Test
  void anAddressOfTheCallersIsUsedOrRefusedByName() {
    DmaSpace dma = device.dma();
    BusRange widest =
        dma.usableRanges().stream()
            .max(Comparator.comparing(r -> r.last() - r.first(), Long::compareUnsigned))
            .orElseThrow();
    long address = (widest.first() + (1 << 24)) & -PAGE;
    try (Arena arena = Arena.ofShared();
        DmaBuffer buffer =
            dma.mapAt(address, arena.allocate(PAGE, PAGE), DmaDirection.BIDIRECTIONAL)) {
      assertThat(buffer.busAddress()).isEqualTo(address);
    } catch (DmaException e) {
      assertThat(e.device()).isEqualTo(device.name());
    }
    assertThat(device.usage()).isEqualTo(Usage.NONE);
  }

  @Test
  void anAddressThatIsTakenIsRefused() {
    DmaSpace dma = device.dma();
    try (Arena arena = Arena.ofShared();
        DmaBuffer taken = dma.allocate(4 * PAGE, PAGE)) {
      MemorySegment memory = arena.allocate(2 * PAGE, PAGE);
      for (long offset : new long[] {-PAGE, 0, PAGE, 3 * PAGE}) {
        if (taken.busAddress() + offset >= 0) {
          assertThatExceptionOfType(DmaException.class)
              .as("two pages at %d from the start of four", offset)
              .isThrownBy(
                  () -> dma.mapAt(taken.busAddress() + offset, memory, DmaDirection.BIDIRECTIONAL));
        }
      }
      assertThat(device.usage()).isEqualTo(new Usage(0, 1, taken.size(), 0));
    }
  }

  @Test
  void anAddressThatWasGivenBackIsFree() {
    DmaSpace dma = device.dma();
    DmaBuffer first = dma.allocate(2 * PAGE, PAGE);
    long address = first.busAddress();
    first.close();
    try (Arena arena = Arena.ofShared()) {
      MemorySegment memory = arena.allocate(2 * PAGE, PAGE);
      assumeTrue(canMap(memory), "this backend maps no memory of the caller's");
      for (int i = 0; i < 3; i++) {
        try (DmaBuffer again = dma.mapAt(address, memory, DmaDirection.BIDIRECTIONAL)) {
          assertThat(again.busAddress()).isEqualTo(address);
        }
      }
    }
  }

  private boolean canMap(MemorySegment memory) {
    try {
      device.dma().map(memory, DmaDirection.BIDIRECTIONAL).close();
      return true;
    } catch (DmaException _) {
      return false;
    }
  }

  @Test
  void anAddressThatIsNotUsableIsRefused() {
    List<BusRange> ranges = device.dma().usableRanges();
    long pastTheEnd = ranges.getLast().last() + 1;
    assumeTrue(pastTheEnd != 0, "every bus address is usable");
    try (Arena arena = Arena.ofShared()) {
      MemorySegment memory = arena.allocate(PAGE, PAGE);

      assertThatExceptionOfType(DmaException.class)
          .isThrownBy(() -> device.dma().mapAt(pastTheEnd, memory, DmaDirection.BIDIRECTIONAL));
    }
  }

  // Interrupts

  @Test
  void noInterruptsAreEnabledAfterOpen() {
    assertThat(device.usage().vectors()).isZero();
    device.interrupts().disable();
  }

  @ParameterizedTest
  @EnumSource
  void vectorsAreEnabledInTheNumberAskedFor(Kind kind) {
    Interrupts interrupts = device.interrupts();
    int most = needVectors(kind);
    for (int count : new int[] {1, most}) {
      List<Vector> vectors = interrupts.enable(kind, count);

      assertThat(vectors).extracting(Vector::index).isEqualTo(numbersBelow(count));
      assertThat(device.usage()).isEqualTo(new Usage(0, 0, 0, count));
      interrupts.disable();
      assertThat(device.usage()).isEqualTo(Usage.NONE);
    }
  }

  @ParameterizedTest
  @EnumSource
  void otherNumbersOfVectorsAreRefused(Kind kind) {
    Interrupts interrupts = device.interrupts();
    int most = interrupts.count(kind);
    assertThat(most)
        .isBetween(
            0,
            switch (kind) {
              case INTX -> 1;
              case MSI -> 32;
              case MSIX -> 2048;
            });

    for (int count : new int[] {0, -1, most + 1, Integer.MAX_VALUE}) {
      assertThatIllegalArgumentException().isThrownBy(() -> interrupts.enable(kind, count));
    }
    assertThat(device.usage()).isEqualTo(Usage.NONE);
  }

  @ParameterizedTest
  @EnumSource
  void oneKindAtATime(Kind kind) {
    Interrupts interrupts = device.interrupts();
    needVectors(kind);
    List<Vector> vectors = interrupts.enable(kind, 1);
    for (Kind other : Kind.values()) {
      if (interrupts.count(other) > 0) {
        assertThatIllegalStateException().isThrownBy(() -> interrupts.enable(other, 1));
      }
    }
    assertThat(vectors.getFirst().poll()).as("those enabled are not touched").isFalse();
    assertThat(device.usage().vectors()).isEqualTo(1);
  }

  @ParameterizedTest
  @EnumSource
  void aQuietVectorTimesOut(Kind kind) {
    needVectors(kind);
    Vector vector = device.interrupts().enable(kind, 1).getFirst();

    assertThat(vector.poll()).isFalse();
    assertThat(vector.await(Duration.ZERO)).isFalse();
    assertThat(vector.await(Duration.ofMillis(5))).isFalse();
  }

  @ParameterizedTest
  @EnumSource
  void aThreadThatIsInterruptedStopsWaiting(Kind kind) {
    needVectors(kind);
    Vector vector = device.interrupts().enable(kind, 1).getFirst();
    Thread.currentThread().interrupt();
    try {
      assertThat(vector.await(Duration.ofDays(365_000))).isFalse();
    } finally {
      assertThat(Thread.interrupted()).as("the flag stays set").isTrue();
    }
  }

  @ParameterizedTest
  @EnumSource
  void disablingEndsVectorsAndWaits(Kind kind) throws Exception {
    needVectors(kind);
    endsWaits(kind, device.interrupts()::disable);
    device.interrupts().disable();
    assertThat(device.interrupts().enable(kind, 1)).as("enabled again").hasSize(1);
  }

  @ParameterizedTest
  @EnumSource
  void closingEndsVectorsAndWaits(Kind kind) throws Exception {
    needVectors(kind);
    endsWaits(kind, device::close);
  }

  private void endsWaits(Kind kind, Runnable end) throws Exception {
    Vector vector = device.interrupts().enable(kind, 1).getFirst();
    CountDownLatch waiting = new CountDownLatch(2);
    Callable<Throwable> waiter = () -> waitUntilItThrows(vector, waiting);
    List<Throwable> ends =
        inThreads(
            List.of(waiter, waiter),
            () -> {
              waiting.await();
              end.run();
            });

    assertThat(ends).allSatisfy(PciDeviceContract::isGone);
    assertGone(vector::poll);
    assertGone(() -> vector.await(Duration.ZERO));
    assertGone(() -> vector.mask(true));
    assertThat(device.usage().vectors()).isZero();
  }

  private static Throwable waitUntilItThrows(Vector vector, CountDownLatch waiting) {
    waiting.countDown();
    while (true) {
      try {
        // Virtual time lets even this end at once, so it is repeated.
        if (vector.await(Duration.ofHours(1))) {
          return new AssertionError("an interrupt from a quiet device");
        }
      } catch (RuntimeException | Error e) {
        return e;
      }
    }
  }

  // Bus master, reset

  @Test
  void busMasterIsOffAfterOpenAndFollows() {
    assertThat(isBusMaster()).isFalse();
    device.busMaster(true);
    assertThat(isBusMaster()).isTrue();
    device.busMaster(true);
    assertThat(isBusMaster()).isTrue();
    device.busMaster(false);
    assertThat(isBusMaster()).isFalse();
  }

  @Test
  void resetTakesInterruptsAndBusMasterAndNothingElse() {
    Optional<Mmio> mapping = readableBar().map(b -> b.map(0, 4));
    DmaBuffer buffer = device.dma().allocate(PAGE, PAGE);
    buffer.segment().fill((byte) 0x42);
    Optional<Kind> kind = anyKind();
    Optional<Vector> vector = kind.map(k -> device.interrupts().enable(k, 1).getFirst());
    device.busMaster(true);
    Usage before = device.usage();

    boolean wasReset = tryReset();

    mapping.ifPresent(m -> m.readDiscard32(0));
    assertThat(bytes(buffer)).containsOnly(0x42);
    assertThat(isBusMaster()).isEqualTo(!wasReset);
    if (wasReset) {
      vector.ifPresent(v -> assertGone(v::poll));
      assertThat(device.usage())
          .isEqualTo(new Usage(before.mappings(), before.buffers(), before.dmaBytes(), 0));
      kind.ifPresent(k -> assertThat(device.interrupts().enable(k, 1)).hasSize(1));
    } else {
      vector.ifPresent(v -> assertThat(v.poll()).isFalse());
      assertThat(device.usage()).isEqualTo(before);
    }
  }

  @Test
  void aDeviceCanBeResetTwice() {
    assumeTrue(tryReset(), "this device has no reset");

    assertThatCode(device::reset).doesNotThrowAnyException();
  }

  private boolean tryReset() {
    try {
      device.reset();
      return true;
    } catch (ResetUnavailableException e) {
      assertThat(e.device()).isEqualTo(device.name());
      return false;
    }
  }

  // Life cycle

  @Test
  void detachListenersHearNothingWhileAllIsWell() {
    List<String> heard = new ArrayList<>();
    device.onDetach(
        new DetachListener() {
          @Override
          public void requested(Duration deadline) {
            heard.add("requested");
          }

          @Override
          public void gone(String cause) {
            heard.add("gone: " + cause);
          }
        });
    device.busMaster(true);
    device.dma().allocate(PAGE, PAGE).close();

    assertThat(heard).isEmpty();
  }

  @Test
  void usageCountsWhatIsGivenOut() {
    assertThat(device.usage()).isEqualTo(Usage.NONE);
    int mappings = 0;
    for (Bar bar : memoryBars()) {
      bar.map(bar.ranges().getFirst().offset(), 4);
      mappings++;
    }
    DmaBuffer one = device.dma().allocate(PAGE, PAGE);
    DmaBuffer two = device.dma().allocate(5 * PAGE, PAGE);
    int vectors = anyKind().map(k -> device.interrupts().enable(k, 1).size()).orElse(0);

    assertThat(device.usage()).isEqualTo(new Usage(mappings, 2, one.size() + two.size(), vectors));
    one.close();
    one.close();
    assertThat(device.usage()).isEqualTo(new Usage(mappings, 1, two.size(), vectors));
  }

  @Test
  void closeEndsAllThatWasGivenOut() {
    List<Mmio> mappings =
        memoryBars().stream().map(b -> b.map(b.ranges().getFirst().offset(), 4)).toList();
    DmaBuffer buffer = device.dma().allocate(PAGE, PAGE);
    Optional<Vector> vector = anyKind().map(k -> device.interrupts().enable(k, 1).getFirst());

    device.close();

    mappings.forEach(m -> assertGone(() -> m.read32(0)));
    assertGone(() -> buffer.getIntAcquire(0));
    assertGone(() -> buffer.putIntRelease(0, 1));
    vector.ifPresent(v -> assertGone(v::poll));
    assertThat(device.usage()).isEqualTo(Usage.NONE);
    mappings.forEach(Mmio::close);
    buffer.close();
    device.close();
  }

  @Test
  void afterCloseEachUseSaysThatTheDeviceIsGone() {
    ConfigSpace config = device.config();
    List<Bar> bars = memoryBars();
    DmaSpace dma = device.dma();
    Interrupts interrupts = device.interrupts();
    Optional<Kind> kind = anyKind();
    String name = device.name().toString();

    device.close();

    assertGone(() -> config.read8(0));
    assertGone(() -> config.write8(ConfigRegisters.INTERRUPT_LINE, 0));
    assertGone(() -> device.config().read8(0));
    bars.forEach(b -> assertGone(() -> b.map(b.ranges().getFirst().offset(), 4)));
    assertGone(() -> dma.allocate(PAGE, PAGE));
    assertGone(() -> device.dma().allocate(PAGE, PAGE));
    kind.ifPresent(k -> assertGone(() -> interrupts.enable(k, 1)));
    kind.ifPresent(k -> assertGone(() -> device.interrupts().enable(k, 1)));
    assertGone(() -> device.busMaster(true));
    assertGone(device::reset);
    assertThat(device.name()).hasToString(name);
    assertThat(device.usage()).isEqualTo(Usage.NONE);
  }

  @Test
  void whoeverClosesReturnsWhenAllIsClosed() throws Exception {
    List<DmaBuffer> buffers = new ArrayList<>();
    for (int i = 0; i < 32; i++) {
      buffers.add(device.dma().allocate(PAGE, PAGE));
    }
    CyclicBarrier start = new CyclicBarrier(4);
    Callable<Usage> closing =
        () -> {
          start.await();
          device.close();
          buffers.forEach(b -> assertGone(() -> b.getByteAcquire(0)));
          return device.usage();
        };
    List<Usage> left = inThreads(List.of(closing, closing, closing, closing), () -> {});

    assertThat(left).containsOnly(Usage.NONE);
  }

  @Test
  void closeUnderUseGivesOnlyDeviceGone() throws Exception {
    Bar bar = needReadableBar();
    Mmio mmio = bar.map(0, 4);
    DmaBuffer buffer = device.dma().allocate(PAGE, PAGE);
    CountDownLatch using = new CountDownLatch(2);
    List<Throwable> ends =
        inThreads(
            List.of(
                () -> repeatUntilItThrows(() -> mmio.readDiscard32(0), using),
                () ->
                    repeatUntilItThrows(
                        () -> buffer.putIntRelease(0, buffer.getIntAcquire(4) + 1), using)),
            () -> {
              using.await();
              device.close();
            });

    assertThat(ends).allSatisfy(PciDeviceContract::isGone);
  }

  @Test
  void aClosedDeviceCanBeOpenedAgain() {
    device.busMaster(true);
    anyKind().ifPresent(k -> assertThat(device.interrupts().enable(k, 1)).hasSize(1));
    PciId id = device.id();
    device.close();

    try (PciDevice again = open()) {
      assertThat(again.id()).isEqualTo(id);
      assertThat(again.usage()).isEqualTo(Usage.NONE);
      assertThat(
              again.config().read16(ConfigRegisters.COMMAND) & ConfigRegisters.COMMAND_BUS_MASTER)
          .isZero();
      anyKindOf(again).ifPresent(k -> assertThat(again.interrupts().enable(k, 1)).hasSize(1));
    }
  }

  private static Throwable repeatUntilItThrows(Runnable use, CountDownLatch using) {
    for (int i = 0; ; i++) {
      try {
        use.run();
      } catch (RuntimeException | Error e) {
        return e;
      }
      if (i == 100) {
        using.countDown();
      }
    }
  }

  /** What a test does while its other threads are at work. */
  private interface Meanwhile {
    void run() throws Exception;
  }

  /** Runs tasks, each in a thread of its own; one that hangs fails the test, and nothing else. */
  private static <T> List<T> inThreads(List<Callable<T>> tasks, Meanwhile meanwhile)
      throws Exception {
    ExecutorService threads =
        Executors.newFixedThreadPool(tasks.size(), Thread.ofPlatform().daemon().factory());
    try {
      List<Future<T>> futures = tasks.stream().map(threads::submit).toList();
      meanwhile.run();
      List<T> results = new ArrayList<>();
      for (Future<T> future : futures) {
        results.add(future.get(HANG_SECONDS, TimeUnit.SECONDS));
      }
      return results;
    } finally {
      threads.shutdownNow();
    }
  }

  private static void isGone(Throwable end) {
    assertThat(end).isExactlyInstanceOf(DeviceGoneException.class);
  }

  private void assertGone(ThrowingCallable use) {
    assertThatExceptionOfType(DeviceGoneException.class)
        .isThrownBy(use)
        .satisfies(e -> assertThat(e.device()).isEqualTo(device.name()));
  }

  private void assertUsable(List<DmaBuffer> buffers) {
    List<BusRange> usable = device.dma().usableRanges();
    for (DmaBuffer buffer : buffers) {
      assertThat(usable)
          .as("usable ranges, one of which contains %s", buffer)
          .anyMatch(r -> r.contains(buffer.busAddress(), buffer.size()));
    }
  }

  private static void assertApart(List<DmaBuffer> buffers) {
    List<DmaBuffer> sorted =
        buffers.stream()
            .sorted(Comparator.comparing(DmaBuffer::busAddress, Long::compareUnsigned))
            .toList();
    for (int i = 1; i < sorted.size(); i++) {
      DmaBuffer below = sorted.get(i - 1);
      assertThat(sorted.get(i).busAddress() - below.busAddress())
          .as("distance of %s from %s", sorted.get(i), below)
          .isGreaterThanOrEqualTo(below.size());
    }
  }

  private static byte[] bytes(DmaBuffer buffer) {
    byte[] bytes = new byte[Math.toIntExact(buffer.size())];
    buffer.copyOut(0, bytes);
    return bytes;
  }

  private static List<Integer> numbersBelow(int count) {
    List<Integer> numbers = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      numbers.add(i);
    }
    return numbers;
  }

  private boolean isBusMaster() {
    return (device.config().read16(ConfigRegisters.COMMAND) & ConfigRegisters.COMMAND_BUS_MASTER)
        != 0;
  }

  private List<Bar> memoryBars() {
    return device.bars().stream().filter(b -> b.kind() == Bar.Kind.MEMORY).toList();
  }

  private Bar needReadableBar() {
    Optional<Bar> bar = readableBar();
    assumeTrue(bar.isPresent(), "this device has no register that can be read without an effect");
    return bar.orElseThrow();
  }

  private int needVectors(Kind kind) {
    int count = device.interrupts().count(kind);
    assumeTrue(count > 0, () -> "this device has no " + kind);
    return count;
  }

  private Optional<Kind> anyKind() {
    return anyKindOf(device);
  }

  private static Optional<Kind> anyKindOf(PciDevice device) {
    return Arrays.stream(Kind.values()).filter(k -> device.interrupts().count(k) > 0).findFirst();
  }
}
