package org.gatun.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.DmaException;
import org.gatun.pci.Event;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.Mmio;
import org.gatun.pci.ResetUnavailableException;
import org.gatun.pci.TimeSource;
import org.gatun.pci.Vector;
import org.gatun.specs.edu.EduRegisters;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What can only be shown with a device that interrupts and does DMA when told to: QEMU's edu, or a
 * model of it. It drives the registers itself, so that it tests nothing but what makes the device.
 *
 * <p>Each kind of interrupt that the device lacks is skipped.
 */
public abstract class EduDeviceContract extends PciDeviceContract {
  private static final int PAGE = 4096;
  private static final int LENGTH = EduRegisters.DMA_USABLE_SIZE;

  /** For what must happen. */
  private static final Duration LONG = Duration.ofSeconds(30);

  /**
   * How long nothing must happen. What takes longer than this to arrive is missed by a test of
   * absence, which passes then: never the other way round.
   */
  private static final Duration QUIET = Duration.ofMillis(100);

  private @Nullable Mmio mapped;

  /** For subclasses. */
  protected EduDeviceContract() {}

  /** Something to connect a vector to, and to see whether it was signalled. */
  public interface EventProbe extends AutoCloseable {
    /** An event that the backend under test accepts. */
    Event event();

    /**
     * Waits for a signal, and consumes it and those before it.
     *
     * @param limit how long at most
     * @return whether there was one
     */
    boolean await(Duration limit) throws Exception;

    @Override
    void close();
  }

  /** Makes an event for one test. */
  protected EventProbe newEvent() {
    return new FlagProbe(time());
  }

  /** The time of the device's bus. */
  protected TimeSource time() {
    return TimeSource.system();
  }

  /**
   * Called after a DMA access that the IOMMU must have refused: a subclass that can see its faults
   * checks that there is one.
   *
   * @param busAddress the first byte that was accessed
   * @param direction {@link DmaDirection#TO_DEVICE} for a read by the device, {@link
   *     DmaDirection#FROM_DEVICE} for a write
   */
  protected void refused(long busAddress, DmaDirection direction) {}

  @Test
  void isAnEduDevice() {
    assertThat(EduRegisters.isEdu(registers().read32(EduRegisters.IDENTIFICATION))).isTrue();
    registers().write32(EduRegisters.LIVENESS, 0x1234_5678);
    assertThat(registers().read32(EduRegisters.LIVENESS)).isEqualTo(~0x1234_5678);
  }

  // Interrupts

  @ParameterizedTest
  @EnumSource
  void anInterruptArrives(Kind kind) {
    Vector vector = enable(kind);

    for (int cause = 1; cause <= 8; cause <<= 1) {
      registers().write32(EduRegisters.INTERRUPT_RAISE, cause);
      assertThat(vector.await(LONG)).as("interrupt for cause %d", cause).isTrue();
      assertThat(registers().read32(EduRegisters.INTERRUPT_STATUS)).isEqualTo(cause);
      acknowledge(vector);
    }
    assertThat(vector.await(QUIET)).as("an interrupt without a cause").isFalse();
  }

  @ParameterizedTest
  @EnumSource
  void interruptsThatAreNotConsumedCoalesce(Kind kind) {
    Vector vector = enable(kind);
    for (int i = 0; i < 3; i++) {
      registers().write32(EduRegisters.INTERRUPT_RAISE, 1);
    }
    letArrive();

    assertThat(vector.await(LONG)).isTrue();
    assertThat(vector.poll()).as("a second one").isFalse();
    acknowledge(vector);
  }

  @ParameterizedTest
  @EnumSource
  void pollConsumes(Kind kind) {
    Vector vector = enable(kind);
    registers().write32(EduRegisters.INTERRUPT_RAISE, 1);

    assertThat(time().await(vector::poll, LONG, Duration.ofMillis(1))).isTrue();
    assertThat(vector.poll()).isFalse();
    acknowledge(vector);
  }

