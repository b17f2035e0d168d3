package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.gatun.driver.nvme.ScriptedNvme.Command;
import org.gatun.driver.nvme.ScriptedNvme.Script;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciException;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.testkit.DeviceRoute;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Commands and completions, right and wrong, against a scripted controller. */
class NvmeQueuePairTest {
  private final Rig rig = new Rig();
  private final MemorySegment media = rig.model.addNamespace(1, 16384, 9, 0);
  private final NvmeController controller = rig.open();
  private final NvmeNamespace namespace = controller.namespace(1);
  private final NvmeQueuePair queue = controller.createQueuePair();
  private final DmaBuffer buffer = rig.allocate(1 << 20);
  private final List<String> done = new ArrayList<>();
  private final List<Command> held = new ArrayList<>();

  @AfterEach
  void closeAll() {
    buffer.close();
    try {
      controller.close();
    } finally {
      rig.close();
    }
  }

  @Test
  void writesTheCommandBeforeTheDoorbell() {
    List<String> seen = new ArrayList<>();
    // The script runs inside of the doorbell's write, and sees what is in memory then.
    script(
        command -> {
          seen.add(
              "%02x, PRP1 %x, LBA %d, dword 12 %x"
                  .formatted(command.opcode, command.prp1, command.slba, command.dword12));
          assertThat(command.namespaceId).isEqualTo(1);
          assertThat(command.prp2).isEqualTo(command.opcode == NvmOpcode.WRITE ? page(1) : 0);
          for (int reserved : new int[] {2, 3, 4, 5, 13, 14, 15}) {
            assertThat(command.dwords[reserved]).isZero();
          }
          command.execute();
        });
    queue.submitRead(namespace, 7, 1, buffer, 0, this::note, 1);
    queue.submitWrite(namespace, 1L << 32, 8, buffer, 4, this::note, 2);
    queue.submitFlush(namespace, this::note, 3);
    queue.submitWriteZeroes(namespace, 5, 65536, this::note, 4);
    assertThat(seen).isEmpty();
    queue.ring();
    assertThat(seen)
        .containsExactly(
            "02, PRP1 %x, LBA 7, dword 12 0".formatted(page(0)),
            "01, PRP1 %x, LBA 4294967296, dword 12 7".formatted(page(0) + 4),
            "00, PRP1 0, LBA 0, dword 12 0",
            "08, PRP1 0, LBA 5, dword 12 ffff");
    rig.drain(queue);
    assertThat(done).containsExactly("1: 0", "2: 4080", "3: 0", "4: 0");
  }

  @Test
  void ringsOnceForManyAndNotForNone() {
    int[] commands = {0};
    script(
        command -> {
          commands[0]++;
          command.execute();
        });
    queue.ring();
    for (int i = 0; i < 8; i++) {
      assertThat(queue.submitFlush(namespace, this::note, i)).isTrue();
    }
    assertThat(commands[0]).isZero();
    queue.ring();
    assertThat(commands[0]).isEqualTo(8);
    queue.ring();
    assertThat(commands[0]).isEqualTo(8);
    assertThat(queue.poll()).isEqualTo(8);
    assertThat(queue.poll()).isZero();
    assertThat(queue.inFlight()).isZero();
  }

