package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DeviceTimeoutException;
import org.gatun.pci.PciException;
import org.gatun.pci.spi.EraseMethod;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.Cns;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.IdentifyNamespace;
import org.gatun.specs.nvme.NamespaceList;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SanitizeStatusLog;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the eraser asks of controllers, sound ones and others. */
class NvmeEraserTest {
  /** Of the page; longer than any test. */
  private static final long ESTIMATE = 10;

  private final SanitizeStatusLog log = SanitizeStatusLog.create();

  /** Format NVM as namespace and dword 10, Sanitize as dword 10. */
  private final List<String> erasing = new ArrayList<>();

  private Rig rig(Consumer<ScriptedNvme> prepare) {
    return new Rig(
        model -> {
          model.identity.setOacs(IdentifyController.OACS_FORMAT_NVM);
          model.identity.setSanicap(IdentifyController.SANICAP_BLOCK_ERASE);
          log.setProgress(SanitizeStatusLog.NOT_IN_PROGRESS);
          log.setEstimatedSeconds(AdminCommand.SANITIZE_BLOCK_ERASE, ESTIMATE);
          model.script = command -> on(model, command);
          prepare.accept(model);
        });
  }

  private void on(ScriptedNvme model, ScriptedNvme.Command command) {
    if (command.isIo()) {
      command.execute();
      return;
    }
    switch (command.opcode) {
      case AdminOpcode.FORMAT_NVM -> {
        erasing.add("format %d 0x%x".formatted(command.namespaceId, command.dword10));
        command.complete(0);
      }
      case AdminOpcode.SANITIZE -> {
        erasing.add("sanitize 0x%x".formatted(command.dword10));
        log.setCommandDword10(command.dword10);
        log.setSstat(SanitizeStatusLog.STATUS_SUCCESS);
        command.complete(0);
      }
      case AdminOpcode.GET_LOG_PAGE -> answer(model, command, log.segment());
      default -> command.execute();
    }
  }

  private static void answer(ScriptedNvme model, ScriptedNvme.Command command, MemorySegment data) {
    model.write(command.prp1, data);
    command.complete(0);
  }

  private static void erase(Rig rig, EraseMethod method) {
    new NvmeEraser().erase(rig.device, method, rig.bus.time());
  }

  private static ScriptedNvme.Script completing(ScriptedNvme model, int opcode, NvmeStatus status) {
    ScriptedNvme.Script before = model.script;
    return command -> {
      if (command.isAdmin() && command.opcode == opcode) {
        command.complete(status);
      } else {
        before.on(command);
      }
    };
  }

  @Test
  void formatsEachNamespaceAsItIs() {
    try (Rig rig =
        rig(
            model -> {
              model.addNamespace(1, 64, 9, 0);
              model.addNamespace(7, 64, 12, 8);
              IdentifyNamespace second = Objects.requireNonNull(model.namespaces.get(7));
              second.setFlbas(IdentifyNamespace.FLBAS_EXTENDED_LBA);
              second.setDps(0x9);
            })) {
      erase(rig, EraseMethod.FORMAT);
      assertThat(erasing).containsExactly("format 1 0x200", "format 7 0x330");
      assertThat(rig.model.isEnabled()).isFalse();
    }
  }

  @Test
  void oneFormatIsEnoughIfItErasesAll() {
    try (Rig rig =
        rig(
            model -> {
              model.identity.setFna(IdentifyController.FNA_ERASE_ALL);
              model.addNamespace(1, 64, 9, 0);
              model.addNamespace(2, 64, 9, 0);
            })) {
      erase(rig, EraseMethod.FORMAT);
      assertThat(erasing).containsExactly("format 1 0x200");
    }
  }

  @Test
  void aNamespaceThatIsNotAttachedIsNotPassedOver() {
    NamespaceList allocated = NamespaceList.create();
    allocated.setNamespaceId(0, 1);
    allocated.setNamespaceId(1, 3);
    try (Rig rig =
        rig(
            model -> {
              model.identity.setOacs(
                  IdentifyController.OACS_FORMAT_NVM
                      | IdentifyController.OACS_NAMESPACE_MANAGEMENT);
              ScriptedNvme.Script before = model.script;
              model.script =
                  command -> {
                    if (command.isAdmin()
                        && command.opcode == AdminOpcode.IDENTIFY
                        && AdminCommand.cns(command.dword10) == Cns.ALLOCATED_NAMESPACE_LIST) {
                      answer(model, command, allocated.segment());
                    } else {
                      before.on(command);
                    }
                  };
            })) {
      assertThatThrownBy(() -> erase(rig, EraseMethod.FORMAT))
          .isInstanceOf(PciException.class)
          .hasMessage(
              "simulated:nvme: a format does not reach namespaces that are not attached (1 in"
                  + " all, the first is 3); attach them, or sanitize it");
      assertThat(erasing).isEmpty();
      allocated.setNamespaceId(1, 0);
      erase(rig, EraseMethod.FORMAT);
      assertThat(erasing).containsExactly("format 1 0x200");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "FORMAT, the controller has no Format NVM (OACS 0x0000); sanitize it",
    "SANITIZE, the controller has no Sanitize (SANICAP 0x00000000); format it"
  })
  void whatTheControllerLacksIsSaid(EraseMethod method, String message) {
    try (Rig rig =
        rig(
            model -> {
              model.identity.setOacs(0);
              model.identity.setSanicap(0);
            })) {
      assertThatExceptionOfType(NvmeUnsupportedException.class)
          .isThrownBy(() -> erase(rig, method))
          .withMessageContaining(message);
      assertThat(erasing).isEmpty();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "FORMAT, FORMAT_NVM, INVALID_FORMAT, Format NVM of namespace 1: Invalid Format",
    "SANITIZE, SANITIZE, SANITIZE_FAILED, Sanitize: Sanitize Failed",
    "SANITIZE, GET_LOG_PAGE, INVALID_LOG_PAGE, Get Log Page"
  })
  void whatTheControllerRefusesIsSaid(
      EraseMethod method, String opcode, NvmeStatus status, String message) throws Exception {
    int code = AdminOpcode.class.getField(opcode).getInt(null);
    try (Rig rig = rig(model -> model.script = completing(model, code, status))) {
      assertThatExceptionOfType(NvmeStatusException.class)
          .isThrownBy(() -> erase(rig, method))
          .withMessageContaining(message);
    }
  }

