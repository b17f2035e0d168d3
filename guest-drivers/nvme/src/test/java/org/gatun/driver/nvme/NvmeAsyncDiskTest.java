package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.gatun.pci.DmaBuffer;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeStatus;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Requests that tell by futures when they are done. */
class NvmeAsyncDiskTest {
  private static final int MAX_TRANSFER = 128 << 10;

  private final Rig rig = new Rig();
  private final MemorySegment media = rig.model.addNamespace(1, 16384, 9, 0);
  private final NvmeController controller = rig.open();
  private final NvmeAsyncDisk disk = controller.openAsyncDisk(1);
  private final DmaBuffer buffer = rig.allocate(4 << 20);

  @AfterEach
  void closeAll() {
    try {
      disk.close();
      controller.close();
    } finally {
      buffer.close();
      rig.close();
    }
  }

  @Test
  void movesRequestsThatAreLongerThanTheQueue() {
    byte[] content = new byte[2 << 20];
    new Random(1).nextBytes(content);
    buffer.copyIn(0, content);
    CompletableFuture<Void> write = disk.write(512, buffer, 0, content.length);
    finish(write);
    assertThat(media.asSlice(512, content.length).mismatch(MemorySegment.ofArray(content)))
        .isEqualTo(-1);
    finish(disk.read(512, buffer, 2 << 20, content.length));
    assertThat(
            buffer
                .segment()
                .asSlice(2 << 20, content.length)
                .mismatch(MemorySegment.ofArray(content)))
        .isEqualTo(-1);
    finish(disk.flush());
  }

  @Test
  void eachIsDoneWhenItsOwnCommandsAre() {
    List<ScriptedNvme.Command> held = new ArrayList<>();
    rig.model.script =
        command -> {
          if (command.isIo()) {
            held.add(command);
          } else {
            command.execute();
          }
        };
    CompletableFuture<Void> longer = disk.read(0, buffer, 0, 2 * MAX_TRANSFER);
    CompletableFuture<Void> shorter = disk.write(4 << 20, buffer, 0, 512);
    assertThat(held)
        .extracting(command -> command.opcode)
        .containsExactly(NvmOpcode.READ, NvmOpcode.READ, NvmOpcode.WRITE);
    held.get(2).execute();
    held.get(1).execute();
    disk.poll();
    assertThat(shorter).isCompleted();
    assertThat(longer).isNotDone();
    assertThat(disk.inFlight()).isEqualTo(1);
    held.get(0).execute();
    assertThat(disk.await(Duration.ofMillis(1))).isEqualTo(1);
    assertThat(longer).isCompleted();
  }

  @Test
  void failsWithTheLowestAddressWhenAllIsComplete() {
    rig.model.script =
        command -> {
          if (command.isIo() && command.slba >= 256) {
            command.complete(NvmeStatus.WRITE_FAULT);
          } else {
            command.execute();
          }
        };
    CompletableFuture<Void> write = disk.write(0, buffer, 0, 4 * MAX_TRANSFER);
    assertThatExceptionOfType(CompletionException.class)
        .isThrownBy(() -> finish(write))
        .havingCause()
        .isInstanceOfSatisfying(
            NvmeStatusException.class,
            e -> {
              assertThat(e.status()).contains(NvmeStatus.WRITE_FAULT);
              assertThat(e.lba()).isEqualTo(256);
            });
    assertThat(disk.inFlight()).isZero();
  }

  @Test
  void closingFailsWhatIsInFlight() {
    rig.model.script =
        command -> {
          if (command.isAdmin()) {
            command.execute();
          }
        };
    CompletableFuture<Void> read = disk.read(0, buffer, 0, 512);
    disk.close();
    assertThat(read).isCompletedExceptionally();
  }

  @Test
  void nothingIsDoneAtOnce() {
    assertThat(disk.read(0, buffer, 0, 0)).isCompleted();
    assertThat(disk.write(16384 * 512, buffer, 0, 0)).isCompleted();
  }

  @Test
  void refusesWhatIsNotInside() {
    assertThatIllegalArgumentException().isThrownBy(() -> disk.read(1, buffer, 0, 512));
    assertThatIllegalArgumentException().isThrownBy(() -> disk.read(0, buffer, 0, 511));
    assertThatIllegalArgumentException().isThrownBy(() -> disk.read(16384 * 512, buffer, 0, 512));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> disk.write(0, buffer, 2, 512))
        .withMessageContaining("which must be a multiple of 4");
    assertThatIllegalArgumentException().isThrownBy(() -> disk.write(0, buffer, 4 << 20, 512));
    assertThat(disk.inFlight()).isZero();
  }

  private void finish(CompletableFuture<Void> future) {
    while (!future.isDone()) {
      disk.await(Duration.ofSeconds(1));
    }
    future.join();
  }
}