  @Test
  void deallocatesARange() {
    List<String> seen = new ArrayList<>();
    script(
        command -> {
          seen.add(
              "%02x, %d ranges, dword 11 %x"
                  .formatted(command.opcode, command.dword10 + 1, command.dword11));
          command.complete(0);
        });
    assertThat(queue.submitDeallocate(namespace, 9, 0xffff_ffffL, this::note, 0)).isTrue();
    rig.drain(queue);
    assertThat(seen).containsExactly("09, 1 ranges, dword 11 4");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> queue.submitDeallocate(namespace, 0, 1L << 32, this::note, 0));
  }

  @Test
  void movesTheDataOfEachTransfer() {
    for (long i = 0; i < media.byteSize(); i += 8) {
      media.set(ValueLayout.JAVA_LONG, i, i);
    }
    queue.submitRead(namespace, 100, 256, buffer, 4 * 3, this::note, 0);
    rig.drain(queue);
    assertThat(done).containsExactly("0: 0");
    assertThat(buffer.segment().asSlice(12, 256 * 512).mismatch(media.asSlice(51200, 256 * 512)))
        .isEqualTo(-1);
    assertThat(buffer.getLongAcquire(256 * 512 + 16)).isZero();
    queue.submitWrite(namespace, 0, 256, buffer, 12, this::note, 0);
    rig.drain(queue);
    assertThat(media.asSlice(0, 256 * 512).mismatch(buffer.segment().asSlice(12, 256 * 512)))
        .isEqualTo(-1);
    assertThat(done).containsExactly("0: 0", "0: 0");
  }

  @Test
  void tellsThatTheQueueIsFull() {
    script(held::add);
    for (int i = 0; i < 8; i++) {
      assertThat(queue.submitRead(namespace, i, 1, buffer, 0, this::note, i)).isTrue();
    }
    assertThat(queue.submitRead(namespace, 8, 1, buffer, 0, this::note, 8)).isFalse();
    assertThat(queue.submitFlush(namespace, this::note, 8)).isFalse();
    assertThat(queue.submitDeallocate(namespace, 0, 1, this::note, 8)).isFalse();
    queue.ring();
    held.get(5).complete(0);
    assertThat(queue.poll()).isEqualTo(1);
    assertThat(done).containsExactly("5: 0");
    assertThat(queue.submitRead(namespace, 8, 1, buffer, 0, this::note, 8)).isTrue();
    queue.ring();
    assertThat(held.getLast().id)
        .as("in the same slot, by another number")
        .isEqualTo(8 + held.get(5).id);
    held.remove(5);
    held.reversed().forEach(command -> command.complete(0));
    rig.drain(queue);
    assertThat(done)
        .containsExactly("5: 0", "8: 0", "7: 0", "6: 0", "4: 0", "3: 0", "2: 0", "1: 0", "0: 0");
  }

  @Test
  void goesRoundTheRingsManyTimes() {
    long[] sum = {0};
    int next = 0;
    while (next < 10_000) {
      if (!queue.submitFlush(namespace, (context, _) -> sum[0] += context, next)) {
        queue.ring();
        queue.poll();
      } else {
        next++;
      }
    }
    rig.drain(queue);
    assertThat(sum[0]).isEqualTo(9_999L * 10_000 / 2);
  }

  @Test
  void callbacksMaySubmitAndPollIsBounded() {
    int[] left = {100};
    NvmeCallback again =
        new NvmeCallback() {
          @Override
          public void completed(long context, int status) {
            if (left[0]-- > 0) {
              assertThat(queue.submitFlush(namespace, this, 0)).isTrue();
              queue.ring();
            }
          }
        };
    queue.submitFlush(namespace, again, 0);
    queue.ring();
    assertThat(queue.poll()).isEqualTo(queue.depth());
    assertThat(queue.inFlight()).isEqualTo(1);
    rig.drain(queue);
    assertThat(left[0]).isEqualTo(-1);
  }

  @Test
  void staysUsableWhenACallbackThrows() {
    queue.submitFlush(
        namespace,
        (_, _) -> {
          throw new IllegalStateException("mine");
        },
        0);
    queue.submitFlush(namespace, this::note, 1);
    queue.ring();
    assertThatThrownBy(queue::poll).hasMessage("mine");
    assertThat(queue.poll()).isEqualTo(1);
    for (int i = 0; i < 20; i++) {
      queue.submitFlush(namespace, this::note, 2);
      rig.drain(queue);
    }
    assertThat(done).hasSize(21);
  }

  @Test
  void aCallbackMayWaitUntilTheQueueIsMadeAnew() {
    script(
        command -> {
          if (command.opcode == NvmOpcode.READ) {
            held.add(command);
          } else {
            command.execute();
          }
        });
    queue.submitFlush(
        namespace,
        (context, status) -> {
          note(context, status);
          while (queue.inFlight() > 0) {
            queue.await(Duration.ofSeconds(1));
          }
        },
        1);
    queue.submitRead(namespace, 0, 1, buffer, 0, this::note, 2);
    queue.ring();
    queue.poll();
    assertThat(done)
        .containsExactly("1: 0", "2: " + NvmeStatus.COMMAND_ABORTED_DUE_TO_SQ_DELETION.status());
    assertThat(controller.queueResets()).isEqualTo(1);
    queue.submitFlush(namespace, this::note, 3);
    rig.drain(queue);
    assertThat(done).endsWith("3: 0");
    assertThat(controller.resets()).isZero();
  }

  /** A command that is completed only when its submission queue is deleted calls back as others. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aCallbackMaySubmitWhileTheQueueIsDeleted(boolean waits) {
    rig.model.script =
        command -> {
          if (command.isIo()) {
            held.add(command);
            return;
          }
          if (command.opcode == AdminOpcode.DELETE_IO_SUBMISSION_QUEUE) {
            held.getLast().complete(0);
            script(Command::execute);
          }
          command.execute();
        };
    queue.submitFlush(namespace, this::note, 1);
    queue.submitFlush(
        namespace,
        (context, status) -> {
          note(context, status);
          queue.submitFlush(namespace, this::note, 3);
          queue.ring();
          while (waits && queue.inFlight() > 0) {
            queue.await(Duration.ofSeconds(1));
          }
        },
        2);
    queue.ring();
    rig.drain(queue);
    String deleted = Integer.toHexString(NvmeStatus.COMMAND_ABORTED_DUE_TO_SQ_DELETION.status());
    assertThat(done).startsWith("2: 0").containsOnly("2: 0", "1: " + deleted, "3: " + deleted);
    queue.submitFlush(namespace, this::note, 4);
    rig.drain(queue);
    assertThat(done).hasSize(4).endsWith("4: 0");
    assertThat(controller.queueResets()).isEqualTo(1);
    assertThat(controller.resets()).isZero();
  }

  @Test
  void whatACallbackSubmitsIsNotGivenUpWithWhatWasInFlightBefore() {
    script(held::add);
    NvmeCallback resubmitting =
        (context, status) -> {
          note(context, status);
          script(Command::execute);
          while (queue.inFlight() > 0) {
            queue.await(Duration.ofSeconds(1));
          }
          queue.submitFlush(namespace, this::note, 3);
          queue.ring();
        };
    queue.submitFlush(namespace, resubmitting, 1);
    queue.submitFlush(namespace, this::note, 2);
    queue.ring();
    while (done.size() < 2) {
      queue.await(Duration.ofSeconds(1));
    }
    rig.drain(queue);
    assertThat(done).hasSize(3).endsWith("3: 0");
  }

  /** Its bus address may be that of other memory by now. */
  @Test
  void refusesMemoryThatIsClosed() {
    DmaBuffer closed = rig.device.dma().allocate(8192, 4096);
    ScatterList pieces = new ScatterList(2).add(buffer, 0, 4096).add(closed, 0, 4096);
    try (PreparedBuffer prepared = controller.prepare(closed)) {
      closed.close();
      assertThatExceptionOfType(DeviceGoneException.class)
          .isThrownBy(() -> queue.submitRead(namespace, 0, 1, closed, 0, this::note, 0));
      assertThatExceptionOfType(DeviceGoneException.class)
          .isThrownBy(() -> queue.submitRead(namespace, 0, 1, prepared, 0, this::note, 0));
      assertThatExceptionOfType(DeviceGoneException.class)
          .isThrownBy(() -> queue.submitRead(namespace, 0, pieces, this::note, 0));
    }
    assertThat(queue.inFlight()).isZero();
    queue.submitRead(namespace, 0, 1, buffer, 0, this::note, 1);
    rig.drain(queue);
    assertThat(done).containsExactly("1: 0");
  }

  @Test
  void refusesTransfersThatBreakTheRules() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> queue.submitRead(namespace, 0, 0, buffer, 0, this::note, 0))
        .withMessage(
            "a transfer of namespace 1: 16384 blocks of 512 bytes has 1 to 256 blocks, not 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> queue.submitWrite(namespace, 0, 257, buffer, 0, this::note, 0));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> queue.submitRead(namespace, 0, 1, buffer, 2, this::note, 0))
        .withMessage("the offset in the buffer is a multiple of 4, not 2");
    assertThatExceptionOfType(IndexOutOfBoundsException.class)
        .isThrownBy(
            () -> queue.submitRead(namespace, 0, 2, buffer, (1 << 20) - 512, this::note, 0));
    assertThatExceptionOfType(IndexOutOfBoundsException.class)
        .isThrownBy(() -> queue.submitRead(namespace, 0, 2, buffer, -4, this::note, 0));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> queue.submitWriteZeroes(namespace, 0, 65537, this::note, 0));
    assertThat(queue.inFlight()).isZero();
  }

  @Test
  void refusesCommandsThatTheControllerLacks() {
    try (Rig bare = new Rig(model -> model.identity.setOncs(0));
        NvmeController lacking = bare.open();
        NvmeQueuePair pair = lacking.createQueuePair()) {
      assertThatExceptionOfType(PciException.class)
          .isThrownBy(() -> pair.submitWriteZeroes(namespace, 0, 1, this::note, 0))
          .withMessage(
              "simulated:nvme: the controller does not have Write Zeroes (ONCS); write zeros");
      assertThatExceptionOfType(PciException.class)
          .isThrownBy(() -> pair.submitDeallocate(namespace, 0, 1, this::note, 0))
          .withMessageContaining("Dataset Management");
      assertThat(pair.inFlight()).isZero();
    }
  }

  @Test
  void handsOnTheStatusOfTheController() {
    queue.submitRead(namespace, 16384, 1, buffer, 0, this::note, 1);
    queue.submitRead(namespace, -1, 1, buffer, 0, this::note, 2);
    rig.drain(queue);
    int expected = NvmeStatus.LBA_OUT_OF_RANGE.status() | NvmeStatus.DO_NOT_RETRY;
    assertThat(done)
        .containsExactly(
            "1: " + Integer.toHexString(expected), "2: " + Integer.toHexString(expected));
  }

  @ParameterizedTest
  @ValueSource(ints = {3, 8, 9, 0xffff})
  void failsOnACompletionOfACommandThatIsNotInFlight(int id) {
    script(
        command -> {
          held.add(command);
          if (held.size() == 3) {
            rig.model.post(queue.id(), 0, queue.id() << 16 | 3, id, 0);
          }
        });
    for (int i = 0; i < 3; i++) {
      queue.submitRead(namespace, i, 1, buffer, 0, this::note, i);
    }
    queue.ring();
    assertThatExceptionOfType(DeviceProtocolException.class)
        .isThrownBy(queue::poll)
        .withMessageStartingWith(
            "simulated:nvme: the controller, on NVMe queue 1, completed command "
                + id
                + ", which is not in flight (completion 0x1");
    assertFailed("0: 371", "1: 371", "2: 371");
  }

  @Test
  void failsOnACommandThatIsCompletedTwice() {
    script(
        command -> {
          command.complete(0);
          command.complete(0);
        });
    queue.submitFlush(namespace, this::note, 0);
    queue.ring();
    assertThatThrownBy(queue::poll).isInstanceOf(DeviceProtocolException.class);
    assertFailed("0: 0");
  }

  /** The slot that a duplicate would complete has another command by then. */
  @Test
  void aDuplicateCompletesNoLaterCommand() {
    script(
        command -> {
          held.add(command);
          if (held.size() == 1) {
            command.complete(0);
          } else {
            held.getFirst().complete(0);
          }
        });
    queue.submitFlush(namespace, this::note, 0);
    rig.drain(queue);
    queue.submitFlush(namespace, this::note, 1);
    queue.ring();
    assertThatThrownBy(queue::poll)
        .isInstanceOf(DeviceProtocolException.class)
        .hasMessageContaining("which is not in flight");
    assertFailed("0: 0", "1: 371");
  }

  @Test
  void failsOnAHeadThatIsNotInTheQueue() {
    script(command -> rig.model.post(1, 0, 1 << 16 | 9, command.id, 0));
    queue.submitFlush(namespace, this::note, 0);
    queue.ring();
    assertThatExceptionOfType(DeviceProtocolException.class)
        .isThrownBy(queue::poll)
        .withMessage(
            "simulated:nvme: the controller, on NVMe queue 1, reported head 9 of queue 1,"
                + " where the queue has 9 entries; reset the device");
    assertFailed("0: 0");
  }

  @Test
  void failsOnACompletionForAnotherQueue() {
    script(command -> rig.model.post(1, 0, 2 << 16 | 1, command.id, 0));
    queue.submitFlush(namespace, this::note, 0);
    queue.ring();
    assertThatThrownBy(queue::poll)
        .isInstanceOf(DeviceProtocolException.class)
        .hasMessageContaining("reported head 1 of queue 2");
    assertFailed("0: 0");
  }

  @Test
  void aFailureReachesAllQueuePairs() {
    NvmeQueuePair other = controller.createQueuePair();
    script(
        command -> {
          if (command.queueId == other.id()) {
            held.add(command);
          } else {
            rig.model.post(1, 0, 1 << 16 | 1, 7, 0);
          }
        });
    other.submitRead(namespace, 0, 1, buffer, 0, this::note, 42);
    other.ring();
    queue.submitFlush(namespace, this::note, 0);
    queue.ring();
    assertThatThrownBy(queue::poll).isInstanceOf(DeviceProtocolException.class);
    assertThat(done).containsExactly("0: 371");
    assertThatExceptionOfType(PciException.class)
        .isThrownBy(other::poll)
        .withMessageStartingWith("simulated:nvme: polling NVMe queue 2: the controller has failed");
    assertThat(done).containsExactly("0: 371", "42: 371");
  }

  @Test
  void abortsACommandThatIsNotCompletedInTime() {
    List<String> admin = new ArrayList<>();
    rig.model.script =
        command -> {
          if (command.isIo()) {
            held.add(command);
          } else if (command.opcode == AdminOpcode.ABORT) {
            admin.add("abort %x".formatted(command.dword10));
            held.getFirst().complete(NvmeStatus.COMMAND_ABORT_REQUESTED);
            command.complete(0, 0);
          } else {
            command.execute();
          }
        };
    queue.submitRead(namespace, 0, 1, buffer, 0, this::note, 0);
    long before = rig.bus.time().nanoTime();
    rig.drain(queue);
    assertThat(done).containsExactly("0: 7");
    assertThat(admin).containsExactly("abort %x".formatted(held.getFirst().id << 16 | 1));
    assertThat(Duration.ofNanos(rig.bus.time().nanoTime() - before))
        .isBetween(
            DeviceRoute.patience(Duration.ofMillis(20)),
            DeviceRoute.patience(Duration.ofMillis(25)));
    assertThat(controller.resets()).isZero();
  }

  @Test
  void aCommandThatIsLateButInTimeIsNotAborted() {
    script(held::add);
    for (int round = 0; round < 10; round++) {
      queue.submitRead(namespace, 0, 1, buffer, 0, this::note, 0);
      queue.ring();
      // Long idle times before and during a command are not held against it.
      rig.bus.time().sleep(Duration.ofSeconds(1));
      assertThat(queue.await(Duration.ofMillis(19))).isZero();
      held.removeFirst().complete(0);
      assertThat(queue.await(Duration.ofMillis(19))).isEqualTo(1);
    }
    assertThat(done).hasSize(10).containsOnly("0: 0");
    assertThat(rig.model.log).doesNotContain("Abort");
  }

  @Test
  void deletesAQueueWhoseCommandWasAbortedAndNotCompleted() {
    NvmeQueuePair other = controller.createQueuePair();
    rig.model.script =
        command -> {
          if (command.isIo()) {
            held.add(command);
          } else {
            if (command.opcode == AdminOpcode.DELETE_IO_SUBMISSION_QUEUE) {
              held.get(2).complete(0);
            }
            command.execute();
          }
        };
    for (int i = 0; i < 3; i++) {
      queue.submitRead(namespace, i, 1, buffer, 0, this::note, i);
    }
    queue.ring();
    other.submitRead(namespace, 9, 1, buffer, 0, this::note, 9);
    other.ring();
    rig.model.log.clear();
    rig.drain(queue);
    assertThat(done).containsExactly("2: 0", "0: 8", "1: 8");
    assertThat(controller.queueResets()).isEqualTo(1);
    assertThat(controller.resets()).isZero();
    assertThat(rig.model.log)
        .containsExactly(
            "Abort",
            "Abort",
            "Abort",
            "Delete I/O Submission Queue",
            "Delete I/O Completion Queue",
            "Create I/O Completion Queue",
            "Create I/O Submission Queue");
    script(ScriptedNvme.SOUND);
    held.get(3).complete(0);
    rig.drain(other);
    for (int i = 0; i < 20; i++) {
      queue.submitRead(namespace, 0, 1, buffer, 0, this::note, 1);
      rig.drain(queue);
    }
    assertThat(done.subList(3, 24)).startsWith("9: 0").endsWith("1: 0").hasSize(21);
  }

  /** Between the deletion and the poll that creates it anew. */
  @Test
  void aQueueThatIsDeletedCanBeClosed() {
    script(held::add);
    queue.submitRead(namespace, 0, 1, buffer, 0, this::note, 0);
    queue.ring();
    while (controller.queueResets() == 0) {
      assertThat(queue.poll()).isZero();
      rig.bus.time().spin();
    }
    queue.submitRead(namespace, 0, 1, buffer, 0, this::note, 1);
    queue.ring();
    queue.close();
    assertThat(done).containsExactly("0: 8", "1: 8");
    assertThat(rig.model.log)
        .doesNotContain("doorbell of no queue")
        .filteredOn(entry -> entry.startsWith("Delete"))
        .containsExactly("Delete I/O Submission Queue", "Delete I/O Completion Queue");
  }

  @Test
  void resetsAControllerThatDoesNotCompleteWhatWasAborted() {
    NvmeQueuePair other = controller.createQueuePair();
    holdAndKeepQueues();
    for (int i = 0; i < 3; i++) {
      queue.submitRead(namespace, i, 1, buffer, 0, this::note, i);
    }
    other.submitRead(namespace, 9, 1, buffer, 0, this::note, 9);
    other.ring();
    rig.model.log.clear();
    rig.drain(queue);
    assertThat(done).containsExactly("0: 371", "1: 371", "2: 371");
    assertThat(controller.resets()).isEqualTo(1);
    assertThat(rig.model.log)
        .containsExactly(
            "Abort",
            "Abort",
            "Abort",
            "Delete refused",
            "disable",
            "enable",
            "Set Features",
            "Create I/O Completion Queue",
            "Create I/O Submission Queue");

    // What the other queue rings for now is not seen: the controller does not know it yet.
    script(ScriptedNvme.SOUND);
    other.submitFlush(namespace, this::note, 10);
    other.ring();
    assertThat(other.poll()).isEqualTo(2);
    assertThat(done.subList(3, 5)).containsExactlyInAnyOrder("9: 371", "10: 371");

    done.clear();
    for (NvmeQueuePair pair : List.of(queue, other)) {
      for (int i = 0; i < 20; i++) {
        pair.submitRead(namespace, 0, 1, buffer, 0, this::note, pair.id());
        rig.drain(pair);
      }
    }
    assertThat(done).hasSize(40).containsOnly("1: 0", "2: 0");
    assertThat(rig.model.log).doesNotContain("doorbell of no queue");
  }

  @Test
  void resetsAControllerThatDoesNotAnswerAbort() {
    rig.model.script =
        command -> {
          if (command.isAdmin() && command.opcode != AdminOpcode.ABORT) {
            command.execute();
          }
        };
    queue.submitFlush(namespace, this::note, 0);
    rig.drain(queue);
    assertThat(done).containsExactly("0: 371");
    assertThat(controller.resets()).isEqualTo(1);
  }

  @Test
  void givesUpOnAControllerThatCanNotBeReset() {
    holdAndKeepQueues();
    queue.submitFlush(namespace, this::note, 0);
    rig.model.neverReady = true;
    assertThatExceptionOfType(PciException.class)
        .isThrownBy(() -> rig.drain(queue))
        .withMessageContaining("the controller never became ready within 1000 ms");
    assertFailed("0: 371");
    assertThat(rig.device.config().read16(4) & 4).as("bus master").isZero();
  }

  @Test
  void noticesADeviceThatIsGone() {
    script(held::add);
    queue.submitFlush(namespace, this::note, 0);
    queue.ring();
    rig.model.allOnes = true;
    assertThatExceptionOfType(DeviceGoneException.class).isThrownBy(() -> rig.drain(queue));
    assertFailed("0: 371");
  }

  @ParameterizedTest
  @EnumSource
  void looksAtTheStatusWhenNothingIsCompleted(Completion completion) {
    try (Rig patient = new Rig(model -> model.msixVectors = 4)) {
      patient.options =
          patient.options.withCommandTimeout(Duration.ofSeconds(30)).withCompletion(completion);
      try (NvmeController sound = patient.open();
          NvmeQueuePair pair = sound.createQueuePair()) {
        patient.model.script =
            command -> {
              if (command.isAdmin()) {
                command.execute();
              }
            };
        pair.submitFlush(namespace, this::note, 0);
        pair.ring();
        assertThat(pair.await(Duration.ofSeconds(5))).isZero();
        assertThat(done).isEmpty();

        patient.model.failFatally();
        long before = patient.bus.time().nanoTime();
        assertThat(pair.await(Duration.ofSeconds(5))).isEqualTo(1);
        assertThat(Duration.ofNanos(patient.bus.time().nanoTime() - before))
            .isLessThan(Duration.ofMillis(50));
        assertThat(done).containsExactly("0: 371");
        assertThat(sound.lastReset()).contains("it reported a fatal error (CSTS 0x3)");

        pair.submitFlush(namespace, this::note, 1);
        pair.ring();
        patient.model.allOnes = true;
        before = patient.bus.time().nanoTime();
        assertThatExceptionOfType(DeviceGoneException.class)
            .isThrownBy(() -> pair.await(Duration.ofSeconds(5)));
        assertThat(Duration.ofNanos(patient.bus.time().nanoTime() - before))
            .isLessThan(Duration.ofMillis(50));
        assertThat(done).containsExactly("0: 371", "1: 371");
        assertThat(sound.resets()).isEqualTo(1);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void noticesADeviceThatIsUnplugged(Completion completion) {
    try (Rig unplugged = new Rig(model -> model.msixVectors = 4)) {
      unplugged.options =
          unplugged.options.withCommandTimeout(Duration.ofSeconds(30)).withCompletion(completion);
      try (NvmeController sound = unplugged.open();
          NvmeQueuePair pair = sound.createQueuePair()) {
        unplugged.model.script = _ -> {};
        pair.submitFlush(namespace, this::note, 0);
        pair.ring();
        unplugged.bus.unplug(unplugged.device.name());
        long before = unplugged.bus.time().nanoTime();
        assertThatExceptionOfType(DeviceGoneException.class)
            .isThrownBy(() -> pair.await(Duration.ofSeconds(5)));
        assertThat(Duration.ofNanos(unplugged.bus.time().nanoTime() - before))
            .isLessThan(Duration.ofMillis(50));
        assertThat(done).containsExactly("0: 371");
      }
    }
  }

  @Tag(DeviceRoute.VIRTUAL_TIME)
  @Test
  void doesNotReadTheStatusWhileCommandsAreCompleted() {
    rig.model.statusReads = 0;
    for (int i = 0; i < 100_000; i++) {
      queue.submitFlush(namespace, (_, _) -> {}, i);
      queue.ring();
      assertThat(queue.poll()).isEqualTo(1);
      rig.bus.time().spin();
    }
    assertThat(Duration.ofNanos(rig.bus.time().nanoTime()))
        .isGreaterThanOrEqualTo(Duration.ofMillis(100));
    assertThat(rig.model.statusReads).isZero();
  }

  @Test
  void closingAQueuePairCompletesWhatIsInFlight() {
    script(held::add);
    queue.submitFlush(namespace, this::note, 0);
    queue.submitFlush(namespace, this::note, 1);
    queue.ring();
    queue.submitFlush(namespace, this::note, 2);
    held.get(1).complete(0);
    queue.close();
    queue.close();
    assertThat(done).containsExactly("1: 0", "0: 8", "2: 8");
    assertThatThrownBy(() -> queue.submitFlush(namespace, this::note, 0))
        .isInstanceOf(DeviceGoneException.class);
  }

  @Test
  void closingTheControllerCompletesWhatIsInFlightWhenItsOwnerPolls() {
    script(held::add);
    queue.submitRead(namespace, 0, 1, buffer, 0, this::note, 5);
    queue.ring();
    controller.close();
    assertThat(done).isEmpty();
    assertThatExceptionOfType(DeviceGoneException.class)
        .isThrownBy(queue::poll)
        .withMessageStartingWith("simulated:nvme: polling NVMe queue 1");
    assertThat(done).containsExactly("5: 371");
  }

  @ParameterizedTest
  @ValueSource(
      ints = {AdminOpcode.DELETE_IO_SUBMISSION_QUEUE, AdminOpcode.DELETE_IO_COMPLETION_QUEUE})
  void resetsAControllerThatDoesNotDeleteAQueue(int refused) {
    // It may go on with the commands, and write to their buffers, until it is reset.
    rig.model.script =
        command -> {
          if (command.isAdmin() && command.opcode == refused) {
            command.complete(NvmeStatus.INVALID_QUEUE_IDENTIFIER);
          } else if (command.isIo()) {
            held.add(command);
          } else {
            command.execute();
          }
        };
    queue.submitRead(namespace, 0, 1, buffer, 0, (_, _) -> rig.model.log.add("called back"), 0);
    queue.ring();
    rig.model.log.clear();
    assertThatExceptionOfType(NvmeStatusException.class)
        .isThrownBy(queue::close)
        .satisfies(e -> assertThat(e.opcode()).isEqualTo(refused));
    assertThat(rig.model.log).containsSubsequence("disable", "enable", "called back");
    assertThat(controller.resets()).isEqualTo(1);
    rig.model.script = ScriptedNvme.SOUND;
    NvmeQueuePair next = controller.createQueuePair();
    assertThat(next.id()).isEqualTo(1);
    next.submitFlush(namespace, this::note, 1);
    rig.drain(next);
    assertThat(done).containsExactly("1: 0");
  }

  @Test
  void resetsAControllerThatKeepsTheCompletionQueueOfAFailedCreation() {
    rig.model.script =
        command -> {
          if (command.opcode == AdminOpcode.CREATE_IO_SUBMISSION_QUEUE
              || command.opcode == AdminOpcode.DELETE_IO_COMPLETION_QUEUE) {
            command.complete(NvmeStatus.INTERNAL_ERROR);
          } else {
            command.execute();
          }
        };
    assertThatExceptionOfType(NvmeStatusException.class).isThrownBy(controller::createQueuePair);
    assertThat(controller.resets()).isEqualTo(1);
  }

  @Test
  void closingCallsAllBackAndGivesAllBackEvenIfCallbacksThrow() {
    script(held::add);
    for (int i = 0; i < 4; i++) {
      queue.submitFlush(namespace, this::noteAndThrow, i);
    }
    queue.ring();
    held.get(0).complete(0);
    held.get(1).complete(0);
    rig.model.log.clear();
    assertThatThrownBy(queue::close)
        .hasMessage("callback 0")
        .satisfies(
            e ->
                assertThat(e.getSuppressed())
                    .extracting(Throwable::getMessage)
                    .containsExactly("callback 1", "callback 2", "callback 3"));
    assertThat(done).containsExactly("0: 0", "1: 0", "2: 8", "3: 8");
    assertThat(rig.model.log)
        .containsExactly("Delete I/O Submission Queue", "Delete I/O Completion Queue");
    assertThat(controller.createQueuePair().id()).isEqualTo(1);
  }

  /** The controller does not know the queues any more, and is not told of what comes then. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aCallbackMaySubmitWhileTheQueueIsClosed(boolean waits) {
    script(held::add);
    queue.submitFlush(
        namespace,
        (context, status) -> {
          note(context, status);
          queue.submitFlush(namespace, this::note, 3);
          queue.ring();
          while (waits && queue.inFlight() > 0) {
            queue.await(Duration.ofSeconds(1));
          }
          assertThat(queue.poll()).isEqualTo(waits ? 0 : 2);
        },
        1);
    queue.submitFlush(namespace, this::note, 2);
    queue.ring();
    held.getFirst().complete(0);
    rig.model.log.clear();
    queue.close();
    assertThat(done).containsExactlyInAnyOrder("1: 0", "2: 8", "3: 8");
    assertThat(rig.model.log)
        .containsExactly("Delete I/O Submission Queue", "Delete I/O Completion Queue");
    assertThatExceptionOfType(DeviceGoneException.class).isThrownBy(queue::poll);
    assertThat(controller.resets()).isZero();
  }

  @Test
  void aFailureCallsAllBackEvenIfCallbacksThrow() {
    script(command -> rig.model.post(1, 0, 1 << 16 | 1, 7, 0));
    queue.submitFlush(namespace, this::noteAndThrow, 0);
    queue.submitFlush(namespace, this::noteAndThrow, 1);
    queue.ring();
    assertThatExceptionOfType(DeviceProtocolException.class)
        .isThrownBy(queue::poll)
        .satisfies(e -> assertThat(e.getSuppressed()).hasSize(2));
    assertFailed("0: 371", "1: 371");
  }

  @Test
  void closingTheControllerInTheMiddleOfAPollCompletesTheRest() {
    script(held::add);
    queue.submitFlush(
        namespace,
        (context, status) -> {
          note(context, status);
          // As another thread may do at any time.
          controller.close();
        },
        0);
    queue.submitFlush(namespace, this::note, 1);
    queue.ring();
    held.getFirst().complete(0);
    assertThatExceptionOfType(DeviceGoneException.class).isThrownBy(queue::poll);
    assertThat(done).containsExactly("0: 0", "1: 371");
  }

  @Test
  void closingTheDeviceAfterAResetCompletesWhatIsInFlight() {
    NvmeQueuePair other = controller.createQueuePair();
    holdAndKeepQueues();
    other.submitRead(namespace, 0, 1, buffer, 0, this::note, 9);
    other.ring();
    queue.submitFlush(namespace, this::note, 0);
    rig.drain(queue);
    assertThat(controller.resets()).isEqualTo(1);
    rig.device.close();
    assertThatExceptionOfType(DeviceGoneException.class).isThrownBy(other::poll);
    assertThat(done).containsExactly("0: 371", "9: 371");
  }

  private long page(int index) {
    return buffer.busAddress() + 4096L * index;
  }

  /** Whether the controller is of no use any more, and what was completed. */
  private void assertFailed(String... completed) {
    assertThat(done).containsExactly(completed);
    assertThat(queue.inFlight()).isZero();
    assertThatThrownBy(queue::poll).isInstanceOf(PciException.class);
    assertThatThrownBy(controller::createQueuePair).isInstanceOf(PciException.class);
  }

  /** Sets what becomes of I/O commands; the admin queue stays sound. */
  private void script(Script io) {
    rig.model.script =
        command -> {
          if (command.isIo()) {
            io.on(command);
          } else {
            command.execute();
          }
        };
  }

  /** I/O commands are not completed, and queues not deleted. */
  private void holdAndKeepQueues() {
    rig.model.script =
        command -> {
          if (command.isIo()) {
            held.add(command);
          } else if (command.opcode == AdminOpcode.DELETE_IO_SUBMISSION_QUEUE) {
            rig.model.log.add("Delete refused");
            command.complete(NvmeStatus.INVALID_QUEUE_IDENTIFIER);
          } else {
            command.execute();
          }
        };
  }

  private void note(long context, int status) {
    done.add(context + ": " + Integer.toHexString(status));
  }

  private void noteAndThrow(long context, int status) {
    note(context, status);
    throw new IllegalStateException("callback " + context);
  }
}
