package org.gatun.broker;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.RecordComponent;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.gatun.broker.GuestOperation.Answer;
import org.gatun.broker.GuestOperation.ConfigRead;
import org.gatun.broker.GuestOperation.ConfigWrite;
import org.gatun.broker.GuestOperation.DisableMsi;
import org.gatun.broker.GuestOperation.DisableMsix;
import org.gatun.broker.GuestOperation.EnableMsi;
import org.gatun.broker.GuestOperation.EnableMsix;
import org.gatun.broker.GuestOperation.Reset;
import org.gatun.pci.DeviceName;
import org.gatun.pci.Interrupts;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.simulated.SpecimenModel;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The table "Protocol and life cycle" of the reference. */
class GuestOperationsTest {
  private final Site site = Site.virtualTime();
  private final DeviceName device = site.seize("device", new SpecimenModel());
  private final Grant grant = site.grant("guest", device);

  @BeforeEach
  void connect() {
    grant.connect();
  }

  @AfterEach
  void close() {
    site.close();
  }

  @Test
  void configAccesses() {
    assertThat(grant.operate(new ConfigRead(0, 0, 2))).isEqualTo(Answer.value(0x1234));
    assertThat(error(new ConfigWrite(0, ConfigRegisters.CACHE_LINE_SIZE, 1, 8))).isZero();
    assertThat(grant.operate(new ConfigRead(0, ConfigRegisters.CACHE_LINE_SIZE, 1)).value())
        .isEqualTo(8);
  }

  @Test
  void whatIsNotThereIsNotFound() {
    assertThat(error(new ConfigRead(1, 0, 4))).isEqualTo(Answer.DEVICE_NOT_FOUND);
    assertThat(error(new Reset(-1))).isEqualTo(Answer.DEVICE_NOT_FOUND);
    grant.revoke(Duration.ZERO);
    assertThat(error(new ConfigRead(0, 0, 4))).isEqualTo(Answer.DEVICE_NOT_FOUND);
  }

  @Test
  void accessesThatBreakTheRulesAreInvalid() {
    int[][] bad = {
      {0, 3}, {0, 8}, {0, 0}, {1, 2}, {2, 4}, {-4, 4}, {4096, 1}, {4094, 4}, {Integer.MAX_VALUE, 1}
    };
    for (int[] access : bad) {
      assertThat(error(new ConfigRead(0, access[0], access[1]))).isEqualTo(Answer.INVALID_OFFSET);
      assertThat(error(new ConfigWrite(0, access[0], access[1], 0)))
          .isEqualTo(Answer.INVALID_OFFSET);
    }
  }

  @Test
  void onlyAFewWritersDeny() {
    int msi =
        Capabilities.walk(site.bus.hardware(device)).find(Capability.MSI).orElseThrow().offset();

    assertThat(error(new ConfigWrite(0, msi + 2, 2, -1))).isEqualTo(Answer.ACCESS_DENIED);
    assertThat(error(new ConfigWrite(0, 0, 4, 0))).as("dropped is success").isZero();
  }

  @Test
  void msiIsEnabledOnce() {
    assertThat(grant.operate(new EnableMsi(0)).vectors()).hasSize(1);
    assertThat(error(new EnableMsi(0))).isEqualTo(Answer.OPERATION_FAILED);
    assertThat(error(new EnableMsix(0, List.of(0)))).isEqualTo(Answer.NO_SUCH_DEVICE_OR_ADDRESS);
    assertThat(error(new DisableMsi(0))).isZero();
    assertThat(error(new DisableMsi(0))).as("idempotent").isZero();
    assertThat(error(new EnableMsix(0, List.of(0)))).isZero();
    assertThat(error(new EnableMsi(0))).isEqualTo(Answer.OPERATION_FAILED);
  }

  @Test
  void msixGivesExactlyWhatWasAskedFor() {
    assertThat(grant.operate(new EnableMsix(0, List.of(0, 1, 2))).vectors()).hasSize(3);
    assertThat(error(new EnableMsix(0, List.of(0)))).isEqualTo(Answer.ALREADY);
    assertThat(error(new DisableMsi(0))).as("of the other kind").isZero();
    assertThat(error(new EnableMsix(0, List.of(0)))).as("still on").isEqualTo(Answer.ALREADY);
    assertThat(error(new DisableMsix(0))).isZero();
    assertThat(error(new DisableMsix(0))).as("idempotent").isZero();
  }

