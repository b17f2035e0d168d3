package org.gatun.specs.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.util.HexFormat;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;

class AdminCommandTest {
  @Test
  void createsQueues() {
    assertThat(AdminCommand.createQueueDword10(3, 1024)).isEqualTo(0x03ff0003);
    assertThat(AdminCommand.queueId(0x03ff0003)).isEqualTo(3);
    assertThat(AdminCommand.queueEntries(0xffff0003)).isEqualTo(65536);
    assertThat(AdminCommand.completionQueueDword11()).isEqualTo(0x00000001);
    assertThat(AdminCommand.completionQueueDword11(5)).isEqualTo(0x00050003);
    assertThat(AdminCommand.areInterruptsEnabled(0x00050003)).isTrue();
    assertThat(AdminCommand.areInterruptsEnabled(0x00050001)).isFalse();
    assertThat(AdminCommand.isContiguous(0x00050002)).isFalse();
    assertThat(AdminCommand.interruptVector(0x00050003)).isEqualTo(5);
    assertThat(AdminCommand.submissionQueueDword11(3, AdminCommand.PRIORITY_MEDIUM))
        .isEqualTo(0x00030005);
    assertThat(AdminCommand.completionQueueId(0x00030005)).isEqualTo(3);
    assertThat(AdminCommand.priority(0x00030005)).isEqualTo(2);
    assertThat(AdminCommand.deleteQueueDword10(3)).isEqualTo(3);
    assertThatThrownBy(() -> AdminCommand.createQueueDword10(1, 65537))
        .hasMessageContaining("CDW10.QSIZE");
  }

  @Test
  void aborts() {
    assertThat(AdminCommand.abortDword10(2, 0xabcd)).isEqualTo(0xabcd0002);
    assertThat(AdminCommand.abortQueueId(0xabcd0002)).isEqualTo(2);
    assertThat(AdminCommand.abortCommandId(0xabcd0002)).isEqualTo(0xabcd);
    assertThat(AdminCommand.wasAborted(0)).isTrue();
    assertThat(AdminCommand.wasAborted(1)).isFalse();
  }

  @Test
  void identifies() {
    assertThat(AdminCommand.identifyDword10(Cns.ACTIVE_NAMESPACE_LIST)).isEqualTo(2);
    assertThat(AdminCommand.cns(0x00070013)).isEqualTo(0x13);
    assertThat(AdminCommand.controllerId(0x00070013)).isEqualTo(7);
    assertThat(AdminCommand.commandSet(0x02000000)).isEqualTo(2);
  }

  @Test
  void formatsAsItIs() {
    IdentifyNamespace namespace = IdentifyNamespace.create();
    namespace.setNlbaf(63);
    namespace.setFlbas(0x5a); // format 42, metadata at the end of each block
    namespace.setDps(0x0b); // type 3, in the first bytes
    int dword10 = AdminCommand.formatDword10(namespace, AdminCommand.SECURE_ERASE_USER_DATA);
    assertThat(dword10).isEqualTo(0x237a);
    assertThat(AdminCommand.formatIndex(dword10)).isEqualTo(42);
    assertThat(AdminCommand.protectionInformation(dword10)).isEqualTo(3);
    assertThat(AdminCommand.secureErase(dword10)).isEqualTo(1);
    assertThat(AdminCommand.formatDword10(IdentifyNamespace.create(), 2)).isEqualTo(0x0400);
    assertThat(AdminCommand.formatDword10(0x12, 1)).isEqualTo(0x1202);
  }

  @Test
  void downloadsAndCommitsFirmware() {
    assertThat(AdminCommand.downloadDword10(4096)).isEqualTo(1023);
    assertThat(AdminCommand.downloadDword11(8192)).isEqualTo(2048);
    assertThat(AdminCommand.downloadSize(1023)).isEqualTo(4096);
    assertThat(AdminCommand.downloadSize(-1)).isEqualTo(1L << 34);
    assertThat(AdminCommand.downloadOffset(-1)).isEqualTo((1L << 34) - 4);
    for (long size : new long[] {0, 6, (1L << 34) + 4}) {
      assertThatThrownBy(() -> AdminCommand.downloadDword10(size))
          .hasMessageContaining(size + " bytes");
    }
    for (long offset : new long[] {-4, 2, 1L << 34}) {
      assertThatThrownBy(() -> AdminCommand.downloadDword11(offset))
          .hasMessageContaining(offset + " bytes");
    }
    assertThat(AdminCommand.commitDword10(2, AdminCommand.COMMIT_ACTIVATE_NOW)).isEqualTo(0x1a);
    assertThat(AdminCommand.firmwareSlot(0xffff_ffc2)).isEqualTo(2);
    assertThat(AdminCommand.commitAction(0xffff_ff1a)).isEqualTo(3);
  }

