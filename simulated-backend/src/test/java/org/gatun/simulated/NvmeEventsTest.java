package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.function.Consumer;
import org.gatun.pci.DmaBuffer;
import org.gatun.simulated.RawNvme.Done;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.AsynchronousEvent;
import org.gatun.specs.nvme.Features;
import org.gatun.specs.nvme.FirmwareSlotLog;
import org.gatun.specs.nvme.LogPage;
import org.gatun.specs.nvme.NamespaceList;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SanitizeStatusLog;
import org.gatun.specs.nvme.SmartLog;
import org.gatun.specs.nvme.SubmissionEntry;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Asynchronous events (Base 5.2) that the host asks for, and the log pages that clear them. */
@NullMarked
class NvmeEventsTest {
  private static final int PAGE = 4096;
  private static final int FORMAT_4096 =
      AdminCommand.formatDword10(1, AdminCommand.SECURE_ERASE_NONE);
  private static final int FORMAT_512 =
      AdminCommand.formatDword10(0, AdminCommand.SECURE_ERASE_NONE);

  private static final int NAMESPACE_CHANGED =
      AsynchronousEvent.dword0(
          AsynchronousEvent.TYPE_NOTICE,
          AsynchronousEvent.NOTICE_NAMESPACE_ATTRIBUTE_CHANGED,
          LogPage.CHANGED_NAMESPACE_LIST);
  private static final int FIRMWARE_ACTIVATION =
      AsynchronousEvent.dword0(
          AsynchronousEvent.TYPE_NOTICE,
          AsynchronousEvent.NOTICE_FIRMWARE_ACTIVATION_STARTING,
          LogPage.FIRMWARE_SLOT);
  private static final int TOO_WARM_OR_COLD =
      AsynchronousEvent.dword0(
          AsynchronousEvent.TYPE_SMART,
          AsynchronousEvent.SMART_TEMPERATURE_THRESHOLD,
          LogPage.SMART);

  private final SimulatedBus bus = SimulatedBus.virtualTime();

  @AfterEach
  void close() {
    bus.close();
  }

  private RawNvme start(Consumer<NvmeModel.Builder> options) {
    NvmeModel.Builder builder = NvmeModel.builder().size(1 << 20).namespaces(3);
    options.accept(builder);
    RawNvme nvme = new RawNvme(bus.open(bus.plug("nvme", builder.build())));
    nvme.enable();
    return nvme;
  }

  private static void set(RawNvme nvme, int feature, int value) {
    assertThat(nvme.feature(AdminOpcode.SET_FEATURES, feature, value).status()).isZero();
  }

  private static void enable(RawNvme nvme, int events) {
    set(nvme, Features.ASYNCHRONOUS_EVENT_CONFIGURATION, events);
  }

  /** Puts a command, whose completion comes together with others. */
  private static void put(RawNvme nvme, int opcode, int nsid, long prp1, int dword10) {
    nvme.admin.put(opcode, nsid, prp1, 0, dword10, 0, 0);
    nvme.admin.ring();
  }

  private static void setQuietly(RawNvme nvme, int feature, int value) {
    nvme.admin.put(AdminOpcode.SET_FEATURES, 0, 0, 0, feature, value, 0);
    nvme.admin.ring();
  }

  private static void activate(RawNvme nvme, int slot) {
    int dword10 = AdminCommand.commitDword10(slot, AdminCommand.COMMIT_ACTIVATE_NOW);
    put(nvme, AdminOpcode.FIRMWARE_COMMIT, 0, 0, dword10);
  }

  private static void takeSuccess(RawNvme nvme) {
    assertThat(nvme.admin.take().status()).isZero();
  }

  private static void takeEvent(RawNvme nvme, int request, int event) {
    Done done = nvme.admin.take();
    assertThat(done.id()).isEqualTo(request);
    assertThat(done.status()).isZero();
    assertThat(done.dword0()).isEqualTo(event);
    assertThat(nvme.admin.hasCompletion()).isFalse();
  }

  /** Reads a page that makes the next event come, if there is one. */
  private static void read(RawNvme nvme, int page, int size, DmaBuffer data) {
    nvme.admin.put(
        AdminOpcode.GET_LOG_PAGE,
        SubmissionEntry.NSID_ALL,
        data.busAddress(),
        0,
        AdminCommand.logPageDword10(page, false, size),
        0,
        0);
    nvme.admin.ring();
    takeSuccess(nvme);
  }

