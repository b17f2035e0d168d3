package org.gatun.pci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.sun.management.ThreadMXBean;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

@SuppressWarnings("MustBeClosedChecker") // arenas are closed by what they are in
class MmioTest {
  private static final DeviceName NAME = new DeviceName("test", "device");
  private static final int SIZE = 64;
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /** An access at an offset, of some kind. */
  private record Access(int width, BiConsumer<Mmio, Long> at) {}

  private static Mmio direct(long size) {
    Arena arena = Arena.ofShared();
    return Mmio.direct(NAME, arena.allocate(size, 4096), arena::close);
  }

  private static Mmio trapped(long size) {
    return Mmio.trapped(NAME, size, new RecordingHandler(), () -> {});
  }

  static Stream<Named<Mmio>> both() {
    return Stream.of(Named.of("direct", direct(SIZE)), Named.of("trapped", trapped(SIZE)));
  }

  private static List<Access> accesses() {
    return List.of(
        new Access(1, Mmio::read8),
        new Access(2, Mmio::read16),
        new Access(4, Mmio::read32),
        new Access(8, Mmio::read64),
        new Access(4, Mmio::readDiscard32),
        new Access(1, (m, o) -> m.write8(o, 0)),
        new Access(2, (m, o) -> m.write16(o, 0)),
        new Access(4, (m, o) -> m.write32(o, 0)),
        new Access(8, (m, o) -> m.write64(o, 0)));
  }

  @Test
  void directAccessIsLittleEndianAndOfTheWidthNamed() {
    Arena arena = Arena.ofShared();
    MemorySegment memory = arena.allocate(SIZE, 8);
    try (Mmio mmio = Mmio.direct(NAME, memory, arena::close)) {
      mmio.write64(8, 0x8877665544332211L);
      mmio.write32(16, 0xccbbaa99);
      mmio.write16(20, 0xeeeedd);
      mmio.write8(22, 0xfff0);

      byte[] bytes = memory.asSlice(8, 16).toArray(ValueLayout.JAVA_BYTE);
      assertThat(bytes)
          .containsExactly(
              0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee,
              0xf0, 0);
    }
  }