  @Test
  void sanitizes() {
    assertThat(AdminCommand.sanitizeDword10(AdminCommand.SANITIZE_BLOCK_ERASE)).isEqualTo(0x02);
    assertThat(AdminCommand.sanitizeDword10(AdminCommand.SANITIZE_OVERWRITE)).isEqualTo(0x13);
    assertThat(AdminCommand.sanitizeAction(0x13)).isEqualTo(AdminCommand.SANITIZE_OVERWRITE);
  }

  @Test
  void getsLogPages() {
    assertThat(AdminCommand.logPageDword10(LogPage.SMART, false, 512)).isEqualTo(0x007f0002);
    assertThat(AdminCommand.logPageDword10(LogPage.SMART, true, 4)).isEqualTo(0x00008002);
    assertThat(AdminCommand.logPageDword11(512)).isZero();
    assertThat(AdminCommand.logPageDword11(4L * 0x12345)).isEqualTo(1);
    assertThat(AdminCommand.logPageDword10(0, false, 4L * 0x12345)).isEqualTo(0x23440000);
    assertThat(AdminCommand.logPageSize(0x23440000, 1)).isEqualTo(4L * 0x12345);
    assertThat(AdminCommand.logPageSize(-1, -1)).isEqualTo(1L << 34);
    assertThat(AdminCommand.logPage(0x007f8102)).isEqualTo(2);
    assertThat(AdminCommand.logSpecific(0x007f8102)).isEqualTo(1);
    assertThat(AdminCommand.isEventRetained(0x007f8002)).isTrue();
    assertThatThrownBy(() -> AdminCommand.logPageDword10(2, false, 510))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("510");
    assertThatThrownBy(() -> AdminCommand.logPageDword11(0)).hasMessageContaining("0 bytes");
  }

  @Test
  void features() {
    assertThat(Features.numberOfQueues(4, 2)).isEqualTo(0x00010003);
    assertThat(Features.submissionQueues(0x00010003)).isEqualTo(4);
    assertThat(Features.completionQueues(0x00010003)).isEqualTo(2);
    assertThat(Features.getDword10(Features.VOLATILE_WRITE_CACHE, Features.SELECT_SAVED))
        .isEqualTo(0x206);
    assertThat(Features.setDword10(Features.VOLATILE_WRITE_CACHE, true)).isEqualTo(0x80000006);
    assertThat(Features.feature(0x80000006)).isEqualTo(6);
    assertThat(Features.isSave(0x80000006)).isTrue();
    assertThat(Features.select(0x206)).isEqualTo(2);
    assertThat(Features.interruptCoalescing(8, 2)).isEqualTo(0x0207);
    assertThat(Features.interruptVectorConfiguration(3, true)).isEqualTo(0x10003);
  }

  @Test
  void asynchronousEvents() {
    int dword0 = 0x00040002; // as Linux's target reports a changed namespace
    assertThat(AsynchronousEvent.type(dword0)).isEqualTo(AsynchronousEvent.TYPE_NOTICE);
    assertThat(AsynchronousEvent.information(dword0))
        .isEqualTo(AsynchronousEvent.NOTICE_NAMESPACE_ATTRIBUTE_CHANGED);
    assertThat(AsynchronousEvent.logPage(dword0)).isEqualTo(LogPage.CHANGED_NAMESPACE_LIST);
    assertThat(AsynchronousEvent.dword0(AsynchronousEvent.TYPE_SMART, 1, LogPage.SMART))
        .isEqualTo(0x00020101);
  }

