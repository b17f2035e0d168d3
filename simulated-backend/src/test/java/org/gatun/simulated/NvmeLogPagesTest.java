package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.gatun.pci.DmaBuffer;
import org.gatun.simulated.RawNvme.Queue;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.CommandEffectsLog;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.LogPage;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SmartLog;
import org.gatun.specs.nvme.SupportedLogPages;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Log pages (Base 5.16), against what the controller does. */
@NullMarked
class NvmeLogPagesTest {
  private static final int PAGE = 4096;

  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final RawNvme nvme =
      new RawNvme(bus.open(bus.plug("nvme", NvmeModel.builder().size(1 << 20).build())));
  private final DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);

  NvmeLogPagesTest() {
    nvme.enable();
  }

  @AfterEach
  void close() {
    bus.close();
  }

  @Test
  void thosePagesAreSupportedThatCanBeRead() {
    DmaBuffer page = nvme.device.dma().allocate(PAGE, PAGE);
    assertThat(nvme.logPage(LogPage.SUPPORTED_LOG_PAGES, SupportedLogPages.SIZE, data)).isZero();
    SupportedLogPages supported = new SupportedLogPages(data.segment());
    for (int id = 0; id < 256; id++) {
      assertThat(nvme.logPage(id, 512, page))
          .as("log page %x", id)
          .isEqualTo(supported.supports(id) ? 0 : NvmeStatus.INVALID_LOG_PAGE.status());
    }
    assertThat(supported.supports(LogPage.SMART)).isTrue();
  }

  @Test
  void thoseCommandsAreSupportedThatAreKnown() {
    assertThat(nvme.identifyController(data).lpa() & IdentifyController.LPA_COMMAND_EFFECTS)
        .isNotZero();
    int id = LogPage.COMMANDS_SUPPORTED_AND_EFFECTS;
    assertThat(nvme.logPage(id, CommandEffectsLog.SIZE, data)).isZero();
    CommandEffectsLog log = new CommandEffectsLog(data.segment());
    DmaBuffer other = nvme.device.dma().allocate(PAGE, PAGE);
    Queue queue = nvme.createQueue(1);
    int unknown = NvmeStatus.INVALID_COMMAND_OPCODE.status();
    for (int opcode = 0; opcode < 256; opcode++) {
      // A request for an event has no answer.
      if (opcode != AdminOpcode.ASYNCHRONOUS_EVENT_REQUEST) {
        int code = nvme.admin.run(opcode, 0, other.busAddress(), 0, 0, 0, 0).code();
        assertThat((log.admin(opcode) & CommandEffectsLog.CSUPP) != 0)
            .as("Admin command %x", opcode)
            .isEqualTo(code != unknown);
      }
      int code = queue.run(opcode, 1, other.busAddress(), 0, 0, 0, 0).code();
      assertThat((log.io(opcode) & CommandEffectsLog.CSUPP) != 0)
          .as("I/O command %x", opcode)
          .isEqualTo(code != unknown);
    }
    assertThat(log.admin(AdminOpcode.ASYNCHRONOUS_EVENT_REQUEST))
        .isEqualTo(CommandEffectsLog.CSUPP);
    assertThat(log.admin(AdminOpcode.FORMAT_NVM))
        .isEqualTo(
            CommandEffectsLog.CSUPP
                | CommandEffectsLog.LBCC
                | CommandEffectsLog.NCC
                | CommandEffectsLog.CSE_NAMESPACE);
    assertThat(log.io(NvmOpcode.WRITE)).isEqualTo(CommandEffectsLog.CSUPP | CommandEffectsLog.LBCC);
    assertThat(log.io(NvmOpcode.READ)).isEqualTo(CommandEffectsLog.CSUPP);
  }

  @Test
  void partsCanBeRead() {
    int dword10 = AdminCommand.logPageDword10(LogPage.COMMANDS_SUPPORTED_AND_EFFECTS, false, 16);
    int writes = CommandEffectsLog.IOCS + 4 * NvmOpcode.WRITE;
    assertThat(
            nvme.admin
                .run(AdminOpcode.GET_LOG_PAGE, 0, data.busAddress(), 0, dword10, 0, writes)
                .status())
        .isZero();
    assertThat(data.getIntAcquire(0)).isEqualTo(CommandEffectsLog.CSUPP | CommandEffectsLog.LBCC);
    assertThat(data.getIntAcquire(16)).as("not a byte more").isZero();
  }

  @Test
  void pagesAreOfTheWholeController() {
    int dword10 = AdminCommand.logPageDword10(LogPage.SMART, false, SmartLog.SIZE);
    assertThat(
            nvme.admin.run(AdminOpcode.GET_LOG_PAGE, 1, data.busAddress(), 0, dword10, 0, 0).code())
        .isEqualTo(NvmeStatus.INVALID_FIELD_IN_COMMAND.status());
  }

  @Test
  void smartCounts() {
    bus.time().sleep(Duration.ofHours(3).minusNanos(1));
    Queue queue = nvme.createQueue(1);
    for (int i = 0; i < 126; i++) {
      assertThat(queue.io(NvmOpcode.WRITE, 0, 8, data.busAddress(), 0).status()).isZero();
    }
    queue.io(NvmOpcode.READ, 0, 1, data.busAddress(), 0);
    queue.io(NvmOpcode.READ, -1, 1, data.busAddress(), 0);
    assertThat(nvme.logPage(LogPage.SMART, SmartLog.SIZE, data)).isZero();
    SmartLog log = SmartLog.copyOf(data.segment());
    assertThat(log.hostWriteCommands()).isEqualTo(126);
    assertThat(log.dataUnitsWritten()).as("1,008 blocks, rounded up").isEqualTo(2);
    assertThat(log.hostReadCommands()).isEqualTo(1);
    assertThat(log.dataUnitsRead()).isEqualTo(1);
    assertThat(log.errorLogEntries()).isEqualTo(1);
    assertThat(log.powerOnHours()).isEqualTo(2);
    assertThat(log.powerCycles()).isEqualTo(1);

    bus.time().sleep(Duration.ofNanos(1));
    assertThat(nvme.logPage(LogPage.SMART, SmartLog.SIZE, data)).isZero();
    assertThat(SmartLog.copyOf(data.segment()).powerOnHours()).isEqualTo(3);
  }
}
