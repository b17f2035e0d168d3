package org.gatun.specs.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** Words of real controllers, taken apart and put together again. */
class RegistersTest {
  /** What QEMU 7.2's controller has: 2048 entries, CQR, 7.5 s, NVM + I/O sets + admin, 4K-64K. */
  private static final long QEMU_CAP = 0x004018200f0107ffL;

  @Test
  void takesCapApart() {
    assertThat(Cap.mqes(QEMU_CAP)).isEqualTo(0x7ff);
    assertThat(Cap.maxQueueEntries(QEMU_CAP)).isEqualTo(2048);
    assertThat(Cap.cqr(QEMU_CAP)).isTrue();
    assertThat(Cap.ams(QEMU_CAP)).isZero();
    assertThat(Cap.timeoutMillis(QEMU_CAP)).isEqualTo(7500);
    assertThat(Cap.dstrd(QEMU_CAP)).isZero();
    assertThat(Cap.nssrs(QEMU_CAP)).isFalse();
    assertThat(Cap.css(QEMU_CAP)).isEqualTo(Cap.CSS_NVM | 0xc0);
    assertThat(Cap.minPageSize(QEMU_CAP)).isEqualTo(4096);
    assertThat(Cap.maxPageSize(QEMU_CAP)).isEqualTo(65536);
    assertThat(Cap.cmbs(QEMU_CAP)).isFalse();
  }

  @Test
  void eachFieldOfCapIsAtItsBits() {
    assertThat(Cap.withMqes(0, 0xffff)).isEqualTo(0xffffL);
    assertThat(Cap.withCqr(0, true)).isEqualTo(1L << 16);
    assertThat(Cap.withAms(0, 3)).isEqualTo(3L << 17);
    assertThat(Cap.withTo(0, 0xff)).isEqualTo(0xffL << 24);
    assertThat(Cap.withDstrd(0, 0xf)).isEqualTo(0xfL << 32);
    assertThat(Cap.withNssrs(0, true)).isEqualTo(1L << 36);
    assertThat(Cap.withCss(0, 0xff)).isEqualTo(0xffL << 37);
    assertThat(Cap.withBps(0, true)).isEqualTo(1L << 45);
    assertThat(Cap.withMpsmin(0, 0xf)).isEqualTo(0xfL << 48);
    assertThat(Cap.withMpsmax(0, 0xf)).isEqualTo(0xfL << 52);
    assertThat(Cap.withPmrs(0, true)).isEqualTo(1L << 56);
    assertThat(Cap.withCmbs(0, true)).isEqualTo(1L << 57);
    assertThat(Cap.withNsss(0, true)).isEqualTo(1L << 58);
    assertThat(Cap.withCrms(0, 3)).isEqualTo(3L << 59);
  }

  @Test
  void aWriterLeavesTheOtherFields() {
    assertThat(Cap.withTo(-1L, 0)).isEqualTo(~(0xffL << 24));
    assertThat(Cc.withIocqes(-1, 0)).isEqualTo(~(0xf << 20));
  }

  @Test
  void aValueThatDoesNotFitIsRefusedByName() {
    assertThatThrownBy(() -> Cap.withDstrd(0, 16))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("CAP.DSTRD")
        .hasMessageContaining("16");
    assertThatThrownBy(() -> Cc.withShn(0, -1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("CC.SHN");
  }

  @Test
  void configurationAsLinuxWritesIt() {
    int cc =
        Cc.withEn(
            Cc.withIosqes(Cc.withIocqes(0, CompletionEntry.SIZE_LOG2), SubmissionEntry.SIZE_LOG2),
            true);
    assertThat(cc).isEqualTo(0x00460001);
    assertThat(Cc.withShn(cc, Cc.SHN_NORMAL)).isEqualTo(0x00464001);
    assertThat(Cc.shn(0x00468001)).isEqualTo(Cc.SHN_ABRUPT);
    assertThat(Cc.withMps(0, 1)).isEqualTo(0x80);
    assertThat(Cc.pageSize(0x80)).isEqualTo(8192);
    assertThat(Cc.withCss(0, Cc.CSS_ALL_SUPPORTED)).isEqualTo(0x60);
    assertThat(Cc.withAms(0, 1)).isEqualTo(0x800);
    assertThat(Cc.withCrime(0, true)).isEqualTo(1 << 24);
  }

  @Test
  void status() {
    assertThat(Csts.rdy(1)).isTrue();
    assertThat(Csts.cfs(1)).isFalse();
    assertThat(Csts.cfs(2)).isTrue();
    assertThat(Csts.shst(0x9)).isEqualTo(Csts.SHST_COMPLETE);
    assertThat(Csts.shst(0x5)).isEqualTo(Csts.SHST_OCCURRING);
    assertThat(Csts.nssro(0x10)).isTrue();
    assertThat(Csts.pp(0x20)).isTrue();
    assertThat(Csts.st(0x40)).isTrue();
    assertThat(Csts.isGone(0xffffffff)).isTrue();
    assertThat(Csts.isGone(0x7fffffff)).isFalse();
  }

  @Test
  void adminQueueAttributesCountEntries() {
    assertThat(Aqa.of(32, 64)).isEqualTo(0x003f001f);
    assertThat(Aqa.of(4096, 4096)).isEqualTo(0x0fff0fff);
    assertThat(Aqa.submissionEntries(0x003f001f)).isEqualTo(32);
    assertThat(Aqa.completionEntries(0x003f001f)).isEqualTo(64);
    assertThatThrownBy(() -> Aqa.of(4097, 2)).hasMessageContaining("AQA.ASQS");
    assertThatThrownBy(() -> Aqa.of(2, 0)).hasMessageContaining("AQA.ACQS");
  }

  @Test
  void doorbellsFollowTheStride() {
    assertThat(NvmeRegisters.submissionTailDoorbell(0, 0)).isEqualTo(0x1000);
    assertThat(NvmeRegisters.completionHeadDoorbell(0, 0)).isEqualTo(0x1004);
    assertThat(NvmeRegisters.submissionTailDoorbell(1, 0)).isEqualTo(0x1008);
    assertThat(NvmeRegisters.completionHeadDoorbell(1, 0)).isEqualTo(0x100c);
    assertThat(NvmeRegisters.submissionTailDoorbell(3, 4)).isEqualTo(0x1000 + 6 * 64);
    assertThat(NvmeRegisters.completionHeadDoorbell(0xffff, 15))
        .isEqualTo(0x1000 + 131071L * 131072L);
    assertThat(NvmeRegisters.sizeWithDoorbells(1, 0)).isEqualTo(0x1010);
  }

  @Test
  void versions() {
    assertThat(Version.text(0x00010400)).isEqualTo("1.4");
    assertThat(Version.text(0x00010302)).isEqualTo("1.3.2");
    assertThat(Version.isAtLeast(0x00020000, Version.V1_4)).isTrue();
    assertThat(Version.isAtLeast(0x00010200, Version.V1_3)).isFalse();
    assertThat(Version.isAtLeast(0xffffffff, Version.V2_0)).isTrue();
  }

  @Test
  void readyTimeouts() {
    assertThat(Crto.withMediaMillis(0x0002000a)).isEqualTo(5000);
    assertThat(Crto.independentOfMediaMillis(0x0002000a)).isEqualTo(1000);
    assertThat(Crto.of(10, 2)).isEqualTo(0x0002000a);
  }
}