  @Test
  void opcodesHaveNames() {
    assertThat(AdminOpcode.name(0x06)).isEqualTo("Identify");
    assertThat(AdminOpcode.name(0x05)).isEqualTo("Create I/O Completion Queue");
    assertThat(AdminOpcode.name(0x03)).isEqualTo("unknown Admin command 03h");
    assertThat(AdminOpcode.name(0xc1)).isEqualTo("vendor specific Admin command C1h");
    assertThat(NvmOpcode.name(0x09)).isEqualTo("Dataset Management");
    assertThat(NvmOpcode.name(0x80)).isEqualTo("vendor specific I/O command 80h");
    assertThat(names(AdminOpcode::name)).hasSize(256);
    assertThat(names(NvmOpcode::name)).hasSize(256);
  }

  @Test
  void writesNamespaceDescriptors() {
    byte[] list = new byte[20];
    long next =
        NamespaceDescriptor.write(
            MemorySegment.ofArray(list),
            0,
            NamespaceDescriptor.NIDT_EUI64,
            new byte[] {1, 2, 3, 4, 5, 6, 7, 8});
    next =
        NamespaceDescriptor.write(
            MemorySegment.ofArray(list), next, NamespaceDescriptor.NIDT_CSI, new byte[1]);
    assertThat(next).isEqualTo(17);
    assertThat(HexFormat.of().formatHex(list))
        .isEqualTo("01080000" + "0102030405060708" + "04010000" + "00" + "000000");
    assertThatThrownBy(
            () -> NamespaceDescriptor.write(MemorySegment.ofArray(list), 16, 1, new byte[8]))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void physicalRegionPages() {
    assertThat(Prp.offset(0x12345678, 4096)).isEqualTo(0x678);
    assertThat(Prp.pages(0x1000, 4096, 4096)).isEqualTo(1);
    assertThat(Prp.pages(0x1004, 4096, 4096)).isEqualTo(2);
    assertThat(Prp.pages(0x1ffc, 4100, 4096)).isEqualTo(2);
    assertThat(Prp.pages(0x1ffc, 4101, 4096)).isEqualTo(3);
    assertThat(Prp.entriesInPage(0x2000, 4096)).isEqualTo(512);
    assertThat(Prp.entriesInPage(0x2ff8, 4096)).isEqualTo(1);
  }

  private static Set<String> names(IntFunction<String> name) {
    Set<String> names = new TreeSet<>();
    for (int opcode = 0; opcode < 256; opcode++) {
      names.add(name.apply(opcode));
    }
    return names;
  }

  /** Opcodes of the specification's figures: Identify, Write, Flush, Directive Send. */
  @Test
  void theOpcodeSaysWhichWayDataGo() {
    assertThat(DataTransfer.of(0x06)).isEqualTo(DataTransfer.CONTROLLER_TO_HOST);
    assertThat(DataTransfer.of(0x01)).isEqualTo(DataTransfer.HOST_TO_CONTROLLER);
    assertThat(DataTransfer.of(0x00)).isEqualTo(DataTransfer.NONE);
    assertThat(DataTransfer.of(0xff)).isEqualTo(DataTransfer.BIDIRECTIONAL);
    assertThat(DataTransfer.of(0x06).isToController()).isFalse();
    assertThat(DataTransfer.of(0xff).isToController()).isTrue();
    assertThat(DataTransfer.of(0xff).isToHost()).isTrue();
    assertThat(DataTransfer.of(0x01).isToHost()).isFalse();
  }

  @Test
  void aFeatureHasADwordOrAStructure() {
    assertThat(Features.dataSize(0x02, 0)).isZero();
    assertThat(Features.dataSize(0x0c, 0)).isEqualTo(256);
    assertThat(Features.dataSize(0x0e, 0)).isEqualTo(8);
    assertThat(Features.dataSize(0x81, 0)).isEqualTo(8);
    assertThat(Features.dataSize(0x81, 1)).isEqualTo(16);
    assertThat(Features.powerManagement(31, 2)).isEqualTo(0x5f);
    assertThat(Features.powerState(0xffff_ff5f)).isEqualTo(31);
    assertThat(Features.workload(0x5f)).isEqualTo(2);
  }
}