  @Test
  void aFiredLineIsMaskedUntilUnmasked() {
    Vector vector = enable(Kind.INTX);
    registers().write32(EduRegisters.INTERRUPT_RAISE, 1);
    assertThat(vector.await(LONG)).isTrue();
    registers().write32(EduRegisters.INTERRUPT_RAISE, 2);

    assertThat(vector.await(QUIET)).as("an interrupt while masked").isFalse();
    vector.mask(false);
    assertThat(vector.await(LONG)).as("the level is still there").isTrue();
    acknowledge(vector);
    assertThat(vector.await(QUIET)).as("the level is gone").isFalse();
  }

  @Test
  void aLineThatIsHighWhenEnabledFires() {
    registers().write32(EduRegisters.INTERRUPT_RAISE, 1);
    Vector vector = enable(Kind.INTX);

    assertThat(vector.await(LONG)).isTrue();
    acknowledge(vector);
  }

  @ParameterizedTest
  @EnumSource(names = {"INTX", "MSIX"})
  void whatArrivesWhileMaskedIsDeliveredWhenUnmasked(Kind kind) {
    Vector vector = enable(kind);
    vector.mask(true);
    registers().write32(EduRegisters.INTERRUPT_RAISE, 1);

    assertThat(vector.await(QUIET)).isFalse();
    vector.mask(false);
    assertThat(vector.await(LONG)).isTrue();
    acknowledge(vector);
  }

  @ParameterizedTest
  @EnumSource
  void aConnectedVectorSignalsItsEvent(Kind kind) throws Exception {
    Vector vector = enable(kind);
    try (EventProbe probe = newEvent()) {
      vector.connect(probe.event());
      for (int i = 0; i < 2; i++) {
        registers().write32(EduRegisters.INTERRUPT_RAISE, 1);
        assertThat(probe.await(LONG)).isTrue();
        acknowledge(vector);
      }

      assertThatIllegalStateException().isThrownBy(vector::poll);
      assertThatIllegalStateException().isThrownBy(() -> vector.await(Duration.ZERO));
      device().interrupts().disable();
      assertThat(probe.await(QUIET)).isFalse();
    }
  }

  @ParameterizedTest
  @EnumSource
  void aPendingInterruptSignalsAnEventThatIsConnectedLater(Kind kind) throws Exception {
    Vector vector = enable(kind);
    registers().write32(EduRegisters.INTERRUPT_RAISE, 1);
    letArrive();
    try (EventProbe probe = newEvent()) {
      vector.connect(probe.event());

      assertThat(probe.await(LONG)).isTrue();
      acknowledge(vector);
      device().interrupts().disable();
    }
  }

  @ParameterizedTest
  @EnumSource
  void nothingArrivesAfterDisableAndAllAfterEnablingAgain(Kind kind) {
    enable(kind);
    device().interrupts().disable();
    registers().write32(EduRegisters.INTERRUPT_RAISE, 1);
    letArrive();
    registers().write32(EduRegisters.INTERRUPT_ACKNOWLEDGE, -1);

    Vector again = enable(kind);
    assertThat(again.await(QUIET)).as("what was raised while disabled").isFalse();
    registers().write32(EduRegisters.INTERRUPT_RAISE, 2);
    assertThat(again.await(LONG)).isTrue();
    acknowledge(again);
  }

  // DMA

  @Test
  void dmaMovesExactlyTheBytes() {
    device().busMaster(true);
    try (DmaBuffer from = allocate(3 * PAGE, PAGE);
        DmaBuffer to = allocate(3 * PAGE, PAGE)) {
      Random random = new Random(7);
      int[][] parts = {
        {0, LENGTH}, {0, 1}, {1, 1}, {3, LENGTH - 3}, {PAGE - 1, 2}, {PAGE / 2, LENGTH}
      };
      for (int[] part : parts) {
        byte[] sent = new byte[3 * PAGE];
        random.nextBytes(sent);
        from.copyIn(0, sent);
        byte[] expected = new byte[3 * PAGE];
        Arrays.fill(expected, (byte) 0xee);
        to.copyIn(0, expected);
        System.arraycopy(sent, part[0], expected, part[0], part[1]);

        toDevice(from.busAddress() + part[0], part[1]);
        fromDevice(to.busAddress() + part[0], part[1]);

        assertThat(bytes(to)).as("%d bytes at %d", part[1], part[0]).isEqualTo(expected);
        assertThat(bytes(from)).as("the source").isEqualTo(sent);
      }
    }
  }