  private static int[] changed(RawNvme nvme, DmaBuffer data, boolean retain) {
    int dword10 =
        AdminCommand.logPageDword10(LogPage.CHANGED_NAMESPACE_LIST, retain, NamespaceList.SIZE);
    assertThat(
            nvme.admin
                .run(AdminOpcode.GET_LOG_PAGE, 0, data.busAddress(), 0, dword10, 0, 0)
                .status())
        .isZero();
    NamespaceList list = NamespaceList.copyOf(data.segment());
    int[] ids = new int[list.count()];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = list.namespaceId(i);
    }
    return ids;
  }

  @Test
  void offersWhatItReports() {
    RawNvme nvme = start(b -> {});
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    assertThat(nvme.identifyController(data).oaes())
        .isEqualTo(Features.EVENT_NAMESPACE_ATTRIBUTE | Features.EVENT_FIRMWARE_ACTIVATION);
  }

  @Test
  void tellsThatNamespacesHaveChanged() {
    RawNvme nvme = start(b -> {});
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    enable(nvme, Features.EVENT_NAMESPACE_ATTRIBUTE);
    int request = nvme.requestEvent();

    put(nvme, AdminOpcode.FORMAT_NVM, 2, 0, FORMAT_4096);

    takeSuccess(nvme);
    takeEvent(nvme, request, NAMESPACE_CHANGED);
    int second = nvme.requestEvent();
    assertThat(nvme.format(3, FORMAT_4096)).as("no event before the list is read").isZero();
    assertThat(changed(nvme, data, true)).containsExactly(2, 3);
    assertThat(changed(nvme, data, false)).containsExactly(2, 3);
    assertThat(changed(nvme, data, false)).isEmpty();

    put(nvme, AdminOpcode.FORMAT_NVM, 2, 0, FORMAT_512);
    takeSuccess(nvme);
    takeEvent(nvme, second, NAMESPACE_CHANGED);
    assertThat(changed(nvme, data, false)).containsExactly(2);
  }

  /** A format that leaves the blocks as they are changes nothing of what is told of them. */
  @Test
  void aFormatToTheSameIsNoChange() {
    RawNvme nvme = start(b -> {});
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    enable(nvme, Features.EVENT_NAMESPACE_ATTRIBUTE);
    nvme.requestEvent();
    assertThat(nvme.format(SubmissionEntry.NSID_ALL, FORMAT_512)).isZero();
    assertThat(changed(nvme, data, false)).isEmpty();
  }

  @Test
  void tellsWhenAFormatIsDone() {
    RawNvme nvme = start(b -> b.formatTime(Duration.ofSeconds(1)));
    enable(nvme, Features.EVENT_NAMESPACE_ATTRIBUTE);
    int request = nvme.requestEvent();
    put(nvme, AdminOpcode.FORMAT_NVM, 1, 0, FORMAT_4096);
    assertThat(nvme.admin.hasCompletion()).isFalse();

    bus.time().sleep(Duration.ofSeconds(1));

    takeSuccess(nvme);
    takeEvent(nvme, request, NAMESPACE_CHANGED);
  }

  @Test
  void tellsThatFirmwareIsActivated() {
    RawNvme nvme = start(b -> {});
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    enable(nvme, Features.EVENT_FIRMWARE_ACTIVATION);
    int request = nvme.requestEvent();

    activate(nvme, 1);

    takeSuccess(nvme);
    takeEvent(nvme, request, FIRMWARE_ACTIVATION);
    int second = nvme.requestEvent();
    activate(nvme, 1);
    takeSuccess(nvme);
    assertThat(nvme.admin.hasCompletion()).as("before the slots are read").isFalse();
    read(nvme, LogPage.FIRMWARE_SLOT, FirmwareSlotLog.SIZE, data);
    activate(nvme, 1);
    takeSuccess(nvme);
    takeEvent(nvme, second, FIRMWARE_ACTIVATION);
  }

  @Test
  void onlyWhatTheHostHasAskedFor() {
    RawNvme nvme = start(b -> {});
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    nvme.requestEvent();
    assertThat(nvme.format(1, FORMAT_4096)).isZero();
    int dword10 = AdminCommand.commitDword10(1, AdminCommand.COMMIT_ACTIVATE_NOW);
    assertThat(nvme.admin.run(AdminOpcode.FIRMWARE_COMMIT, 0, 0, 0, dword10, 0, 0).status())
        .isZero();
    set(nvme, Features.TEMPERATURE_THRESHOLD, 280);
    enable(nvme, Features.EVENT_NAMESPACE_ATTRIBUTE | Features.EVENT_FIRMWARE_ACTIVATION);
    assertThat(nvme.admin.hasCompletion()).as("what was before").isFalse();
    assertThat(changed(nvme, data, false)).as("the list has it even so").containsExactly(1);
  }

  /** Both are notices: the second waits until what the first is about was read. */
  @Test
  void aNoticeThatIsMaskedComesLater() {
    RawNvme nvme = start(b -> {});
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    enable(nvme, Features.EVENT_NAMESPACE_ATTRIBUTE | Features.EVENT_FIRMWARE_ACTIVATION);
    int first = nvme.requestEvent();
    int second = nvme.requestEvent();
    put(nvme, AdminOpcode.FORMAT_NVM, 1, 0, FORMAT_4096);
    takeSuccess(nvme);
    takeEvent(nvme, first, NAMESPACE_CHANGED);
    activate(nvme, 1);
    takeSuccess(nvme);
    assertThat(nvme.admin.hasCompletion()).isFalse();

    read(nvme, LogPage.FIRMWARE_SLOT, FirmwareSlotLog.SIZE, data);
    assertThat(nvme.admin.hasCompletion()).as("that was not the page").isFalse();
    read(nvme, LogPage.CHANGED_NAMESPACE_LIST, NamespaceList.SIZE, data);

    takeEvent(nvme, second, FIRMWARE_ACTIVATION);
  }

  /** At 293 kelvins: over is at least, under at most the threshold (Base 5.27.1.3). */
  @ParameterizedTest
  @CsvSource({"293, true", "294, false", "0x100125, true", "0x100124, false"})
  void warnsOfTemperature(String threshold, boolean isBeyond) {
    RawNvme nvme = start(b -> {});
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    enable(nvme, SmartLog.CRITICAL_WARNING_TEMPERATURE);
    int request = nvme.requestEvent();

    setQuietly(nvme, Features.TEMPERATURE_THRESHOLD, Integer.decode(threshold));

    takeSuccess(nvme);
    assertThat(nvme.admin.hasCompletion()).isEqualTo(isBeyond);
    if (isBeyond) {
      takeEvent(nvme, request, TOO_WARM_OR_COLD);
    }
    assertThat(nvme.logPage(LogPage.SMART, SmartLog.SIZE, data)).isZero();
    SmartLog log = SmartLog.copyOf(data.segment());
    assertThat(log.compositeTemperature()).isEqualTo(293);
    assertThat(log.criticalWarning())
        .isEqualTo(isBeyond ? SmartLog.CRITICAL_WARNING_TEMPERATURE : 0);
  }

  @Test
  void warnsAgainWhenItCrossesAgain() {
    RawNvme nvme = start(b -> {});
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    set(nvme, Features.TEMPERATURE_THRESHOLD, 280);
    int first = nvme.requestEvent();
    setQuietly(
        nvme, Features.ASYNCHRONOUS_EVENT_CONFIGURATION, SmartLog.CRITICAL_WARNING_TEMPERATURE);
    takeSuccess(nvme);
    takeEvent(nvme, first, TOO_WARM_OR_COLD);
    read(nvme, LogPage.SMART, SmartLog.SIZE, data);
    int second = nvme.requestEvent();
    set(nvme, Features.TEMPERATURE_THRESHOLD, 281);
    set(nvme, Features.TEMPERATURE_THRESHOLD, 343);

    setQuietly(nvme, Features.TEMPERATURE_THRESHOLD, 280);

    takeSuccess(nvme);
    takeEvent(nvme, second, TOO_WARM_OR_COLD);
  }

  @Test
  void tellsThatSanitizingIsDone() {
    RawNvme nvme = start(b -> {});
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    int request = nvme.requestEvent();
    int dword10 = AdminCommand.sanitizeDword10(AdminCommand.SANITIZE_BLOCK_ERASE);
    put(nvme, AdminOpcode.SANITIZE, 0, 0, dword10);
    takeSuccess(nvme);
    takeEvent(
        nvme,
        request,
        AsynchronousEvent.dword0(
            AsynchronousEvent.TYPE_IO_COMMAND_SPECIFIC,
            AsynchronousEvent.IO_SANITIZE_COMPLETED,
            LogPage.SANITIZE_STATUS));
    read(nvme, LogPage.SANITIZE_STATUS, SanitizeStatusLog.SIZE, data);
    assertThat(nvme.admin.hasCompletion()).isFalse();
  }

  @Test
  void aResetForgetsRequestsAndWhatTheHostHasAskedFor() {
    RawNvme nvme = start(b -> {});
    enable(nvme, Features.EVENT_NAMESPACE_ATTRIBUTE);
    nvme.requestEvent();

    nvme.configure(0);
    RawNvme again = new RawNvme(nvme.device);
    again.enable();
    for (int i = 0; i < 4; i++) {
      again.requestEvent();
    }
    assertThat(again.admin.hasCompletion()).as("there is room for all").isFalse();
    assertThat(again.format(1, FORMAT_4096)).isZero();
    assertThat(again.admin.run(AdminOpcode.ASYNCHRONOUS_EVENT_REQUEST, 0, 0, 0, 0, 0, 0).code())
        .isEqualTo(NvmeStatus.ASYNCHRONOUS_EVENT_REQUEST_LIMIT_EXCEEDED.status());
  }
}