  @Test
  void msixEntriesBeyondTheTableAreRefused() {
    assertThat(error(new EnableMsix(0, List.of(SpecimenModel.VECTORS))))
        .isEqualTo(Answer.INVALID_ARGUMENT);
    assertThat(error(new EnableMsix(0, List.of(-1)))).isEqualTo(Answer.INVALID_ARGUMENT);
    assertThat(error(new EnableMsix(0, List.of()))).isEqualTo(Answer.INVALID_ARGUMENT);
    assertThat(error(new EnableMsix(0, IntStream.range(0, 129).boxed().toList())))
        .isEqualTo(Answer.INVALID_ARGUMENT);
    assertThat(error(new EnableMsix(0, List.of(1, 0)))).isEqualTo(Answer.NOT_IMPLEMENTED);
  }

  @Test
  void msixNeedsMemoryDecode() {
    grant.operate(new ConfigWrite(0, ConfigRegisters.COMMAND, 2, 0));
    assertThat(error(new EnableMsix(0, List.of(0)))).isEqualTo(Answer.NO_SUCH_DEVICE_OR_ADDRESS);
    grant.operate(new ConfigWrite(0, ConfigRegisters.COMMAND, 2, ConfigRegisters.COMMAND_MEMORY));
    assertThat(error(new EnableMsix(0, List.of(0)))).isZero();
  }

  @Test
  void aResetEndsInterruptsAndWhatWasWritten() {
    grant.operate(new EnableMsix(0, List.of(0)));
    grant.operate(new ConfigWrite(0, ConfigRegisters.CACHE_LINE_SIZE, 1, 8));

    assertThat(error(new Reset(0))).isZero();

    assertThat(error(new EnableMsi(0))).isZero();
    assertThat(grant.operate(new ConfigRead(0, ConfigRegisters.CACHE_LINE_SIZE, 1)).value())
        .isZero();
  }

  @Test
  void requestsAreImmutable() {
    for (Class<?> kind : GuestOperation.class.getPermittedSubclasses()) {
      for (RecordComponent component : kind.getRecordComponents()) {
        assertThat(component.getType()).isIn(int.class, List.class);
      }
    }
    List<Integer> entries = new ArrayList<>(List.of(0));
    EnableMsix request = new EnableMsix(0, entries);
    entries.set(0, 99);
    assertThat(request.entries()).containsExactly(0);
  }

  /** Whatever comes in whatever order, nothing is thrown and the broker still works. */
  @Test
  void xsa157Cve2015_8551AnyOrderIsAnswered() {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    for (int i = 0; i < 20_000; i++) {
      GuestOperation operation = random(random);
      assertThat(error(operation)).as("seed %d, step %d: %s", seed, i, operation).isNotPositive();
    }
    grant.revoke(Duration.ZERO);
    assertThat(site.broker.devices().getFirst().quarantine()).isEmpty();
    assertThat(site.grant("next", device).connect()).hasSize(1);
  }

  /** A guest in this process can ask, and at the same time do it itself. */
  @Test
  void xsa157Cve2015_8551WhatIsDoneMeanwhileIsAnsweredToo() throws InterruptedException {
    Interrupts interrupts = grant.devices().getFirst().interrupts();
    AtomicBoolean done = new AtomicBoolean();
    Thread other =
        Thread.ofPlatform()
            .start(
                () -> {
                  while (!done.get()) {
                    try {
                      interrupts.enable(Interrupts.Kind.MSIX, 1);
                    } catch (IllegalStateException _) {
                      // Asked for, and enabled, meanwhile.
                    }
                    interrupts.disable();
                  }
                });
    try {
      for (int i = 0; i < 20_000; i++) {
        assertThat(error(new EnableMsi(0))).isIn(0, Answer.OPERATION_FAILED);
        assertThat(error(new DisableMsi(0))).isZero();
      }
    } finally {
      done.set(true);
      other.join();
    }
    assertThat(grant.operate(new EnableMsi(0)).vectors()).hasSize(1);
  }

  private static GuestOperation random(Random random) {
    int slot = random.nextInt(50) == 0 ? random.nextInt() : 0;
    return switch (random.nextInt(8)) {
      case 0 -> new ConfigRead(slot, random.nextInt(-8, 4104), random.nextInt(-1, 9));
      case 1 ->
          new ConfigWrite(slot, random.nextInt(-8, 4104), random.nextInt(5), random.nextInt());
      case 2 -> new EnableMsi(slot);
      case 3 -> new DisableMsi(slot);
      case 4 -> new EnableMsix(slot, IntStream.range(0, random.nextInt(10)).boxed().toList());
      case 5 -> new DisableMsix(slot);
      case 6 -> new ConfigWrite(slot, random.nextInt(16) * 4, 4, random.nextInt());
      default -> random.nextInt(10) == 0 ? new Reset(slot) : new ConfigRead(slot, 0, 4);
    };
  }

  private int error(GuestOperation operation) {
    return grant.operate(operation).error();
  }
}
