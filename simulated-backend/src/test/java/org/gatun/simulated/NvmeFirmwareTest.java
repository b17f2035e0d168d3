package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.Arrays;
import org.gatun.pci.DmaBuffer;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.FirmwareSlotLog;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.LogPage;
import org.gatun.specs.nvme.NvmeStatus;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Firmware slots (Base 3.11, 5.12 and 5.13). */
@NullMarked
class NvmeFirmwareTest {
  private static final int PAGE = 4096;
  private static final int INVALID_IMAGE = NvmeStatus.INVALID_FIRMWARE_IMAGE.status();
  private static final int INVALID_SLOT = NvmeStatus.INVALID_FIRMWARE_SLOT.status();
  private static final int INVALID_FIELD = NvmeStatus.INVALID_FIELD_IN_COMMAND.status();

  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final RawNvme nvme =
      new RawNvme(bus.open(bus.plug("nvme", NvmeModel.builder().size(1 << 20).build())));
  private final DmaBuffer data = nvme.device.dma().allocate(2L * PAGE, PAGE);

  NvmeFirmwareTest() {
    nvme.enable();
  }

  @AfterEach
  void close() {
    bus.close();
  }

  /** An image of 5000 bytes. */
  private static byte[] image(String revision) {
    return Arrays.copyOf(new NvmeFirmware(revision).image(), 5000);
  }

  private int download(byte[] image, int offset, int size) {
    data.copyIn(0, Arrays.copyOfRange(image, offset, offset + size));
    return nvme.admin
        .run(
            AdminOpcode.FIRMWARE_IMAGE_DOWNLOAD,
            0,
            data.busAddress(),
            data.busAddress() + PAGE,
            AdminCommand.downloadDword10(size),
            AdminCommand.downloadDword11(offset),
            0)
        .code();
  }

  private void download(String revision) {
    assertThat(download(image(revision), 0, 5000)).isZero();
  }

  private int commit(int slot, int action) {
    int dword10 = AdminCommand.commitDword10(slot, action);
    return nvme.admin.run(AdminOpcode.FIRMWARE_COMMIT, 0, 0, 0, dword10, 0, 0).code();
  }

  private String running(RawNvme host) {
    return host.identifyController(data).firmwareRevision();
  }

  private RawNvme afterReset() {
    nvme.configure(0);
    RawNvme again = new RawNvme(nvme.device);
    again.enable();
    return again;
  }

  private FirmwareSlotLog log(RawNvme host) {
    assertThat(host.logPage(LogPage.FIRMWARE_SLOT, FirmwareSlotLog.SIZE, data)).isZero();
    return new FirmwareSlotLog(data.segment());
  }

  @Test
  void beginsWithWhatIsInTheReadOnlySlot() {
    IdentifyController controller = nvme.identifyController(data);
    assertThat(controller.oacs() & IdentifyController.OACS_FIRMWARE).isNotZero();
    assertThat(controller.firmwareSlots()).isEqualTo(3);
    assertThat(controller.frmw()).isEqualTo(0x17); // of 3, the first read only; without reset
    assertThat(controller.firmwareRevision()).isEqualTo("1.0");

    FirmwareSlotLog log = log(nvme);

    assertThat(log.activeSlot()).isEqualTo(1);
    assertThat(log.nextSlot()).isZero();
    assertThat(log.revision(1)).isEqualTo("1.0");
    assertThat(log.revision(2)).isEmpty();
  }

  @Test
  void activatesAtTheNextReset() {
    download("2.0");
    assertThat(commit(2, AdminCommand.COMMIT_REPLACE_AND_ACTIVATE)).isZero();
    assertThat(running(nvme)).isEqualTo("1.0");
    FirmwareSlotLog log = log(nvme);
    assertThat(log.activeSlot()).isEqualTo(1);
    assertThat(log.nextSlot()).isEqualTo(2);
    assertThat(log.revision(2)).isEqualTo("2.0");

    RawNvme again = afterReset();

    assertThat(running(again)).isEqualTo("2.0");
    log = log(again);
    assertThat(log.activeSlot()).isEqualTo(2);
    assertThat(log.nextSlot()).isZero();
    again.device.reset();
    RawNvme third = new RawNvme(nvme.device);
    third.enable();
    assertThat(running(third)).as("after one more").isEqualTo("2.0");
  }

