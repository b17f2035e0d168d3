package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.SimulatedBus;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.CommandEffectsLog;
import org.gatun.specs.nvme.ErrorLogEntry;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.LogPage;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SubmissionEntry;
import org.gatun.testkit.DeviceRoute;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Log pages: how they are asked for, and what is made of the answers. */
class NvmeLogsTest {
  private static final int PAGE = 0xca;
  private static final byte[] CONTENT = new byte[40 << 10];

  static {
    new Random(1).nextBytes(CONTENT);
  }

  /** A controller with one vendor specific page, which notes what was asked for. */
  private static Rig rig(int lpa, List<String> asked) {
    Rig rig = new Rig(model -> model.identity.setLpa(lpa));
    rig.model.script =
        command -> {
          if (command.opcode != AdminOpcode.GET_LOG_PAGE) {
            command.execute();
            return;
          }
          int size = (int) AdminCommand.logPageSize(command.dword10, command.dword11);
          long offset = Integer.toUnsignedLong(command.dword12) | (long) command.dwords[13] << 32;
          asked.add(
              "%02x/%x %d at %d%s"
                  .formatted(
                      AdminCommand.logPage(command.dword10),
                      command.namespaceId,
                      size,
                      offset,
                      AdminCommand.isEventRetained(command.dword10) ? ", retained" : ""));
          command.send(MemorySegment.ofArray(CONTENT).asSlice(offset & 0xffff, size));
          command.complete(0);
        };
    return rig;
  }

  @Test
  void aLongPageIsReadWithSeveralCommandsOfWhichTheLastClearsTheEvent() {
    List<String> asked = new ArrayList<>();
    try (Rig rig = rig(IdentifyController.LPA_EXTENDED_DATA, asked);
        NvmeController controller = rig.open()) {
      MemorySegment page = controller.logs().read(PAGE, 1, 0x3_0000_0004L, 8200);
      assertThat(asked)
          .containsExactly(
              "ca/1 4096 at 12884901892, retained",
              "ca/1 4096 at 12884905988, retained",
              "ca/1 8 at 12884910084");
      assertThat(page.mismatch(MemorySegment.ofArray(CONTENT).asSlice(4, 8200))).isEqualTo(-1);
    }
  }

  @Test
  void withoutExtendedDataThereIsOneCommand() {
    List<String> asked = new ArrayList<>();
    try (Rig rig = rig(0, asked);
        NvmeController controller = rig.open()) {
      NvmeLogs logs = controller.logs();
      MemorySegment page = logs.read(PAGE, SubmissionEntry.NSID_ALL, 0, 16 << 10);
      assertThat(asked).containsExactly("ca/ffffffff 16384 at 0");
      assertThat(page.toArray(ValueLayout.JAVA_BYTE)).startsWith(CONTENT[0], CONTENT[1]);
      assertThatExceptionOfType(NvmeUnsupportedException.class)
          .isThrownBy(() -> logs.read(PAGE, 0, 0, (16 << 10) + 4))
          .withMessage(
              "simulated:nvme: the controller returns no 16388 bytes at 0 of log page cah: it has"
                  + " no extended data (LPA 0x00); read at most 16384 bytes at 0");
      assertThatExceptionOfType(NvmeUnsupportedException.class)
          .isThrownBy(() -> logs.read(PAGE, 0, 4, 4));
      assertThatExceptionOfType(NvmeUnsupportedException.class)
          .isThrownBy(logs::commandEffects)
          .withMessageContaining("Commands Supported and Effects");
      assertThatExceptionOfType(NvmeUnsupportedException.class)
          .isThrownBy(() -> logs.smart(1))
          .withMessageContaining("a SMART log for each namespace");
      assertThat(asked).hasSize(1);
    }
  }

  @ParameterizedTest
  @CsvSource({"0, 0", "0, 3", "2, 4", "-4, 4", "0, -4"})
  void lengthsAndOffsetsThatAreNoneAreRefused(long offset, int length) {
    try (Rig rig = new Rig();
        NvmeController controller = rig.open()) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> controller.logs().read(PAGE, 0, offset, length))
          .withMessageContaining("is read in multiples of 4 bytes");
    }
  }

  /** ELPE says up to 256: what is there is taken, and nothing else is asked for. */
  @ParameterizedTest
  @ValueSource(ints = {0, 3, 255})
  void readsAsManyErrorsAsTheControllerSaysThatItKeeps(int elpe) {
    List<String> asked = new ArrayList<>();
    try (Rig rig = rig(IdentifyController.LPA_EXTENDED_DATA, asked)) {
      rig.model.identity.setErrorLogPageEntries(elpe);
      try (NvmeController controller = rig.open()) {
        List<ErrorLogEntry> errors = controller.logs().errors();
        assertThat(errors).hasSize(elpe + 1);
        assertThat(asked).hasSize(elpe == 255 ? 4 : 1);
        MemorySegment last = MemorySegment.ofArray(CONTENT).asSlice(elpe * 64L, 64);
        assertThat(errors.getLast().segment().mismatch(last)).isEqualTo(-1);
      }
    }
  }

  @Test
  void aPageThatTheControllerDoesNotHaveIsAnErrorInWords() {
    try (Rig rig = new Rig();
        NvmeController controller = rig.open()) {
      assertThatExceptionOfType(NvmeStatusException.class)
          .isThrownBy(() -> controller.logs().smart())
          .withMessageStartingWith("simulated:nvme: Get Log Page");
    }
  }

  /** A controller that returns nothing gives zeros, and nothing of what the memory held before. */
  @Test
  void whatIsNotReturnedIsZero() {
    try (Rig rig = new Rig();
        NvmeController controller = rig.open()) {
      rig.model.script = command -> command.complete(0);
      assertThat(controller.logs().smart().segment().toArray(ValueLayout.JAVA_BYTE))
          .containsOnly(0);
      assertThat(controller.logs().errors()).isEmpty();
      rig.model.script = ScriptedNvme.SOUND;
    }
  }

  @Test
  void theModelSaysHowItIs() {
    try (SimulatedBus bus = DeviceRoute.newBus();
        PciDevice device =
            DeviceRoute.chosen(
                bus.open(bus.plug("nvme", NvmeModel.builder().size(1 << 20).build())));
        NvmeController controller =
            NvmeController.open(device, NvmeOptions.defaults().withTime(bus.time()));
        NvmeDisk disk = controller.openDisk(1)) {
      disk.read(0, new byte[512]);
      NvmeLogs logs = controller.logs();
      assertThat(logs.smart().hostReadCommands()).isOne();
      assertThat(logs.smart().criticalWarning()).isZero();
      assertThat(logs.errors()).isEmpty();
      disk.execute(NvmeCommand.of(NvmOpcode.READ, 1, -1, -1));
      assertThat(logs.errors())
          .singleElement()
          .satisfies(
              error ->
                  assertThat(NvmeStatus.of(error.status())).contains(NvmeStatus.LBA_OUT_OF_RANGE));
      assertThat(logs.firmwareSlots().revision(logs.firmwareSlots().activeSlot()))
          .isEqualTo(controller.identity().firmwareRevision());
      assertThat(logs.commandEffects().admin(AdminOpcode.FORMAT_NVM) & CommandEffectsLog.LBCC)
          .isNotZero();
      assertThat(logs.supportedPages().supports(LogPage.SMART)).isTrue();
      assertThat(logs.supportedPages().supports(PAGE)).isFalse();
    }
  }
}