  @Test
  @Tag("virtual-time")
  void aFormatThatNeverEndsIsGivenUp() {
    try (Rig rig =
        rig(
            model -> {
              ScriptedNvme.Script before = model.script;
              model.script =
                  command -> {
                    if (command.isIo() || command.opcode != AdminOpcode.FORMAT_NVM) {
                      before.on(command);
                    }
                  };
            })) {
      long start = rig.bus.time().nanoTime();
      assertThatExceptionOfType(DeviceTimeoutException.class)
          .isThrownBy(() -> erase(rig, EraseMethod.FORMAT))
          .withMessageContaining("Format NVM was not completed within 1800000 ms");
      assertThat(rig.bus.time().nanoTime() - start)
          .isBetween(
              NvmeEraser.FORMAT_LIMIT.toNanos(), NvmeEraser.FORMAT_LIMIT.toNanos() * 11 / 10);
      assertThat(rig.model.isEnabled()).isFalse();
    }
  }

  @ParameterizedTest
  @CsvSource({"7, 0x2", "5, 0x13", "1, 0x4"})
  void sanitizesAsTheControllerCan(int capabilities, String command) {
    try (Rig rig = rig(model -> model.identity.setSanicap(capabilities))) {
      erase(rig, EraseMethod.SANITIZE);
      assertThat(erasing).containsExactly("sanitize " + command);
    }
  }

  @Test
  @Tag("virtual-time")
  void waitsForWhatWasBegunBefore() {
    log.setCommandDword10(AdminCommand.SANITIZE_BLOCK_ERASE);
    log.setSstat(SanitizeStatusLog.STATUS_IN_PROGRESS);
    try (Rig rig = rig(model -> {})) {
      rig.model.later(
          NvmeEraser.LEAST_SANITIZE.dividedBy(2),
          () -> log.setSstat(SanitizeStatusLog.STATUS_FAILED));
      long start = rig.bus.time().nanoTime();
      erase(rig, EraseMethod.SANITIZE);
      assertThat(erasing).containsExactly("sanitize 0x2");
      assertThat(rig.bus.time().nanoTime() - start)
          .isGreaterThanOrEqualTo(NvmeEraser.LEAST_SANITIZE.toNanos() / 2);
    }
  }

  @ParameterizedTest
  @CsvSource({"10, 300", "1000, 2000", "4294967294, 86400", "4294967295, 86400"})
  @Tag("virtual-time")
  void oneThatNeverEndsIsGivenUp(long estimate, long limit) {
    try (Rig rig = rig(model -> neverDone(model))) {
      log.setEstimatedSeconds(AdminCommand.SANITIZE_BLOCK_ERASE, estimate);
      assertThatExceptionOfType(DeviceTimeoutException.class)
          .isThrownBy(() -> erase(rig, EraseMethod.SANITIZE))
          .withMessageContaining("not done within " + limit + " s (progress 65534 of 65536)");
    }
  }

  private void neverDone(ScriptedNvme model) {
    ScriptedNvme.Script before = model.script;
    model.script =
        command -> {
          before.on(command);
          if (command.isAdmin() && command.opcode == AdminOpcode.SANITIZE) {
            log.setSstat(SanitizeStatusLog.STATUS_IN_PROGRESS);
            log.setProgress(65534);
          }
        };
  }

  @ParameterizedTest
  @CsvSource({"0", "3", "7"})
  void oneThatDidNotSucceedIsSaid(int status) {
    try (Rig rig = rig(model -> model.script = ending(model, status, 0x2))) {
      assertThatExceptionOfType(PciException.class)
          .isThrownBy(() -> erase(rig, EraseMethod.SANITIZE))
          .withMessageContaining("sanitizing failed (SSTAT 0x%04x, SANACT 2)", status);
    }
  }

  @Test
  void aLogAboutAnotherCommandIsNotBelieved() {
    try (Rig rig = rig(model -> model.script = ending(model, 1, 0x4))) {
      assertThatExceptionOfType(DeviceProtocolException.class)
          .isThrownBy(() -> erase(rig, EraseMethod.SANITIZE))
          .withMessageContaining("about command 0x4, where 0x2 was the last");
    }
  }

  private ScriptedNvme.Script ending(ScriptedNvme model, int status, int dword10) {
    ScriptedNvme.Script before = model.script;
    return command -> {
      before.on(command);
      if (command.isAdmin() && command.opcode == AdminOpcode.SANITIZE) {
        log.setSstat(status);
        log.setCommandDword10(dword10);
      }
    };
  }
}
