package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.gatun.pci.PciException;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.testkit.DeviceRoute;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Completion by interrupt, of each kind, in virtual time: a wait that is too long shows. */
class NvmeInterruptTest {
  private static final Duration LATENCY = Duration.ofNanos(100_000);
  private static final Duration LIMIT = Duration.ofSeconds(10);

  private int done;

  static Stream<Arguments> kinds() {
    return Stream.of(
            kind("INTx", _ -> {}),
            kind("MSI", model -> model.msiVectors = 4),
            kind("MSI-X, one vector", model -> model.msixVectors = 1),
            kind("MSI-X, shared", model -> model.msixVectors = 2),
            kind("MSI-X", model -> model.msixVectors = 64))
        .flatMap(
            kind ->
                Stream.of(Completion.INTERRUPT, Completion.ADAPTIVE)
                    .map(completion -> Arguments.of(kind, completion)));
  }

  private static Named<Consumer<ScriptedNvme>> kind(String name, Consumer<ScriptedNvme> prepare) {
    return Named.of(name, prepare);
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void wakesUpAsSoonAsACommandIsComplete(Consumer<ScriptedNvme> kind, Completion completion) {
    try (Rig rig = interrupting(kind, completion);
        NvmeController controller = rig.open();
        NvmeQueuePair first = controller.createQueuePair();
        NvmeQueuePair second = controller.createQueuePair()) {
      assertThat(first.completion()).isEqualTo(completion);
      slow(rig);
      for (int i = 0; i < 20; i++) {
        for (NvmeQueuePair queue : List.of(first, second)) {
          queue.submitFlush(controller.namespace(1), this::count, 0);
          long before = rig.bus.time().nanoTime();
          queue.ring();
          assertThat(queue.await(LIMIT)).isEqualTo(1);
          assertThat(Duration.ofNanos(rig.bus.time().nanoTime() - before))
              .isBetween(LATENCY, soon(LATENCY.multipliedBy(2)));
        }
      }
      assertThat(done).isEqualTo(40);
    }
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void whoSharesAVectorLosesNothingToTheOthers(Consumer<ScriptedNvme> kind, Completion completion) {
    try (Rig rig = interrupting(kind, completion);
        NvmeController controller = rig.open();
        NvmeQueuePair first = controller.createQueuePair();
        NvmeQueuePair second = controller.createQueuePair()) {
      NvmeNamespace namespace = controller.namespace(1);
      slow(rig);
      long before = rig.bus.time().nanoTime();
      for (int i = 0; i < 20; i++) {
        second.submitFlush(namespace, this::count, 0);
        second.ring();
        first.submitFlush(namespace, this::count, 0);
        first.ring();
        assertThat(first.await(LIMIT)).isEqualTo(1);
        assertThat(second.await(LIMIT)).isEqualTo(1);
      }
      assertThat(done).isEqualTo(40);
      assertThat(Duration.ofNanos(rig.bus.time().nanoTime() - before))
          .isLessThan(soon(Duration.ofMillis(100)));
    }
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void waitsNoLongerThanItIsTold(Consumer<ScriptedNvme> kind, Completion completion) {
    try (Rig rig = interrupting(kind, completion);
        NvmeController controller = rig.open();
        NvmeQueuePair queue = controller.createQueuePair()) {
      long before = rig.bus.time().nanoTime();
      Duration limit = Duration.ofNanos(1_234_567);
      assertThat(queue.await(limit)).isZero();
      assertThat(Duration.ofNanos(rig.bus.time().nanoTime() - before))
          .isBetween(limit, soon(limit));
    }
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void abortsWhatIsNotCompletedInTime(Consumer<ScriptedNvme> kind, Completion completion) {
    try (Rig rig = interrupting(kind, completion);
        NvmeController controller = rig.open();
        NvmeQueuePair queue = controller.createQueuePair()) {
      rig.model.script =
          command -> {
            if (command.isAdmin()) {
              command.execute();
            }
          };
      queue.submitFlush(controller.namespace(1), this::count, 0);
      queue.ring();
      assertThat(queue.await(LIMIT)).isEqualTo(1);
      assertThat(controller.queueResets()).isEqualTo(1);
      slow(rig);
      queue.submitFlush(controller.namespace(1), this::count, 0);
      queue.ring();
      assertThat(queue.await(LIMIT)).isEqualTo(1);
      assertThat(done).isEqualTo(2);
      assertThat(controller.queueResets()).isEqualTo(1);
      assertThat(controller.resets()).isZero();
    }
  }

  @Test
  void aThreadThatIsInterruptedReturns() {
    try (Rig rig = interrupting(model -> model.msixVectors = 4, Completion.INTERRUPT);
        NvmeController controller = rig.open();
        NvmeQueuePair queue = controller.createQueuePair()) {
      Thread.currentThread().interrupt();
      assertThat(queue.await(LIMIT)).isZero();
      assertThat(Thread.interrupted()).isTrue();
    }
  }

  @Test
  void eachQueueHasAVectorOfItsOwnWhereThereAreEnough() {
    assertThat(vectors(64)).containsExactly(1, 2, 3, 4, 5);
    assertThat(vectors(6)).containsExactly(1, 2, 3, 4, 5);
    assertThat(vectors(4)).containsExactly(1, 2, 3, 1, 2);
    assertThat(vectors(2)).containsExactly(1, 1, 1, 1, 1);
    assertThat(vectors(1)).containsExactly(0, 0, 0, 0, 0);
  }

  @Test
  void pollingNeedsNoInterrupts() {
    try (Rig rig = new Rig(model -> model.pin = 0);
        NvmeController controller = rig.open()) {
      try (NvmeQueuePair queue = controller.createQueuePair()) {
        queue.submitFlush(controller.namespace(1), this::count, 0);
        rig.drain(queue);
      }
      assertThat(rig.device.usage().vectors()).isZero();
      assertThatExceptionOfType(PciException.class)
          .isThrownBy(() -> controller.createQueuePair(4, Completion.INTERRUPT))
          .withMessage("simulated:nvme: the device has no interrupts; use completion by polling");
    }
  }

  @Test
  void bothKindsOfQueuePairsLiveSideBySide() {
    try (Rig rig = new Rig(model -> model.msixVectors = 8);
        NvmeController controller = rig.open()) {
      try (NvmeQueuePair polled = controller.createQueuePair(4);
          NvmeQueuePair interrupting = controller.createQueuePair(4, Completion.INTERRUPT)) {
        assertThat(polled.completion()).isEqualTo(Completion.POLL);
        for (NvmeQueuePair queue : List.of(polled, interrupting)) {
          queue.submitFlush(controller.namespace(1), this::count, 0);
          queue.ring();
          assertThat(queue.await(LIMIT)).isEqualTo(1);
        }
      }
      assertThat(rig.device.usage().vectors()).isEqualTo(8);
    }
  }

  private int[] vectors(int count) {
    int[] vectors = new int[5];
    try (Rig rig = interrupting(model -> model.msixVectors = count, Completion.INTERRUPT)) {
      rig.model.script =
          command -> {
            if (command.opcode == AdminOpcode.CREATE_IO_COMPLETION_QUEUE) {
              vectors[AdminCommand.queueId(command.dword10) - 1] =
                  AdminCommand.interruptVector(command.dword11);
            }
            command.execute();
          };
      try (NvmeController controller = rig.open()) {
        for (int i = 0; i < 5; i++) {
          controller.createQueuePair();
        }
      }
    }
    return vectors;
  }

  /** At most so long; where time is real, long before the waiting would have ended by itself. */
  private static Duration soon(Duration virtual) {
    return DeviceRoute.chosen().isEmpty() ? virtual : LIMIT.dividedBy(2);
  }

  private static Rig interrupting(Consumer<ScriptedNvme> kind, Completion completion) {
    Rig rig = new Rig(kind);
    rig.options = rig.options.withCompletion(completion);
    return rig;
  }

  /** I/O commands take their time, so that the driver has to wait. */
  private static void slow(Rig rig) {
    rig.model.script =
        command -> {
          if (command.isIo()) {
            rig.model.later(LATENCY, command::execute);
          } else {
            command.execute();
          }
        };
  }

  private void count(long context, int status) {
    done++;
  }
}