  @Test
  void replacesFirstAndActivatesLater() {
    download("2.0");
    assertThat(commit(3, AdminCommand.COMMIT_REPLACE)).isZero();
    assertThat(log(nvme).nextSlot()).isZero();
    assertThat(log(nvme).revision(3)).isEqualTo("2.0");

    assertThat(commit(3, AdminCommand.COMMIT_ACTIVATE)).isZero();
    assertThat(log(nvme).nextSlot()).isEqualTo(3);
    assertThat(commit(1, AdminCommand.COMMIT_ACTIVATE)).as("back").isZero();

    assertThat(running(afterReset())).isEqualTo("1.0");
  }

  @Test
  void activatesWithoutReset() {
    download("2.0");
    assertThat(commit(2, AdminCommand.COMMIT_ACTIVATE_NOW)).isZero();
    assertThat(running(nvme)).isEqualTo("2.0");
    assertThat(log(nvme).activeSlot()).isEqualTo(2);

    assertThat(commit(1, AdminCommand.COMMIT_ACTIVATE_NOW)).as("with nothing downloaded").isZero();
    assertThat(running(nvme)).isEqualTo("1.0");
  }

  /** An image in the active slot runs when it is activated, not before. */
  @Test
  void whatRunsGoesOnWhenItsSlotIsReplaced() {
    download("2.0");
    assertThat(commit(2, AdminCommand.COMMIT_ACTIVATE_NOW)).isZero();
    download("3.0");
    assertThat(commit(2, AdminCommand.COMMIT_REPLACE)).isZero();
    assertThat(running(nvme)).isEqualTo("2.0");
    assertThat(log(nvme).revision(2)).isEqualTo("3.0");
  }

  @Test
  void choosesASlotThatIsFree() {
    download("2.0");
    assertThat(commit(0, AdminCommand.COMMIT_ACTIVATE_NOW)).isZero();
    int first = log(nvme).activeSlot();
    download("3.0");
    assertThat(commit(0, AdminCommand.COMMIT_ACTIVATE_NOW)).isZero();
    assertThat(log(nvme).activeSlot()).isNotEqualTo(first).isNotEqualTo(1);
    assertThat(log(nvme).revision(first)).isEqualTo("2.0");
  }

  @Test
  void takesPartsInAnyOrder() {
    byte[] image = image("2.0");
    assertThat(download(image, 12, 4988)).isZero();
    assertThat(download(image, 0, 8)).isZero();
    assertThat(download(image, 8, 4)).isZero();
    assertThat(commit(2, AdminCommand.COMMIT_ACTIVATE_NOW)).isZero();
    assertThat(running(nvme)).isEqualTo("2.0");
  }

  @Test
  void refusesPartsThatOverlapOrAreTooMuch() {
    byte[] image = image("2.0");
    assertThat(download(image, 8, 8)).isZero();
    int overlap = NvmeStatus.OVERLAPPING_RANGE.status();
    assertThat(download(image, 8, 8)).isEqualTo(overlap);
    assertThat(download(image, 12, 8)).isEqualTo(overlap);
    assertThat(download(image, 0, 12)).isEqualTo(overlap);
    assertThat(download(image, 0, 8)).isZero();

    for (long[] sizeAndOffset :
        new long[][] {{4, 16 << 20}, {1 << 20, 0}, {4L << 32, 0}, {4, (4L << 32) - 4}}) {
      assertThat(
              nvme.admin
                  .run(
                      AdminOpcode.FIRMWARE_IMAGE_DOWNLOAD,
                      0,
                      data.busAddress(),
                      0,
                      AdminCommand.downloadDword10(sizeAndOffset[0]),
                      AdminCommand.downloadDword11(sizeAndOffset[1]),
                      0)
                  .code())
          .isEqualTo(INVALID_FIELD);
    }
    assertThat(commit(2, AdminCommand.COMMIT_ACTIVATE_NOW)).as("it is all there").isZero();
  }

