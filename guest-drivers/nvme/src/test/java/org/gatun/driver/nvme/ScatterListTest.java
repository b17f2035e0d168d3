package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.SimulatedBus;
import org.gatun.testkit.DeviceRoute;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Transfers to and from several pieces of memory, and of prepared buffers. */
class ScatterListTest {
  private static final int PAGE = 4096;
  private static final int MAX_TRANSFER = 8 << 20;
  private static final int SIZE = 16 << 20;

  private final SimulatedBus bus = DeviceRoute.newBus();
  private final PciDevice device =
      DeviceRoute.chosenInStep(
          bus.open(
              bus.plug("nvme", NvmeModel.builder().size(SIZE).maxTransfer(MAX_TRANSFER).build())));
  private final NvmeController controller =
      NvmeController.open(
          device,
          NvmeOptions.defaults()
              .withTime(bus.time())
              .withQueueDepth(4)
              .withMaxTransferBytes(MAX_TRANSFER));
  private final NvmeNamespace namespace = controller.namespace(1);
  private final NvmeDisk disk = controller.openDisk(1);
  private final NvmeQueuePair queue = controller.createQueuePair();
  private final DmaBuffer buffer = device.dma().allocate(SIZE, PAGE);
  private final long seed = new Random().nextLong();
  private final Random random = new Random(seed);

  @AfterEach
  void closeAll() {
    queue.close();
    disk.close();
    buffer.close();
    controller.close();
    PciDevice.Usage left = device.usage();
    device.close();
    bus.close();
    assertThat(left).isEqualTo(PciDevice.Usage.NONE);
  }

  @RepeatedTest(20)
  void gathersWhatItWritesAndScattersWhatItReads() {
    byte[] content = new byte[SIZE];
    random.nextBytes(content);
    buffer.copyIn(0, content);
    ScatterList data = new ScatterList(64);
    gatherAndScatter(data, wholePages(data));
  }

  /** With SGLs: the simulated controller has them. */
  @RepeatedTest(20)
  void piecesMayBeOfAnyLength() {
    byte[] content = new byte[SIZE];
    random.nextBytes(content);
    buffer.copyIn(0, content);
    ScatterList data = new ScatterList(queue.maxPieces());
    gatherAndScatter(data, anyPieces(data));
  }

  private void gatherAndScatter(ScatterList data, List<MemorySegment> pieces) {
    byte[] expected = bytes(pieces);

    run(data, true);
    byte[] written = new byte[expected.length];
    disk.read(512, written);
    assertThat(written).as("seed %d", seed).isEqualTo(expected);

    random.nextBytes(expected);
    disk.write(512, expected);
    run(data, false);
    assertThat(bytes(pieces)).as("seed %d", seed).isEqualTo(expected);
  }

  /** One to 64 pieces, of which inner ends are at pages; not overlapping, in any order. */
  private List<MemorySegment> wholePages(ScatterList data) {
    int count = 1 + random.nextInt(64);
    long slot = SIZE / 64;
    List<MemorySegment> pieces = new ArrayList<>();
    long total = 0;
    for (int i = 0; i < count; i++) {
      long start = slot * i;
      long end = start + PAGE * (1L + random.nextInt(28));
      if (i == 0) {
        start += 4L * random.nextInt(PAGE / 4);
      }
      if (i == count - 1) {
        // What makes it whole blocks.
        end += (512 - (total + end - start) % 512) % 512;
      }
      data.add(buffer, start, end - start);
      pieces.add(buffer.segment().asSlice(start, end - start));
      total += end - start;
    }
    return pieces;
  }

  /** As many as there may be, of 4 bytes to 6 KiB, apart, backwards. */
  private List<MemorySegment> anyPieces(ScatterList data) {
    int count = 2 + random.nextInt(queue.maxPieces() - 1);
    List<MemorySegment> pieces = new ArrayList<>();
    long end = SIZE;
    for (int i = 0; i < count; i++) {
      long length =
          i < count - 1 ? 4L * (1 + random.nextInt(1536)) : 512 + (512 - data.length() % 512) % 512;
      long start = end - length - 4L * random.nextInt(3);
      data.add(buffer, start, length);
      pieces.add(buffer.segment().asSlice(start, length));
      end = start;
    }
    return pieces;
  }

  private static byte[] bytes(List<MemorySegment> pieces) {
    byte[] all = new byte[(int) pieces.stream().mapToLong(MemorySegment::byteSize).sum()];
    int at = 0;
    for (MemorySegment piece : pieces) {
      MemorySegment.copy(piece, 0, MemorySegment.ofArray(all), at, piece.byteSize());
      at += (int) piece.byteSize();
    }
    return all;
  }

