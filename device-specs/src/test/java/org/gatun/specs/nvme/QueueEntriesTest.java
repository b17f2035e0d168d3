package org.gatun.specs.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

class QueueEntriesTest {
  @Test
  void aReadCommandAsItIsOnTheWire() {
    ByteBuffer entry = ByteBuffer.allocate(SubmissionEntry.SIZE).order(ByteOrder.LITTLE_ENDIAN);
    entry.putInt(SubmissionEntry.DWORD0, SubmissionEntry.dword0(NvmOpcode.READ, 0xbeef));
    entry.putInt(SubmissionEntry.NSID, 1);
    entry.putLong(SubmissionEntry.MPTR, 0x1111111111111111L);
    entry.putLong(SubmissionEntry.PRP1, 0x0000000123456000L);
    entry.putLong(SubmissionEntry.PRP2, 0x00000002aabbc000L);
    entry.putLong(NvmCommand.SLBA, 0x0807060504030201L);
    entry.putInt(SubmissionEntry.DWORD12, NvmCommand.dword12(8, NvmCommand.FORCE_UNIT_ACCESS));
    entry.putInt(SubmissionEntry.DWORD13, 0x13131313);
    entry.putInt(SubmissionEntry.DWORD14, 0x14141414);
    entry.putInt(SubmissionEntry.DWORD15, 0x15151515);

    assertThat(HexFormat.of().formatHex(entry.array()))
        .isEqualTo(
            "0200efbe01000000"
                + "0000000000000000"
                + "1111111111111111"
                + "0060452301000000"
                + "00c0bbaa02000000"
                + "0102030405060708"
                + "0700004013131313"
                + "1414141415151515");
  }

  @Test
  void dword0OfASubmission() {
    int dword0 = SubmissionEntry.dword0(0xff, 0xfffe);
    assertThat(dword0).isEqualTo(0xfffe00ff);
    assertThat(SubmissionEntry.opcode(dword0)).isEqualTo(0xff);
    assertThat(SubmissionEntry.commandId(dword0)).isEqualTo(0xfffe);
    assertThat(SubmissionEntry.fuse(0x0200)).isEqualTo(SubmissionEntry.FUSE_SECOND);
    assertThat(SubmissionEntry.psdt(0x4000)).isEqualTo(SubmissionEntry.PSDT_SGL_BUFFER);
    assertThat(SubmissionEntry.withFuse(0, SubmissionEntry.FUSE_FIRST)).isEqualTo(0x100);
    assertThat(SubmissionEntry.withPsdt(0, SubmissionEntry.PSDT_SGL_SEGMENT)).isEqualTo(0x8000);
    assertThatThrownBy(() -> SubmissionEntry.dword0(1, 0x10000)).hasMessageContaining("CDW0.CID");
  }

  @Test
  void aCompletionAsItIsOnTheWire() {
    ByteBuffer entry = ByteBuffer.allocate(CompletionEntry.SIZE).order(ByteOrder.LITTLE_ENDIAN);
    entry.putInt(CompletionEntry.DWORD0, 0x04030201);
    entry.putInt(CompletionEntry.DWORD1, 0x08070605);
    entry.putInt(CompletionEntry.DWORD2, CompletionEntry.dword2(0x0a09, 0x0c0b));
    entry.putInt(
        CompletionEntry.DWORD3,
        CompletionEntry.dword3(
            0x1234, true, NvmeStatus.LBA_OUT_OF_RANGE.status() | NvmeStatus.DO_NOT_RETRY));

    // The last word: DNR in bit 15, SCT 0 in 11:9, SC 80h in 8:1, the phase in bit 0.
    assertThat(HexFormat.of().formatHex(entry.array()))
        .isEqualTo("01020304050607080" + "90a0b0c" + "34120181");
  }

  @Test
  void takesACompletionApart() {
    int dword3 = 0x81011234;
    assertThat(CompletionEntry.commandId(dword3)).isEqualTo(0x1234);
    assertThat(CompletionEntry.phase(dword3)).isTrue();
    assertThat(CompletionEntry.phase(0x81001234)).isFalse();
    assertThat(NvmeStatus.of(CompletionEntry.status(dword3))).contains(NvmeStatus.LBA_OUT_OF_RANGE);
    assertThat(CompletionEntry.submissionQueueHead(0xfffe0001)).isEqualTo(1);
    assertThat(CompletionEntry.submissionQueueId(0xfffe0001)).isEqualTo(0xfffe);
  }

  @Test
  void allOnesIsACompletionToo() {
    assertThat(CompletionEntry.commandId(-1)).isEqualTo(0xffff);
    assertThat(CompletionEntry.phase(-1)).isTrue();
    assertThat(CompletionEntry.status(-1)).isEqualTo(0x7fff);
  }

  @Test
  void blocksAreZeroBased() {
    assertThat(NvmCommand.dword12(1, 0)).isZero();
    assertThat(NvmCommand.dword12(65536, NvmCommand.LIMITED_RETRY)).isEqualTo(0x8000ffff);
    assertThat(NvmCommand.blocks(0xffff0000)).isEqualTo(1);
    assertThatThrownBy(() -> NvmCommand.dword12(0, 0)).hasMessageContaining("CDW12.NLB");
    assertThatThrownBy(() -> NvmCommand.dword12(65537, 0)).hasMessageContaining("65537");
    assertThat(NvmCommand.rangesDword10(256)).isEqualTo(255);
    assertThat(NvmCommand.ranges(255)).isEqualTo(256);
    assertThatThrownBy(() -> NvmCommand.rangesDword10(257)).hasMessageContaining("257");
  }

  @Test
  void flagsOfDword12() {
    assertThat(NvmCommand.LIMITED_RETRY).isEqualTo(0x80000000);
    assertThat(NvmCommand.FORCE_UNIT_ACCESS).isEqualTo(0x40000000);
    assertThat(NvmCommand.PROTECTION_ACTION).isEqualTo(0x20000000);
    assertThat(NvmCommand.CHECK_GUARD).isEqualTo(0x10000000);
    assertThat(NvmCommand.CHECK_APPLICATION_TAG).isEqualTo(0x08000000);
    assertThat(NvmCommand.CHECK_REFERENCE_TAG).isEqualTo(0x04000000);
    assertThat(NvmCommand.DEALLOCATE_ZEROES).isEqualTo(0x02000000);
  }
}