  @Test
  void aPartThatIsNotReachableIsNotThere() {
    int dword10 = AdminCommand.downloadDword10(16);
    assertThat(
            nvme.admin
                .run(AdminOpcode.FIRMWARE_IMAGE_DOWNLOAD, 0, 0x7000_0000, 0, dword10, 0, 0)
                .code())
        .isEqualTo(NvmeStatus.DATA_TRANSFER_ERROR.status());
    assertThat(commit(2, AdminCommand.COMMIT_REPLACE)).isEqualTo(INVALID_IMAGE);
    download("2.0");
    assertThat(commit(2, AdminCommand.COMMIT_REPLACE)).isZero();
  }

  @Test
  void refusesWhatIsNoImage() {
    assertThat(commit(2, AdminCommand.COMMIT_REPLACE)).as("nothing").isEqualTo(INVALID_IMAGE);
    byte[] image = image("2.0");
    download(image, 0, 12);
    assertThat(commit(2, AdminCommand.COMMIT_REPLACE)).as("too short").isEqualTo(INVALID_IMAGE);
    download(image, 0, 16);
    download(image, 20, 16);
    assertThat(commit(2, AdminCommand.COMMIT_REPLACE)).as("a hole").isEqualTo(INVALID_IMAGE);
    download(image, 4, 4996);
    assertThat(commit(2, AdminCommand.COMMIT_REPLACE)).as("no start").isEqualTo(INVALID_IMAGE);
    download(new byte[5000], 0, 5000);
    assertThat(commit(2, AdminCommand.COMMIT_REPLACE)).as("zeros").isEqualTo(INVALID_IMAGE);
    image[9] = 0x07;
    download(image, 0, 5000);
    assertThat(commit(2, AdminCommand.COMMIT_ACTIVATE_NOW))
        .as("a revision that is no text")
        .isEqualTo(INVALID_IMAGE);
    assertThat(log(nvme).revision(2)).isEmpty();
    assertThat(running(nvme)).isEqualTo("1.0");

    download("2.0"); // what was refused is gone, and does not overlap
    assertThat(commit(2, AdminCommand.COMMIT_REPLACE)).isZero();
  }

  @Test
  void refusesSlotsThatItLacksOrThatAreEmptyOrReadOnly() {
    download("2.0");
    for (int action : new int[] {0, 1, 3}) {
      assertThat(commit(1, action)).isEqualTo(INVALID_SLOT);
    }
    for (int slot = 4; slot <= 7; slot++) {
      assertThat(commit(slot, AdminCommand.COMMIT_REPLACE)).isEqualTo(INVALID_SLOT);
    }
    assertThat(commit(2, AdminCommand.COMMIT_ACTIVATE)).isEqualTo(INVALID_IMAGE);
    assertThat(commit(2, AdminCommand.COMMIT_REPLACE)).as("it is still there").isZero();
    assertThat(commit(3, AdminCommand.COMMIT_ACTIVATE_NOW)).isEqualTo(INVALID_IMAGE);
  }

  @ParameterizedTest
  @ValueSource(ints = {4, 5, 6, 7})
  void hasNoBootPartitions(int action) {
    download("2.0");
    assertThat(commit(2, action)).isEqualTo(INVALID_FIELD);
  }

  @Test
  void aResetDiscardsWhatWasDownloaded() {
    download("2.0");
    RawNvme again = afterReset();
    int dword10 = AdminCommand.commitDword10(2, AdminCommand.COMMIT_REPLACE);
    assertThat(again.admin.run(AdminOpcode.FIRMWARE_COMMIT, 0, 0, 0, dword10, 0, 0).code())
        .isEqualTo(INVALID_IMAGE);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "123456789", "1 0", "1.0\u0007", "é"})
  void aRevisionIsShortText(String revision) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new NvmeFirmware(revision))
        .withMessageContaining("1 to 8 printable");
  }
}