  @Test
  void directReadsAreZeroExtended() {
    Arena arena = Arena.ofShared();
    MemorySegment memory = arena.allocate(SIZE, 8);
    memory.set(ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN), 0, 0xfedc_ba98_8765_83f1L);
    try (Mmio mmio = Mmio.direct(NAME, memory, arena::close)) {
      assertThat(mmio.read8(0)).isEqualTo(0xf1);
      assertThat(mmio.read16(0)).isEqualTo(0x83f1);
      assertThat(mmio.read32(0)).isEqualTo(0x876583f1);
      assertThat(mmio.read64(0)).isEqualTo(0xfedc_ba98_8765_83f1L);
      assertThat(mmio.read32(4)).isEqualTo(0xfedcba98);
    }
  }

  @Test
  void aTrappedAccessIsOneCallOfThatWidth() {
    RecordingHandler handler = new RecordingHandler();
    try (Mmio mmio = Mmio.trapped(NAME, SIZE, handler, () -> {})) {
      assertThat(mmio.read8(1)).isEqualTo(0xff);
      assertThat(mmio.read16(2)).isEqualTo(0xffff);
      assertThat(mmio.read32(4)).isEqualTo(-1);
      assertThat(mmio.read64(8)).isEqualTo(-1L);
      mmio.write8(17, 0x11);
      mmio.write16(18, 0x2222);
      mmio.write32(20, 0xf3333333);
      mmio.write64(24, 0xf444444444444444L);
      mmio.readDiscard32(32);
    }

    assertThat(handler.accesses)
        .containsExactly(
            "read8@1",
            "read16@2",
            "read32@4",
            "read64@8",
            "write8@17=11",
            "write16@18=2222",
            "write32@20=f3333333",
            "write64@24=f444444444444444",
            "read32@32");
  }

  @ParameterizedTest
  @MethodSource("both")
  void refusesWhatIsNotInside(Mmio mmio) {
    try (mmio) {
      for (Access access : accesses()) {
        for (long offset :
            new long[] {
              -1,
              -access.width,
              SIZE,
              SIZE - access.width + 1,
              Long.MIN_VALUE,
              Long.MAX_VALUE,
              1L << 32
            }) {
          assertThatExceptionOfType(IndexOutOfBoundsException.class)
              .isThrownBy(() -> access.at.accept(mmio, offset))
              .withMessageContaining("test:device")
              .withMessageContaining("0x" + Long.toHexString(offset))
              .withMessageContaining("64 bytes");
        }
        access.at.accept(mmio, (long) SIZE - access.width);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("both")
  void refusesOffsetsThatAreNotMultiplesOfTheWidth(Mmio mmio) {
    try (mmio) {
      for (Access access : accesses()) {
        for (long offset = 17; offset < 17 + access.width - 1; offset++) {
          long odd = offset;
          assertThatIllegalArgumentException()
              .isThrownBy(() -> access.at.accept(mmio, odd))
              .withMessageContaining("test:device")
              .withMessageContaining("not aligned");
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("both")
  void afterCloseEachAccessSaysThatTheDeviceIsGone(Mmio mmio) {
    mmio.close();
    mmio.close();

    for (Access access : accesses()) {
      assertThatExceptionOfType(DeviceGoneException.class)
          .isThrownBy(() -> access.at.accept(mmio, 8L))
          .withMessageContaining("test:device")
          .withMessageContaining("offset 0x8")
          .satisfies(e -> assertThat(e.device()).isEqualTo(NAME));
    }
    assertThat(mmio.name()).isEqualTo(NAME);
    assertThat(mmio.size()).isEqualTo(SIZE);
  }

  @Test
  void releasesOnceHoweverManyClose() throws Exception {
    AtomicInteger releases = new AtomicInteger();
    Mmio mmio = Mmio.trapped(NAME, SIZE, new RecordingHandler(), releases::incrementAndGet);
    inParallel(8, mmio::close);

    assertThat(releases).hasValue(1);
  }

  @Test
  void refusesASmallerRangeThanTheAccess() {
    try (Mmio mmio = trapped(4)) {
      assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> mmio.read64(0));
    }
  }

  @Test
  void refusesHeapAndReadOnlyMemory() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Mmio.direct(NAME, MemorySegment.ofArray(new byte[8]), () -> {}))
        .withMessageContaining("native");
    MemorySegment readOnly = Arena.global().allocate(8).asReadOnly();
    assertThatIllegalArgumentException().isThrownBy(() -> Mmio.direct(NAME, readOnly, () -> {}));
  }

  @Test
  void whatAHandlerThrowsReachesTheCaller() {
    RegisterHandler gone =
        new RegisterHandler() {
          @Override
          public long read(long offset, int width) {
            throw new DeviceGoneException(NAME, "read", null);
          }

          @Override
          public void write(long offset, int width, long value) {
            throw new DeviceGoneException(NAME, "write", null);
          }
        };
    try (Mmio mmio = Mmio.trapped(NAME, SIZE, gone, () -> {})) {
      assertThatExceptionOfType(DeviceGoneException.class).isThrownBy(() -> mmio.read32(0));
      assertThatExceptionOfType(DeviceGoneException.class).isThrownBy(() -> mmio.write32(0, 0));
    }
  }

  @Test
  void closeUnderLoadGivesOnlyDeviceGone() throws Exception {
    int threads = 3;
    for (int round = 0; round < 10; round++) {
      Mmio mmio = direct(4096);
      CountDownLatch running = new CountDownLatch(threads);
      try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
        List<Future<Throwable>> ends = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
          ends.add(pool.submit(() -> useUntilItThrows(mmio, running)));
        }
        running.await();
        mmio.close();
        for (Future<Throwable> end : ends) {
          assertThat(end.get()).isExactlyInstanceOf(DeviceGoneException.class);
        }
      }
    }
  }

  private static Throwable useUntilItThrows(Mmio mmio, CountDownLatch running) {
    for (long i = 0; ; i++) {
      try {
        mmio.write32(i & 0xffc, (int) i);
        mmio.readDiscard32(i & 0xffc);
        mmio.write64(i & 0xff8, mmio.read64(i & 0xff8));
      } catch (RuntimeException | Error e) {
        return e;
      }
      if (i == 1000) {
        running.countDown();
      }
    }
  }

  @Test
  void accessesAllocateNothing() {
    try (Mmio mmio = direct(4096)) {
      Counter counter = new Counter();
      try (Mmio trapped = Mmio.trapped(NAME, 4096, counter, () -> {})) {
        // What the first accesses allocate is for linking the handles.
        touch(mmio, 20_000);
        touch(trapped, 20_000);
        long before = THREADS.getCurrentThreadAllocatedBytes();
        long sum = touch(mmio, 100_000) + touch(trapped, 100_000);
        long after = THREADS.getCurrentThreadAllocatedBytes();

        assertThat(after - before).isZero();
        assertThat(sum).isEqualTo(100_000 * 4L);
        assertThat(counter.reads).isEqualTo(120_000 * 2);
      }
    }
  }

  /** Answers 1, and counts. */
  private static final class Counter implements RegisterHandler {
    long reads;

    @Override
    public long read(long offset, int width) {
      reads++;
      return 1;
    }

    @Override
    public void write(long offset, int width, long value) {}
  }

  private static long touch(Mmio mmio, int times) {
    long sum = 0;
    for (int i = 0; i < times; i++) {
      long offset = (i & 0xff) * 8L;
      mmio.write64(offset, 1);
      mmio.write32(offset, 1);
      sum += mmio.read32(offset) + mmio.read64(offset);
    }
    return sum;
  }

  private static void inParallel(int threads, Runnable task) throws Exception {
    Callable<Object> callable = Executors.callable(task);
    try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
      for (Future<Object> done :
          pool.invokeAll(Stream.generate(() -> callable).limit(threads).toList())) {
        done.get();
      }
    }
  }
}