  @Test
  void dmaReachesMemoryOfTheCallers() {
    device().busMaster(true);
    try (Arena arena = Arena.ofShared()) {
      MemorySegment memory = arena.allocate(2 * PAGE, PAGE);
      DmaBuffer mapped = map(memory, DmaDirection.BIDIRECTIONAL);
      memory.asSlice(0, LENGTH).fill((byte) 0x31);
      toDevice(mapped.busAddress(), LENGTH);
      fromDevice(mapped.busAddress() + PAGE, LENGTH);
      mapped.close();

      assertThat(memory.asSlice(PAGE).mismatch(memory.asSlice(0, PAGE)))
          .as("first byte that differs")
          .isEqualTo(-1);
    }
  }

  @Test
  void dmaWithoutBusMasterReachesNothing() {
    device().busMaster(true);
    try (DmaBuffer secret = filled(0x11);
        DmaBuffer known = filled(0x22);
        DmaBuffer target = filled(0x33)) {
      toDevice(known.busAddress(), LENGTH);
      device().busMaster(false);
      fromDevice(target.busAddress(), LENGTH);
      assertThat(bytes(target)).as("written without bus master").containsOnly(0x33);

      toDevice(secret.busAddress(), LENGTH);
      device().busMaster(true);
      fromDevice(target.busAddress(), LENGTH);
      assertThat(bytes(target)).as("read without bus master").doesNotContain(0x11);
    }
  }

  @Test
  void dmaToAnAddressThatIsNotMappedDoesNotArrive() {
    assumeTrue(isConfined(), "no IOMMU confines this device");
    device().busMaster(true);
    try (DmaBuffer known = filled(0x22);
        DmaBuffer target = filled(0x33)) {
      DmaBuffer secret = filled(0x11);
      long unmapped = secret.busAddress();
      secret.close();
      toDevice(known.busAddress(), LENGTH);
      fromDevice(unmapped, LENGTH);
      refused(unmapped, DmaDirection.FROM_DEVICE);
      assertThat(bytes(target)).containsOnly(0x33);

      toDevice(unmapped, LENGTH);
      refused(unmapped, DmaDirection.TO_DEVICE);
      fromDevice(target.busAddress(), LENGTH);
      assertThat(bytes(target)).as("what was read there").doesNotContain(0x11);
    }
  }

  @Test
  void memoryOfTheCallersIsOutOfReachOnceTakenBack() {
    device().busMaster(true);
    try (Arena arena = Arena.ofShared();
        DmaBuffer known = filled(0x22)) {
      MemorySegment memory = arena.allocate(PAGE, PAGE);
      DmaBuffer buffer = map(memory, DmaDirection.BIDIRECTIONAL);
      long address = buffer.busAddress();
      toDevice(known.busAddress(), LENGTH);
      fromDevice(address, 16);
      assertThat(memory.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 0x22);
      buffer.close();
      memory.fill((byte) 0x66);
      fromDevice(address, LENGTH);
      refused(address, DmaDirection.FROM_DEVICE);

      assertThat(memory.toArray(ValueLayout.JAVA_BYTE)).containsOnly(0x66);
    }
  }

  @Test
  void dmaPastTheEndOfABufferDoesNotArrive() {
    assumeTrue(isConfined(), "no IOMMU confines this device");
    device().busMaster(true);
    try (DmaBuffer known = filled(0x22);
        DmaBuffer target = allocate(PAGE, 1 << 20)) {
      assumeTrue(known.busAddress() != target.busAddress() + PAGE, "they are adjacent");
      toDevice(known.busAddress(), LENGTH);
      fromDevice(target.busAddress() + PAGE - 16, LENGTH);
      refused(target.busAddress() + PAGE, DmaDirection.FROM_DEVICE);

      assertThat(bytes(known)).containsOnly(0x22);
      assertThat(Arrays.copyOf(bytes(target), PAGE - 16)).containsOnly(0);
    }
  }