  @ParameterizedTest
  @CsvSource({
    // first page of the transfer, pages: where the list's pages end, the transfer does, or goes on
    "0, 1",
    "0, 2",
    "0, 3",
    "0, 511",
    "0, 512",
    "0, 513",
    "0, 514",
    "1, 511",
    "1, 512",
    "509, 2",
    "509, 3",
    "510, 2",
    "510, 3",
    "510, 512",
    "510, 513",
    "510, 514",
    "511, 3",
    "0, 1022",
    "0, 1023",
    "0, 1024",
    "1, 1022",
    "1021, 1024",
    "1022, 1023"
  })
  void aPreparedBufferHasTheEntriesOfEachTransfer(int first, int pages) {
    byte[] content = new byte[SIZE];
    random.nextBytes(content);
    buffer.copyIn(0, content);
    try (PreparedBuffer prepared = controller.prepare(buffer)) {
      for (long offset : new long[] {(long) first * PAGE, (long) first * PAGE + 2048}) {
        int length = pages * PAGE - (offset % PAGE == 0 ? 0 : 2048);
        int[] status = {-1};
        assertThat(
                queue.submitWrite(
                    namespace, 8, length / 512, prepared, offset, (_, s) -> status[0] = s, 0))
            .isTrue();
        drain();
        assertThat(status[0]).isZero();
        byte[] written = new byte[length];
        disk.read(8 * 512, written);
        assertThat(MemorySegment.ofArray(written).mismatch(slice(offset, length))).isEqualTo(-1);

        random.nextBytes(written);
        disk.write(8 * 512, written);
        queue.submitRead(namespace, 8, length / 512, prepared, offset, (_, s) -> status[0] = s, 0);
        drain();
        assertThat(MemorySegment.ofArray(written).mismatch(slice(offset, length))).isEqualTo(-1);
      }
    }
  }

  @Test
  void aPreparedBufferIsNotLeft() {
    PreparedBuffer prepared = controller.prepare(buffer);
    assertThatExceptionOfType(IndexOutOfBoundsException.class)
        .isThrownBy(() -> queue.submitRead(namespace, 0, 2, prepared, SIZE - 512, (_, _) -> {}, 0));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> queue.submitWrite(namespace, 0, 1, prepared, 2, (_, _) -> {}, 0));
    prepared.close();
    prepared.close();
    assertThat(prepared.buffer()).isSameAs(buffer);
  }

  @Test
  void refusesPiecesThatBreakTheRules() {
    ScatterList data = new ScatterList(1);
    assertThatIllegalArgumentException().isThrownBy(() -> data.add(buffer, 2, 4));
    assertThatIllegalArgumentException().isThrownBy(() -> data.add(buffer, 0, 6));
    assertThatIllegalArgumentException().isThrownBy(() -> data.add(buffer, 0, 0));
    assertThatExceptionOfType(IndexOutOfBoundsException.class)
        .isThrownBy(() -> data.add(buffer, SIZE - 4, 8));
    assertThatExceptionOfType(IndexOutOfBoundsException.class)
        .isThrownBy(() -> data.add(buffer, -4, 8));
    assertThat(data.length()).isZero();
    data.add(buffer, 0, 1024);
    assertThatIllegalStateException().isThrownBy(() -> data.add(buffer, 0, 4));
    data.clear();
    assertThat(data.add(buffer, 0, 4).length()).isEqualTo(4);
    assertThatIllegalArgumentException().isThrownBy(() -> new ScatterList(0));
  }

  @Test
  void refusesMorePiecesThanACommandHas() {
    ScatterList data = new ScatterList(2048);
    while (data.count() <= queue.maxPieces()) {
      data.add(buffer, 4, 512);
    }
    assertThatExceptionOfType(PciException.class)
        .isThrownBy(() -> queue.submitRead(namespace, 0, data, (_, _) -> {}, 0))
        .withMessageContaining("are more than the " + queue.maxPieces() + " of one command");
    try (Rig bare = new Rig();
        NvmeController without = bare.open();
        NvmeQueuePair pair = without.createQueuePair();
        DmaBuffer memory = bare.allocate(8192)) {
      ScatterList two = new ScatterList(2).add(memory, 4, 512).add(memory, 1024, 512);
      assertThat(pair.maxPieces()).isZero();
      assertThatExceptionOfType(PciException.class)
          .isThrownBy(() -> pair.submitWrite(without.namespace(1), 0, two, (_, _) -> {}, 0))
          .withMessageContaining("does not have SGLs");
      assertThat(pair.inFlight()).isZero();
    }
  }

  @Test
  void refusesListsThatAreNoTransfer() {
    ScatterList data = new ScatterList(4);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> queue.submitRead(namespace, 0, data, (_, _) -> {}, 0))
        .withMessage(
            "a transfer of namespace 1: 32768 blocks of 512 bytes has 1 to 16384 blocks,"
                + " not 0 bytes");
    data.add(buffer, 0, 516);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> queue.submitRead(namespace, 0, data, (_, _) -> {}, 0));
    data.clear();
    data.add(buffer, 0, MAX_TRANSFER).add(buffer, 0, 512);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> queue.submitWrite(namespace, 0, data, (_, _) -> {}, 0));
    assertThat(queue.inFlight()).isZero();
  }

  private MemorySegment slice(long offset, long length) {
    return buffer.segment().asSlice(offset, length);
  }

  private void run(ScatterList data, boolean write) {
    int[] status = {-1};
    boolean accepted =
        write
            ? queue.submitWrite(namespace, 1, data, (_, s) -> status[0] = s, 0)
            : queue.submitRead(namespace, 1, data, (_, s) -> status[0] = s, 0);
    assertThat(accepted).isTrue();
    drain();
    assertThat(status[0]).as("seed %d", seed).isZero();
  }

  private void drain() {
    queue.ring();
    while (queue.inFlight() > 0) {
      queue.await(Duration.ofSeconds(1));
    }
  }
}
