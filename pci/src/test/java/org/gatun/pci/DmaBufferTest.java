package org.gatun.pci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;

@SuppressWarnings("MustBeClosedChecker") // arenas are closed by what they are in
class DmaBufferTest {
  private static final DeviceName NAME = new DeviceName("test", "device");
  private static final int SIZE = 64;

  /** An access at an offset, of some kind. */
  private record Access(int width, BiConsumer<DmaBuffer, Long> at) {}

  private static final List<Access> ACCESSES =
      List.of(
          new Access(1, DmaBuffer::getByteAcquire),
          new Access(2, DmaBuffer::getShortAcquire),
          new Access(4, DmaBuffer::getIntAcquire),
          new Access(8, DmaBuffer::getLongAcquire),
          new Access(1, (b, o) -> b.putByte(o, (byte) 1)),
          new Access(2, (b, o) -> b.putShort(o, (short) 1)),
          new Access(4, (b, o) -> b.putInt(o, 1)),
          new Access(8, (b, o) -> b.putLong(o, 1)),
          new Access(1, (b, o) -> b.putByteRelease(o, (byte) 1)),
          new Access(2, (b, o) -> b.putShortRelease(o, (short) 1)),
          new Access(4, (b, o) -> b.putIntRelease(o, 1)),
          new Access(8, (b, o) -> b.putLongRelease(o, 1)));

  private static DmaBuffer buffer() {
    Arena arena = Arena.ofShared();
    return new DmaBuffer(NAME, arena.allocate(SIZE, 4096), 0x10_0000, arena::close);
  }

  @Test
  void isLittleEndian() {
    try (DmaBuffer buffer = buffer()) {
      buffer.putLong(0, 0x8877665544332211L);
      buffer.putIntRelease(8, 0xccbbaa99);
      buffer.putShort(12, (short) 0xeedd);
      buffer.putByteRelease(14, (byte) 0xf0);
      byte[] bytes = new byte[16];
      buffer.copyOut(0, bytes);

      assertThat(bytes)
          .containsExactly(
              0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee,
              0xf0, 0);
      assertThat(buffer.getByteAcquire(7)).isEqualTo((byte) 0x88);
      assertThat(buffer.getShortAcquire(6)).isEqualTo((short) 0x8877);
      assertThat(buffer.getIntAcquire(4)).isEqualTo(0x88776655);
      assertThat(buffer.getLongAcquire(0)).isEqualTo(0x8877665544332211L);
    }
  }

  @Test
  void refusesWhatIsNotInside() {
    try (DmaBuffer buffer = buffer()) {
      for (Access access : ACCESSES) {
        for (long offset : new long[] {-1, SIZE, SIZE - access.width + 1, Long.MAX_VALUE}) {
          assertThatExceptionOfType(IndexOutOfBoundsException.class)
              .isThrownBy(() -> access.at.accept(buffer, offset))
              .withMessageContaining("test:device")
              .withMessageContaining("64 bytes");
        }
        access.at.accept(buffer, (long) SIZE - access.width);
      }
      for (int offset : new int[] {-1, SIZE - 7, SIZE + 1}) {
        assertThatExceptionOfType(IndexOutOfBoundsException.class)
            .isThrownBy(() -> buffer.copyOut(offset, new byte[8]));
        assertThatExceptionOfType(IndexOutOfBoundsException.class)
            .isThrownBy(() -> buffer.copyIn(offset, new byte[8]));
      }
    }
  }

  @Test
  void refusesOffsetsThatAreNotMultiplesOfTheWidth() {
    try (DmaBuffer buffer = buffer()) {
      for (Access access : ACCESSES) {
        for (long offset = 17; offset < 17 + access.width - 1; offset++) {
          long odd = offset;
          assertThatIllegalArgumentException()
              .isThrownBy(() -> access.at.accept(buffer, odd))
              .withMessageContaining("not aligned");
        }
      }
    }
  }

  @Test
  void writingMemoryThatIsReadOnlySaysSo() {
    MemorySegment memory = Arena.global().allocate(SIZE, 8).asReadOnly();
    try (DmaBuffer buffer = new DmaBuffer(NAME, memory, 0, () -> {})) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> buffer.putInt(4, 1))
          .withMessageContaining("read-only");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> buffer.copyIn(4, new byte[4]))
          .withMessageContaining("read-only");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> buffer.getIntAcquire(5))
          .withMessageContaining("not aligned");
    }
  }

  @Test
  void afterCloseEachAccessSaysThatTheDeviceIsGone() {
    DmaBuffer buffer = buffer();
    buffer.close();

    for (Access access : ACCESSES) {
      assertThatExceptionOfType(DeviceGoneException.class)
          .isThrownBy(() -> access.at.accept(buffer, 8L))
          .withMessageContaining("test:device")
          .withMessageContaining("0x8");
    }
    assertThatExceptionOfType(DeviceGoneException.class)
        .isThrownBy(() -> buffer.copyIn(0, new byte[1]));
    assertThatExceptionOfType(DeviceGoneException.class)
        .isThrownBy(() -> buffer.copyOut(0, new byte[1]));
  }

  @Test
  void afterCloseThereIsNoBusAddressToGiveToADevice() {
    DmaBuffer buffer = new DmaBuffer(NAME, Arena.global().allocate(SIZE, 8), 0x10_0000, () -> {});
    assertThat(buffer.busAddress()).isEqualTo(0x10_0000);
    buffer.close();
    assertThatExceptionOfType(DeviceGoneException.class)
        .isThrownBy(buffer::busAddress)
        .withMessageContaining("test:device")
        .withMessageContaining("0x100000");
    assertThat(buffer)
        .hasToString("test:device DMA memory, " + SIZE + " bytes at bus address 0x100000");
  }

  @Test
  void releasesOnce() {
    AtomicInteger releases = new AtomicInteger();
    MemorySegment memory = Arena.global().allocate(SIZE, 8);
    DmaBuffer buffer = new DmaBuffer(NAME, memory, 0, releases::incrementAndGet);
    buffer.close();
    buffer.close();

    assertThat(releases).hasValue(1);
  }

  @Test
  void refusesHeapMemory() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new DmaBuffer(NAME, MemorySegment.ofArray(new byte[8]), 0, () -> {}));
  }

  @Test
  void whatWasPutBeforeAReleaseIsSeenAfterAnAcquire() throws Exception {
    int rounds = 200_000;
    try (DmaBuffer buffer = buffer()) {
      Thread producer =
          Thread.ofPlatform()
              .start(
                  () -> {
                    for (int i = 1; i <= rounds; i++) {
                      while (buffer.getIntAcquire(4) != i - 1) {
                        Thread.onSpinWait();
                      }
                      buffer.putLong(16, i);
                      buffer.putIntRelease(0, i);
                    }
                  });
      for (int i = 1; i <= rounds; i++) {
        while (buffer.getIntAcquire(0) != i) {
          Thread.onSpinWait();
        }
        assertThat(buffer.segment().get(ValueLayout.JAVA_LONG, 16)).isEqualTo(i);
        buffer.putIntRelease(4, i);
      }
      producer.join();
    }
  }
}