  @Test
  void aDeviceCannotWriteWhatItMayOnlyRead() {
    device().busMaster(true);
    try (Arena arena = Arena.ofShared();
        DmaBuffer known = filled(0x22)) {
      MemorySegment memory = arena.allocate(PAGE, PAGE);
      memory.fill((byte) 0x44);
      DmaBuffer readOnly = map(memory, DmaDirection.TO_DEVICE);
      toDevice(known.busAddress(), LENGTH);
      fromDevice(readOnly.busAddress(), LENGTH);
      refused(readOnly.busAddress(), DmaDirection.FROM_DEVICE);
      assertThat(bytes(readOnly)).containsOnly(0x44);

      toDevice(readOnly.busAddress(), LENGTH);
      fromDevice(known.busAddress(), LENGTH);
      assertThat(Arrays.copyOf(bytes(known), LENGTH)).as("what was read there").containsOnly(0x44);
      readOnly.close();
    }
  }

  @Test
  void buffersStayReachableAfterAReset() {
    try (DmaBuffer from = filled(0x51);
        DmaBuffer to = filled(0)) {
      reset();
      device().busMaster(true);
      toDevice(from.busAddress(), LENGTH);
      fromDevice(to.busAddress(), LENGTH);

      assertThat(Arrays.copyOf(bytes(to), LENGTH)).containsOnly(0x51);
    }
  }

  private void reset() {
    try {
      device().reset();
    } catch (ResetUnavailableException e) {
      abort(e.getMessage());
    }
  }

  /** Mapped when first used: the tests of all devices count what is given out. */
  private Mmio registers() {
    Mmio registers = mapped;
    if (registers == null) {
      registers = device().bar(EduRegisters.BAR).orElseThrow().map(0, EduRegisters.BAR_SIZE);
      mapped = registers;
    }
    return registers;
  }

  private Vector enable(Kind kind) {
    assumeTrue(device().interrupts().count(kind) > 0, () -> "this device has no " + kind);
    // A message is a DMA write.
    device().busMaster(true);
    return device().interrupts().enable(kind, 1).getFirst();
  }

  private void acknowledge(Vector vector) {
    registers().write32(EduRegisters.INTERRUPT_ACKNOWLEDGE, -1);
    registers().readDiscard32(EduRegisters.INTERRUPT_STATUS);
    vector.mask(false);
  }

  /** What the device has sent is on its way: a read pushes it, and the kernel gets some time. */
  private void letArrive() {
    registers().readDiscard32(EduRegisters.INTERRUPT_STATUS);
    time().sleep(QUIET);
  }

  private DmaBuffer map(MemorySegment memory, DmaDirection direction) {
    device().dma().limitTo(Long.bitCount(EduRegisters.DMA_MASK));
    try {
      return device().dma().map(memory, direction);
    } catch (DmaException e) {
      abort(e.getMessage());
      throw e;
    }
  }

  private DmaBuffer allocate(long size, long alignment) {
    device().dma().limitTo(Long.bitCount(EduRegisters.DMA_MASK));
    return device().dma().allocate(size, alignment);
  }

  private DmaBuffer filled(int value) {
    DmaBuffer buffer = allocate(LENGTH, PAGE);
    buffer.segment().fill((byte) value);
    return buffer;
  }

  private void toDevice(long busAddress, int length) {
    transfer(busAddress, EduRegisters.DMA_BUFFER, length, 0);
  }

  private void fromDevice(long busAddress, int length) {
    transfer(EduRegisters.DMA_BUFFER, busAddress, length, EduRegisters.DMA_TO_MEMORY);
  }

  private void transfer(long source, long destination, int length, int direction) {
    registers().write64(EduRegisters.DMA_SOURCE, source);
    registers().write64(EduRegisters.DMA_DESTINATION, destination);
    registers().write64(EduRegisters.DMA_COUNT, length);
    registers().write64(EduRegisters.DMA_COMMAND, EduRegisters.DMA_RUN | direction);
    assertThat(
            time()
                .await(
                    () ->
                        (registers().read64(EduRegisters.DMA_COMMAND) & EduRegisters.DMA_RUN) == 0,
                    LONG,
                    Duration.ofMillis(1)))
        .as("the transfer ends")
        .isTrue();
  }

  private static byte[] bytes(DmaBuffer buffer) {
    byte[] bytes = new byte[Math.toIntExact(buffer.size())];
    buffer.copyOut(0, bytes);
    return bytes;
  }
}
