package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.gatun.pci.DmaBuffer;
import org.gatun.simulated.RawNvme.Queue;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.IdentifyNamespace;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SubmissionEntry;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Format NVM (Base 5.14): blocks of 512 and 4096 bytes, and what is in progress meanwhile. */
@NullMarked
class NvmeFormatTest {
  private static final int PAGE = 4096;
  private static final int SIZE = 1 << 20;
  private static final int FORMAT_512 = format(0);
  private static final int FORMAT_4096 = format(1);

  private final SimulatedBus bus = SimulatedBus.virtualTime();

  @AfterEach
  void close() {
    bus.close();
  }

  private static int format(int index) {
    return AdminCommand.formatDword10(index, AdminCommand.SECURE_ERASE_NONE);
  }

  private RawNvme start(Consumer<NvmeModel.Builder> options) {
    NvmeModel.Builder builder = NvmeModel.builder().size(SIZE).maxTransfer(128 << 10);
    options.accept(builder);
    RawNvme nvme = new RawNvme(bus.open(bus.plug("nvme", builder.build())));
    nvme.enable();
    return nvme;
  }

  @ParameterizedTest
  @CsvSource({"512, 0", "4096, 1"})
  void beginsWithTheFormatOfTheModel(int blockSize, int index) {
    RawNvme nvme = start(b -> b.blockSize(blockSize));
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);

    IdentifyNamespace namespace = nvme.identifyNamespace(1, data);

