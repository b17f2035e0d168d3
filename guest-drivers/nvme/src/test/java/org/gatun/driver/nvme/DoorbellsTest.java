package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import org.gatun.pci.PciException;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.Cap;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.NvmeStatus;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Doorbells in memory, where a scripted controller has them (Base 5.8). */
class DoorbellsTest {
  private static final int TAIL = 2;
  private static final int HEAD = 3;

  private int done;

  @Test
  void noRegisterIsWrittenWhileTheControllerLooksForItself() {
    try (Rig rig = new Rig(DoorbellsTest::prepare);
        NvmeController controller = rig.open();
        NvmeQueuePair queue = controller.createQueuePair()) {
      int completionEntries = queue.completionEntries();
      rig.model.setEventIndex(HEAD, completionEntries - 1);
      submit(controller, queue);
      assertThat(rig.model.ioDoorbellWrites).as("the controller is at 0").isEqualTo(1);
      for (int i = 1; i < 100; i++) {
        submit(controller, queue);
        assertThat(rig.model.bufferedDoorbell(TAIL)).isEqualTo((i + 1) % 9);
        rig.model.setEventIndex(TAIL, i % 9);
        rig.model.setEventIndex(
            HEAD, Math.floorMod(rig.model.bufferedDoorbell(HEAD) - 1, completionEntries));
        rig.model.lookAtDoorbellBuffer(1);
        assertThat(queue.poll()).isEqualTo(i == 1 ? 2 : 1);
      }
      assertThat(rig.model.ioDoorbellWrites).isEqualTo(1);
      assertThat(rig.model.bufferedDoorbell(HEAD)).isPositive();
      assertThat(done).isEqualTo(100);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0, 3, true", "0, 2, 3, true", "0, 3, 3, false", "0, 8, 3, false",
    "0, 12345678, 3, false", "0, -1, 3, false", "7, 7, 2, true", "7, 8, 2, true",
    "7, 0, 2, true", "7, 1, 2, true", "7, 2, 2, false", "7, 6, 2, false"
  })
  void theRegisterIsWrittenWhenItIsAskedFor(int from, int event, int to, boolean asked) {
    try (Rig rig = new Rig(DoorbellsTest::prepare);
        NvmeController controller = rig.open();
        NvmeQueuePair queue = controller.createQueuePair()) {
      for (int i = 0; i < from; i++) {
        submit(controller, queue);
        rig.model.lookAtDoorbellBuffer(1);
        rig.drain(queue);
      }
      rig.model.setEventIndex(TAIL, event);
      int before = rig.model.ioDoorbellWrites;
      for (int i = 0; i < Math.floorMod(to - from, 9); i++) {
        queue.submitFlush(controller.namespace(1), this::count, 0);
      }
      queue.ring();
      assertThat(rig.model.bufferedDoorbell(TAIL)).isEqualTo(to);
      assertThat(rig.model.ioDoorbellWrites - before).isEqualTo(asked ? 1 : 0);
      rig.model.lookAtDoorbellBuffer(1);
      rig.drain(queue);
    }
  }

  @Test
  void aResetBeginsWithEmptyDoorbells() {
    try (Rig rig = new Rig(DoorbellsTest::prepare);
        NvmeController controller = rig.open();
        NvmeQueuePair queue = controller.createQueuePair()) {
      hold(rig);
      submit(controller, queue);
      rig.model.setEventIndex(TAIL, 5);
      rig.model.setEventIndex(HEAD, 5);
      rig.model.failFatally();
      rig.drain(queue);
      rig.model.script = ScriptedNvme.SOUND;
      assertThat(controller.resets()).isEqualTo(1);
      assertThat(rig.model.bufferedDoorbell(TAIL)).isZero();
      assertThat(rig.model.log).filteredOn("Doorbell Buffer Config"::equals).hasSize(2);
      int before = rig.model.ioDoorbellWrites;
      submit(controller, queue);
      assertThat(rig.model.ioDoorbellWrites).isEqualTo(before + 1);
      rig.drain(queue);
    }
  }

  @Test
  void goesWithoutABufferThatIsRefused() {
    try (Rig rig =
            new Rig(
                model -> {
                  prepare(model);
                  model.script =
                      command -> {
                        if (command.isAdmin()
                            && command.opcode == AdminOpcode.DOORBELL_BUFFER_CONFIG) {
                          command.complete(NvmeStatus.INVALID_FIELD_IN_COMMAND);
                        } else {
                          command.execute();
                        }
                      };
                });
        NvmeController controller = rig.open();
        NvmeQueuePair queue = controller.createQueuePair()) {
      for (int i = 0; i < 20; i++) {
        submit(controller, queue);
        assertThat(queue.poll()).isEqualTo(1);
      }
      hold(rig);
      submit(controller, queue);
      rig.model.failFatally();
      rig.drain(queue);
      assertThat(controller.resets()).isEqualTo(1);
    }
  }

  /** It may have the buffer's address, and must not have it when the memory is freed. */
  @Test
  void aControllerThatDoesNotAnswerIsDisabledBeforeTheBufferIsFreed() {
    try (Rig rig =
        new Rig(
            model -> {
              prepare(model);
              model.script =
                  command -> {
                    if (command.opcode != AdminOpcode.DOORBELL_BUFFER_CONFIG) {
                      command.execute();
                    }
                  };
            })) {
      assertThatExceptionOfType(PciException.class)
          .isThrownBy(rig::open)
          .withMessageContaining("Doorbell Buffer Config was not completed");
      assertThat(rig.model.isEnabled()).isFalse();
      assertThat(rig.device.usage().buffers()).isZero();
    }
  }

  @Test
  void aBufferThatIsTooSmallForTheDoorbellsIsNotUsed() {
    try (Rig rig =
            new Rig(
                model -> {
                  prepare(model);
                  model.cap = Cap.withDstrd(model.cap, 8);
                });
        NvmeController controller = rig.open()) {
      assertThat(controller.maxQueuePairs()).isPositive();
      assertThat(rig.model.log).doesNotContain("Doorbell Buffer Config");
    }
  }

  /** I/O commands are not completed. */
  private static void hold(Rig rig) {
    rig.model.script =
        command -> {
          if (command.isAdmin()) {
            command.execute();
          }
        };
  }

  private static void prepare(ScriptedNvme model) {
    model.identity.setOacs(IdentifyController.OACS_DOORBELL_BUFFER_CONFIG);
  }

  private void submit(NvmeController controller, NvmeQueuePair queue) {
    assertThat(queue.submitFlush(controller.namespace(1), this::count, 0)).isTrue();
    queue.ring();
  }

  private void count(long context, int status) {
    done++;
  }
}