    assertThat(namespace.lbaFormats()).isEqualTo(2);
    assertThat(namespace.lbaFormat(0).blockSize()).isEqualTo(512);
    assertThat(namespace.lbaFormat(1).blockSize()).isEqualTo(4096);
    assertThat(namespace.formatIndex()).isEqualTo(index);
    assertThat(namespace.size()).isEqualTo(SIZE / blockSize);
  }

  /** After one format, and after another back, each with another way to erase. */
  @ParameterizedTest
  @ValueSource(ints = {AdminCommand.SECURE_ERASE_NONE, AdminCommand.SECURE_ERASE_USER_DATA})
  void changesTheBlocksAndForgetsTheData(int secureErase) {
    RawNvme nvme = start(b -> {});
    Queue queue = nvme.createQueue(1);
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    data.putLong(0, 42);
    assertThat(queue.io(NvmOpcode.WRITE, 0, 1, data.busAddress(), 0).status()).isZero();

    assertThat(nvme.format(1, AdminCommand.formatDword10(1, secureErase))).isZero();

    IdentifyNamespace namespace = nvme.identifyNamespace(1, data);
    assertThat(namespace.formattedLbaFormat().blockSize()).isEqualTo(4096);
    assertThat(namespace.size()).isEqualTo(SIZE / 4096);
    assertThat(namespace.capacity()).isEqualTo(SIZE / 4096);
    assertThat(queue.io(NvmOpcode.READ, 0, 1, data.busAddress(), 0).status()).isZero();
    byte[] read = new byte[PAGE];
    data.copyOut(0, read);
    assertThat(read).containsOnly(0);
    data.putLong(4088, 43);
    assertThat(queue.io(NvmOpcode.WRITE, 255, 1, data.busAddress(), 0).status()).isZero();
    data.putLong(4088, 0);
    assertThat(queue.io(NvmOpcode.READ, 255, 1, data.busAddress(), 0).status()).isZero();
    assertThat(data.getLongAcquire(4088)).isEqualTo(43);
    assertThat(queue.io(NvmOpcode.READ, 256, 1, data.busAddress(), 0).code())
        .isEqualTo(NvmeStatus.LBA_OUT_OF_RANGE.status());

    assertThat(nvme.format(1, AdminCommand.formatDword10(0, secureErase))).isZero();
    assertThat(queue.io(NvmOpcode.READ, 2047, 1, data.busAddress(), 0).status()).isZero();
    assertThat(data.getLongAcquire(504)).isZero();
  }

  /** MDTS counts bytes, in pages of the controller, not blocks. */
  @Test
  void theLongestTransferStaysThatLong() {
    RawNvme nvme = start(b -> {});
    Queue queue = nvme.createQueue(1);
    assertThat(nvme.format(1, FORMAT_4096)).isZero();
    int pages = 32;
    DmaBuffer data = nvme.device.dma().allocate((pages + 1L) * PAGE, PAGE);
    DmaBuffer list = nvme.device.dma().allocate(PAGE, PAGE);
    for (int page = 0; page < pages; page++) {
      data.putLong((long) page * PAGE, page + 1);
      list.putLong(page * 8L, data.busAddress() + (page + 1L) * PAGE);
    }

    assertThat(queue.io(NvmOpcode.WRITE, 7, pages, data.busAddress(), list.busAddress()).status())
        .isZero();
    for (int page = 0; page < pages; page++) {
      assertThat(queue.io(NvmOpcode.READ, 7 + page, 1, data.busAddress(), 0).status()).isZero();
      assertThat(data.getLongAcquire(0)).isEqualTo(page + 1);
    }
    assertThat(queue.io(NvmOpcode.WRITE, 7, pages + 1, data.busAddress(), list.busAddress()).code())
        .isEqualTo(NvmeStatus.INVALID_FIELD_IN_COMMAND.status());
  }

  @Test
  void formatsOneNamespaceOrAll() {
    RawNvme nvme = start(b -> b.namespaces(2));
    Queue queue = nvme.createQueue(1);
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    data.putLong(0, 42);
    assertThat(queue.io(NvmOpcode.WRITE, 1, 0, 1, data.busAddress(), 0).status()).isZero();

    assertThat(nvme.format(2, FORMAT_4096)).isZero();

    assertThat(nvme.identifyNamespace(1, data).formatIndex()).isZero();
    assertThat(nvme.identifyNamespace(2, data).formatIndex()).isEqualTo(1);
    assertThat(queue.io(NvmOpcode.READ, 1, 0, 1, data.busAddress(), 0).status()).isZero();
    assertThat(data.getLongAcquire(0)).isEqualTo(42);

    assertThat(nvme.format(SubmissionEntry.NSID_ALL, FORMAT_4096)).isZero();

    assertThat(nvme.identifyNamespace(1, data).formatIndex()).isEqualTo(1);
    assertThat(queue.io(NvmOpcode.READ, 1, 0, 1, data.busAddress(), 0).status()).isZero();
    assertThat(data.getLongAcquire(0)).isZero();
  }

  @Test
  void refusesWhatItCanNotDo() {
    RawNvme nvme = start(b -> b.namespaces(2));
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    int invalidFormat = NvmeStatus.INVALID_FORMAT.status();

    for (int index : new int[] {2, 15, 16, 63}) {
      assertThat(nvme.format(1, format(index))).isEqualTo(invalidFormat);
    }
    for (int protection = 1; protection < 8; protection++) {
      assertThat(nvme.format(1, FORMAT_4096 | protection << 5)).isEqualTo(invalidFormat);
    }
    for (int secureErase = AdminCommand.SECURE_ERASE_CRYPTO; secureErase < 8; secureErase++) {
      assertThat(nvme.format(1, AdminCommand.formatDword10(1, secureErase)))
          .isEqualTo(NvmeStatus.INVALID_FIELD_IN_COMMAND.status());
    }
    for (int nsid : new int[] {0, 3, SubmissionEntry.NSID_ALL - 1}) {
      assertThat(nvme.format(nsid, FORMAT_4096))
          .isEqualTo(NvmeStatus.INVALID_NAMESPACE_OR_FORMAT.status());
    }
    assertThat(nvme.identifyNamespace(1, data).formatIndex()).isZero();
  }

  @Test
  void aNamespaceHasOneBlockAtLeast() {
    RawNvme nvme = start(b -> b.size(3584));
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    assertThat(nvme.identifyNamespace(1, data).lbaFormats()).isEqualTo(1);
    assertThat(nvme.format(1, FORMAT_4096)).isEqualTo(NvmeStatus.INVALID_FORMAT.status());
  }

  @Test
  void whatDoesNotFillABlockIsNotThere() {
    RawNvme nvme = start(b -> b.size(3 * 4096 - 512));
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    assertThat(nvme.format(1, FORMAT_4096)).isZero();
    assertThat(nvme.identifyNamespace(1, data).size()).isEqualTo(2);
  }

  @Test
  void outlastsAReset() {
    RawNvme nvme = start(b -> {});
    assertThat(nvme.format(1, FORMAT_4096)).isZero();
    nvme.device.reset();
    RawNvme again = new RawNvme(nvme.device);
    again.enable();
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    assertThat(again.identifyNamespace(1, data).formatIndex()).isEqualTo(1);
  }

  /** The specification lets a controller refuse it, and this one does. */
  @Test
  void commandsInProgressKeepAFormatFromBeingBegun() {
    RawNvme nvme = start(b -> b.namespaces(2).latency(Duration.ofMillis(1)));
    Queue queue = nvme.createQueue(1);
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    data.putLong(0, 42);
    queue.put(NvmOpcode.WRITE, 1, data.busAddress(), 0, 3, 0, 0);
    queue.ring();
    int inUse = NvmeStatus.COMMAND_SEQUENCE_ERROR.status();

    assertThat(nvme.format(1, FORMAT_4096)).isEqualTo(inUse);
    assertThat(nvme.format(SubmissionEntry.NSID_ALL, FORMAT_4096)).isEqualTo(inUse);
    assertThat(nvme.format(2, FORMAT_4096)).as("of the other").isZero();

    bus.time().sleep(Duration.ofMillis(1));
    assertThat(queue.take().status()).isZero();
    queue.put(NvmOpcode.FLUSH, SubmissionEntry.NSID_ALL, 0, 0, 0, 0, 0);
    queue.ring();
    assertThat(nvme.format(2, FORMAT_512)).as("all are being flushed").isEqualTo(inUse);
    bus.time().sleep(Duration.ofMillis(1));
    assertThat(queue.take().status()).isZero();
    assertThat(nvme.format(1, FORMAT_4096)).isZero();
  }

  @Test
  void commandsThatComeMeanwhileAreRefused() {
    Duration time = Duration.ofSeconds(2);
    RawNvme nvme = start(b -> b.namespaces(2).formatTime(time));
    Queue queue = nvme.createQueue(1);
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    int inProgress = NvmeStatus.FORMAT_IN_PROGRESS.status();
    int format = nvme.admin.put(AdminOpcode.FORMAT_NVM, 1, 0, 0, FORMAT_4096, 0, 0);
    nvme.admin.ring();
    assertThat(nvme.admin.hasCompletion()).isFalse();

    assertThat(queue.io(NvmOpcode.READ, 1, 0, 1, data.busAddress(), 0).code())
        .isEqualTo(inProgress);
    assertThat(queue.run(NvmOpcode.FLUSH, 1, 0, 0, 0, 0, 0).code()).isEqualTo(inProgress);
    assertThat(queue.io(NvmOpcode.READ, 2, 0, 1, data.busAddress(), 0).status()).isZero();
    assertThat(nvme.format(1, FORMAT_512)).isEqualTo(inProgress);
    assertThat(nvme.format(SubmissionEntry.NSID_ALL, FORMAT_512)).isEqualTo(inProgress);
    int sanitize = AdminCommand.sanitizeDword10(AdminCommand.SANITIZE_OVERWRITE);
    assertThat(nvme.admin.run(AdminOpcode.SANITIZE, 0, 0, 0, sanitize, 0, 0).code())
        .isEqualTo(inProgress);

    bus.time().sleep(time.minusNanos(1));
    assertThat(nvme.admin.hasCompletion()).isFalse();
    bus.time().sleep(Duration.ofNanos(1));
    assertThat(nvme.admin.take().id()).isEqualTo(format);
    assertThat(queue.io(NvmOpcode.READ, 1, 255, 1, data.busAddress(), 0).status()).isZero();
  }

  @Test
  void aFormatThatWasBegunGoesOnAfterAReset() {
    RawNvme nvme = start(b -> b.formatTime(Duration.ofSeconds(2)));
    nvme.admin.put(AdminOpcode.FORMAT_NVM, 1, 0, 0, FORMAT_4096, 0, 0);
    nvme.admin.ring();
    bus.time().sleep(Duration.ofSeconds(1));

    nvme.configure(0);
    RawNvme again = new RawNvme(nvme.device);
    again.enable();
    Queue queue = again.createQueue(1);
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    assertThat(queue.io(NvmOpcode.READ, 0, 1, data.busAddress(), 0).code())
        .isEqualTo(NvmeStatus.FORMAT_IN_PROGRESS.status());

    bus.time().sleep(Duration.ofSeconds(1));
    assertThat(again.admin.hasCompletion()).as("of the command before the reset").isFalse();
    assertThat(again.identifyNamespace(1, data).formatIndex()).isEqualTo(1);
    assertThat(queue.io(NvmOpcode.READ, 255, 1, data.busAddress(), 0).status()).isZero();
  }

  /** Blocks of a file are in no format of their own. */
  @Test
  void aFileKeepsTheDataOnly(@TempDir Path folder) throws IOException {
    Path file = Files.write(folder.resolve("disk.img"), new byte[SIZE]);
    RawNvme nvme = start(b -> b.file(file));
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    assertThat(nvme.format(1, FORMAT_4096)).isZero();
    data.putLong(0, 42);
    assertThat(nvme.createQueue(1).io(NvmOpcode.WRITE, 1, 1, data.busAddress(), 0).status())
        .isZero();
    nvme.device.close();
    bus.unplug(nvme.device.name());

    RawNvme again = start(b -> b.file(file));
    DmaBuffer read = again.device.dma().allocate(PAGE, PAGE);
    assertThat(again.identifyNamespace(1, read).formatIndex()).isZero();
    assertThat(again.createQueue(1).io(NvmOpcode.READ, 8, 1, read.busAddress(), 0).status())
        .isZero();
    assertThat(read.getLongAcquire(0)).isEqualTo(42);
  }

  /** Two threads: a write is complete before the blocks are erased, or it is refused. */
  @Test
  void noWriteOutlastsAFormatBesideIt() throws Exception {
    Duration time = Duration.ofSeconds(1); // which passes only when it is told to
    RawNvme nvme = start(b -> b.formatTime(time));
    Queue writes = nvme.createQueue(1);
    Queue reads = nvme.createQueue(2);
    DmaBuffer source = nvme.device.dma().allocate(PAGE, PAGE);
    source.putLong(0, 42);
    DmaBuffer target = nvme.device.dma().allocate(PAGE, PAGE);
    for (int round = 0; round < 200; round++) {
      CountDownLatch writing = new CountDownLatch(100);
      CompletableFuture<Integer> refused =
          CompletableFuture.supplyAsync(
              () -> {
                int code;
                do {
                  code = writes.io(NvmOpcode.WRITE, 0, 1, source.busAddress(), 0).code();
                  writing.countDown();
                } while (code == 0);
                return code;
              });
      writing.await();
      nvme.admin.put(AdminOpcode.FORMAT_NVM, 1, 0, 0, FORMAT_512, 0, 0);
      nvme.admin.ring();
      assertThat(refused.get(1, TimeUnit.MINUTES))
          .isEqualTo(NvmeStatus.FORMAT_IN_PROGRESS.status());
      bus.time().sleep(time);
      assertThat(nvme.admin.take().status()).isZero();

      assertThat(reads.io(NvmOpcode.READ, 0, 1, target.busAddress(), 0).status()).isZero();
      assertThat(target.getLongAcquire(0)).as("round %d", round).isZero();
    }
  }
}
