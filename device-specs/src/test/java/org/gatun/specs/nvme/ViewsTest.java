package org.gatun.specs.nvme;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Views against byte arrays whose offsets are written out here, as in the specification. */
class ViewsTest {
  private final byte[] bytes = new byte[4096];
  private final ByteBuffer raw = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);

  @Test
  void readsTheSanitizeStatusLog() {
    raw.putShort(0, (short) 0xffff).putShort(2, (short) 0x0119).putInt(4, 0x13);
    raw.putInt(8, 100).putInt(12, -1).putInt(16, 0x80000000);
    SanitizeStatusLog log = new SanitizeStatusLog(MemorySegment.ofArray(bytes));
    assertThat(log.progress()).isEqualTo(SanitizeStatusLog.NOT_IN_PROGRESS);
    assertThat(log.sstat()).isEqualTo(0x119);
    assertThat(log.status()).isEqualTo(SanitizeStatusLog.STATUS_SUCCESS);
    assertThat(log.commandDword10()).isEqualTo(0x13);
    assertThat(log.estimatedSeconds(AdminCommand.SANITIZE_OVERWRITE)).isEqualTo(100);
    assertThat(log.estimatedSeconds(AdminCommand.SANITIZE_BLOCK_ERASE))
        .isEqualTo(SanitizeStatusLog.NO_ESTIMATE);
    assertThat(log.estimatedSeconds(AdminCommand.SANITIZE_CRYPTO_ERASE)).isEqualTo(0x80000000L);
  }

  @Test
  void readsPowerStates() {
    // Figure 276: 25 W in hundredths; then 5 mW in tenths of a milliwatt, not operational.
    raw.putShort(2048, (short) 2500);
    raw.putShort(2048 + 31 * 32, (short) 50).put(2048 + 31 * 32 + 3, (byte) 0x3);
    raw.putInt(2048 + 31 * 32 + 4, 0xffffffff).putInt(2048 + 31 * 32 + 8, 9000);
    raw.put(2048 + 31 * 32 + 12, new byte[] {(byte) 0xe1, 2, 3, 0x1f});
    raw.putShort(2048 + 31 * 32 + 16, (short) 0xffff).put(2048 + 31 * 32 + 18, (byte) 0x40);
    raw.putShort(2048 + 31 * 32 + 20, (short) 7).put(2048 + 31 * 32 + 22, (byte) 0x82);
    IdentifyController id = new IdentifyController(MemorySegment.ofArray(bytes));
    assertThat(id.powerState(0))
        .isEqualTo(new PowerState(25_000_000, true, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    assertThat(id.powerState(31))
        .isEqualTo(
            new PowerState(5000, false, 0xffff_ffffL, 9000, 1, 2, 3, 31, 6_553_500, 70_000, 2));
    assertThatThrownBy(() -> id.powerState(32)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void readsAndWritesTheTimestampFeature() {
    raw.putLong(0, 0x0003_1234_5678_9abcL);
    MemorySegment data = MemorySegment.ofArray(bytes);
    FeatureTimestamp timestamp = FeatureTimestamp.read(data);
    assertThat(timestamp).isEqualTo(new FeatureTimestamp(0x1234_5678_9abcL, true, true));
    new FeatureTimestamp(1, true, false).write(data);
    assertThat(raw.getLong(0)).isEqualTo(0x0002_0000_0000_0001L);
    assertThatThrownBy(() -> new FeatureTimestamp(1L << 48, false, false))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new FeatureTimestamp(-1, false, false))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void readsThermalManagementOfTheSmartLog() {
    raw.putInt(216, 1).putInt(220, -1).putInt(224, 3).putInt(228, 4);
    SmartLog log = new SmartLog(MemorySegment.ofArray(bytes));
    assertThat(log.thermalTransitions(1)).isEqualTo(1);
    assertThat(log.thermalTransitions(2)).isEqualTo(0xffff_ffffL);
    assertThat(log.thermalTime(1)).isEqualTo(3);
    assertThat(log.thermalTime(2)).isEqualTo(4);
    assertThatThrownBy(() -> log.thermalTime(3)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void readsTheCommandSetFromAListOfDescriptors() {
    MemorySegment list = MemorySegment.ofArray(bytes);
    assertThat(NamespaceDescriptor.commandSet(list)).isEqualTo(NamespaceDescriptor.CSI_NVM);
    raw.put(0, (byte) 1).put(1, (byte) 8);
    raw.put(12, (byte) 4).put(13, (byte) 1).put(16, (byte) 2);
    assertThat(NamespaceDescriptor.commandSet(list)).isEqualTo(NamespaceDescriptor.CSI_ZONED);
    Arrays.fill(bytes, (byte) 0xff);
    assertThat(NamespaceDescriptor.commandSet(list)).isEqualTo(NamespaceDescriptor.CSI_NVM);
  }

  @Test
  void readsTheUuidFromAListOfDescriptors() {
    MemorySegment list = MemorySegment.ofArray(bytes);
    assertThat(NamespaceDescriptor.uuid(list)).isEmpty();
    raw.put(0, (byte) 1).put(1, (byte) 8);
    raw.put(12, (byte) 3).put(13, (byte) 16).put(16, (byte) 0xab).put(31, (byte) 0xcd);
    assertThat(NamespaceDescriptor.uuid(list))
        .hasSize(16)
        .startsWith((byte) 0xab)
        .endsWith((byte) 0xcd);
    assertThat(NamespaceDescriptor.uuid(list.asSlice(0, 31))).isEmpty();
  }

  @Test
  void readsIdentifyController() {
    raw.putShort(0, (short) 0x8086).putShort(2, (short) 0x1af4);
    raw.put(4, "S3RIAL              ".getBytes(US_ASCII));
    raw.put(24, "QEMU NVMe Ctrl                          ".getBytes(US_ASCII));
    raw.put(64, "7.2.0   ".getBytes(US_ASCII));
    raw.put(72, (byte) 6).put(73, new byte[] {1, 2, 3}).put(76, (byte) 0x0f);
    raw.put(77, (byte) 7).putShort(78, (short) 0xfffe).putInt(80, 0x00010400);
    raw.putInt(84, 1).putInt(88, 0xffffffff).putInt(92, 0x100).putInt(96, 0x80000001);
    raw.put(111, (byte) 1).putShort(128, (short) 11).putShort(130, (short) 12);
    raw.putShort(132, (short) 13).putShort(256, (short) 0x12a).put(258, (byte) 3);
    raw.put(259, (byte) 4).put(260, (byte) 5).put(261, (byte) 6).put(262, (byte) 63);
    raw.put(263, (byte) 31).putShort(266, (short) 343).putShort(268, (short) 373);
    raw.putShort(270, (short) 2).putInt(272, 100).putInt(276, 10).put(319, (byte) 8);
    raw.putLong(280, 2).putLong(288, 1).putLong(296, -1).putLong(304, -1);
    raw.putInt(328, 0x80000006);
    raw.putShort(320, (short) 10).put(512, (byte) 0x66).put(513, (byte) 0x44);
    raw.putShort(514, (short) 1024).putInt(516, 256).putShort(520, (short) 0x15d);
    raw.putShort(522, (short) 1).put(524, (byte) 2).put(525, (byte) 7);
    raw.putShort(526, (short) 0xffff).putShort(528, (short) 3).put(531, (byte) 1);
    raw.putShort(532, (short) 9).putInt(536, 0x10001).putInt(540, 0xfffffffe);
    raw.put(768, "nqn.2019-08.org.qemu:S3RIAL".getBytes(US_ASCII));

    IdentifyController id = new IdentifyController(MemorySegment.ofArray(bytes));
    assertThat(id.vendorId()).isEqualTo(0x8086);
    assertThat(id.subsystemVendorId()).isEqualTo(0x1af4);
    assertThat(id.serialNumber()).isEqualTo("S3RIAL");
    assertThat(id.modelNumber()).isEqualTo("QEMU NVMe Ctrl");
    assertThat(id.firmwareRevision()).isEqualTo("7.2.0");
    assertThat(id.recommendedArbitrationBurst()).isEqualTo(6);
    assertThat(id.ieeeOui()).containsExactly(1, 2, 3);
    assertThat(id.cmic()).isEqualTo(0x0f);
    assertThat(id.mdts()).isEqualTo(7);
    assertThat(id.controllerId()).isEqualTo(0xfffe);
    assertThat(id.version()).isEqualTo(Version.V1_4);
    assertThat(id.rtd3ResumeLatency()).isEqualTo(1);
    assertThat(id.rtd3EntryLatency()).isEqualTo(4294967295L);
    assertThat(id.oaes()).isEqualTo(Features.EVENT_NAMESPACE_ATTRIBUTE);
    assertThat(id.ctratt()).isEqualTo(0x80000001);
    assertThat(id.controllerType()).isEqualTo(IdentifyController.CNTRLTYPE_IO);
    assertThat(id.commandRetryDelay1()).isEqualTo(11);
    assertThat(id.commandRetryDelay2()).isEqualTo(12);
    assertThat(id.commandRetryDelay3()).isEqualTo(13);
    assertThat(id.oacs()).isEqualTo(0x12a);
    assertThat(id.abortCommandLimit()).isEqualTo(3);
    assertThat(id.asynchronousEventRequestLimit()).isEqualTo(4);
    assertThat(id.frmw()).isEqualTo(5);
    assertThat(id.firmwareSlots()).isEqualTo(2);
    assertThat(id.firmwareUpdateGranularity()).isEqualTo(8);
    assertThat(id.lpa()).isEqualTo(6);
    assertThat(id.errorLogPageEntries()).isEqualTo(63);
    assertThat(id.powerStates()).isEqualTo(31);
    assertThat(id.warningTemperature()).isEqualTo(343);
    assertThat(id.criticalTemperature()).isEqualTo(373);
    assertThat(id.maxFirmwareActivationTime()).isEqualTo(2);
    assertThat(id.hostMemoryBufferPreferredSize()).isEqualTo(100);
    assertThat(id.hostMemoryBufferMinimumSize()).isEqualTo(10);
    assertThat(id.totalNvmCapacity()).isEqualTo(BigInteger.ONE.shiftLeft(64).add(BigInteger.TWO));
    assertThat(id.unallocatedNvmCapacity())
        .isEqualTo(BigInteger.ONE.shiftLeft(128).subtract(BigInteger.ONE));
    assertThat(id.keepAliveSupport()).isEqualTo(10);
    assertThat(id.sanicap()).isEqualTo(0x80000006);
    assertThat(id.requiredSqes()).isEqualTo(6);
    assertThat(id.maxSqes()).isEqualTo(6);
    assertThat(id.requiredCqes()).isEqualTo(4);
    assertThat(id.maxCqes()).isEqualTo(4);
    assertThat(id.maxOutstandingCommands()).isEqualTo(1024);
    assertThat(id.numberOfNamespaces()).isEqualTo(256);
    assertThat(id.oncs())
        .isEqualTo(
            IdentifyController.ONCS_COMPARE
                | IdentifyController.ONCS_DATASET_MANAGEMENT
                | IdentifyController.ONCS_WRITE_ZEROES
                | IdentifyController.ONCS_SAVE_FEATURES
                | IdentifyController.ONCS_TIMESTAMP
                | IdentifyController.ONCS_COPY);
    assertThat(id.fuses()).isEqualTo(1);
    assertThat(id.fna()).isEqualTo(2);
    assertThat(id.hasVolatileWriteCache()).isTrue();
    assertThat(id.atomicWriteUnitNormal()).isEqualTo(0xffff);
    assertThat(id.atomicWriteUnitPowerFail()).isEqualTo(3);
    assertThat(id.nwpc()).isEqualTo(1);
    assertThat(id.atomicCompareAndWriteUnit()).isEqualTo(9);
    assertThat(id.sgls()).isEqualTo(0x10001);
    assertThat(id.maxAllowedNamespaces()).isEqualTo(0xfffffffeL);
    assertThat(id.subsystemNqn()).isEqualTo("nqn.2019-08.org.qemu:S3RIAL");
  }

  @Test
  void writesIdentifyController() {
    IdentifyController id = new IdentifyController(MemorySegment.ofArray(bytes));
    id.setVendorId(0x1b36);
    id.setSerialNumber("GATUN-1");
    id.setModelNumber("Gatun simulated NVMe");
    id.setFirmwareRevision("0.1");
    id.setFrmw(IdentifyController.FRMW_ACTIVATION_WITHOUT_RESET);
    id.setFirmwareSlots(7);
    id.setFirmwareUpdateGranularity(IdentifyController.FWUG_NO_RESTRICTION);
    id.setMdts(5);
    id.setControllerId(1);
    id.setVersion(Version.V1_4);
    id.setTotalNvmCapacity(BigInteger.ONE.shiftLeft(100));
    id.setSqes(0x66);
    id.setCqes(0x44);
    id.setNumberOfNamespaces(0xffffffffL);
    id.setOncs(0x0c);
    id.setVwc(IdentifyController.VWC_PRESENT);
    id.setSubsystemNqn("nqn.2024-01.org.gatun:1");

    assertThat(raw.getShort(0)).isEqualTo((short) 0x1b36);
    assertThat(text(4, 20)).isEqualTo("GATUN-1             ");
    assertThat(text(24, 40)).isEqualTo("Gatun simulated NVMe                    ");
    assertThat(text(64, 8)).isEqualTo("0.1     ");
    assertThat(bytes[260]).isEqualTo((byte) 0x1e);
    assertThat(bytes[319]).isEqualTo((byte) -1);
    assertThat(bytes[77]).isEqualTo((byte) 5);
    assertThat(raw.getShort(78)).isEqualTo((short) 1);
    assertThat(raw.getInt(80)).isEqualTo(0x10400);
    assertThat(raw.getLong(280)).isZero();
    assertThat(raw.getLong(288)).isEqualTo(1L << 36);
    assertThat(bytes[512]).isEqualTo((byte) 0x66);
    assertThat(bytes[513]).isEqualTo((byte) 0x44);
    assertThat(raw.getInt(516)).isEqualTo(-1);
    assertThat(raw.getShort(520)).isEqualTo((short) 0x0c);
    assertThat(bytes[525]).isEqualTo((byte) 1);
    assertThat(text(768, 24)).isEqualTo("nqn.2024-01.org.gatun:1\0");
  }

  @Test
  void theTransferLimitCountsInSmallestPages() {
    IdentifyController id = IdentifyController.create();
    assertThat(id.maxTransferSize(4096)).isEqualTo(Long.MAX_VALUE);
    id.setMdts(5);
    assertThat(id.maxTransferSize(4096)).isEqualTo(131072);
    assertThat(id.maxTransferSize(65536)).isEqualTo(2097152);
    id.setMdts(255);
    assertThat(id.maxTransferSize(4096)).isEqualTo(Long.MAX_VALUE);
  }

  @Test
  void readsAndWritesTheLimitsOfCommandsWithoutData() {
    raw.put(0, (byte) 7).put(1, (byte) 9);
    IdentifyNvmController limits = new IdentifyNvmController(MemorySegment.ofArray(bytes));
    assertThat(limits.verifySizeLimit()).isEqualTo(7);
    assertThat(limits.writeZeroesSizeLimit()).isEqualTo(9);
    IdentifyNvmController written = IdentifyNvmController.create();
    written.setVerifySizeLimit(7);
    written.setWriteZeroesSizeLimit(9);
    assertThat(written.segment().mismatch(limits.segment())).isEqualTo(-1);
  }

  @Test
  void textOfADeviceCannotReachATerminal() {
    Arrays.fill(bytes, 24, 64, (byte) ' ');
    raw.put(24, "\u001b[2Jpwned ".getBytes(US_ASCII)).put(33, (byte) 0xe9);
    assertThat(new IdentifyController(MemorySegment.ofArray(bytes)).modelNumber())
        .isEqualTo("?[2Jpwned?");
  }

  @Test
  void refusesWhatDoesNotFit() {
    IdentifyController id = IdentifyController.create();
    assertThatThrownBy(() -> id.setSerialNumber("123456789012345678901"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("20");
    assertThatThrownBy(() -> id.setModelNumber("caf\u00e9"))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> id.setMdts(256)).hasMessageContaining("256");
    assertThatThrownBy(() -> id.setNumberOfNamespaces(-1)).hasMessageContaining("-1");
    assertThatThrownBy(() -> id.setIeeeOui(new byte[2])).hasMessageContaining("3 bytes");
    assertThatThrownBy(() -> id.setTotalNvmCapacity(BigInteger.ONE.shiftLeft(128)))
        .hasMessageContaining("128 bits");
    assertThatThrownBy(() -> new IdentifyController(MemorySegment.ofArray(new byte[4095])))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("4095");
  }

  @Test
  void aCopyDoesNotChangeWithTheDevicesMemory() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment dma = arena.allocate(4096);
      IdentifyController live = new IdentifyController(dma);
      live.setMdts(5);
      IdentifyController copy = IdentifyController.copyOf(dma);
      live.setMdts(9);
      assertThat(copy.mdts()).isEqualTo(5);
      assertThat(live.mdts()).isEqualTo(9);
    }
  }

  @Test
  void readsIdentifyNamespace() {
    raw.putLong(0, 0x200000).putLong(8, 0x1fffff).putLong(16, 0x1000);
    raw.put(24, (byte) 0x11).put(25, (byte) 7).put(26, (byte) 0x14).put(27, (byte) 3);
    raw.put(28, (byte) 0x1f).put(29, (byte) 9).put(30, (byte) 1).put(31, (byte) 0x80);
    raw.put(32, (byte) 0x80).put(33, (byte) 9);
    for (int offset = 34; offset < 48; offset += 2) {
      raw.putShort(offset, (short) offset);
    }
    raw.putLong(48, 0x40000000);
    for (int offset = 64; offset < 74; offset += 2) {
      raw.putShort(offset, (short) offset);
    }
    raw.putInt(92, 92).put(99, (byte) 1).putShort(100, (short) 100).putShort(102, (short) 102);
    raw.put(104, (byte) 0xaa).put(119, (byte) 0xbb).put(120, (byte) 0x52).put(127, (byte) 1);
    raw.putInt(128, 0x00090000).putInt(128 + 4 * 4, 0x020c0008);

    IdentifyNamespace ns = new IdentifyNamespace(MemorySegment.ofArray(bytes));
    assertThat(ns.size()).isEqualTo(0x200000);
    assertThat(ns.capacity()).isEqualTo(0x1fffff);
    assertThat(ns.utilization()).isEqualTo(0x1000);
    assertThat(ns.nsfeat())
        .isEqualTo(
            IdentifyNamespace.NSFEAT_THIN_PROVISIONING
                | IdentifyNamespace.NSFEAT_OPTIMAL_PERFORMANCE);
    assertThat(ns.nlbaf()).isEqualTo(7);
    assertThat(ns.lbaFormats()).isEqualTo(8);
    assertThat(ns.flbas() & IdentifyNamespace.FLBAS_EXTENDED_LBA).isNotZero();
    assertThat(ns.formatIndex()).isEqualTo(4);
    assertThat(ns.mc()).isEqualTo(3);
    assertThat(ns.dpc()).isEqualTo(0x1f);
    assertThat(ns.dps()).isEqualTo(9);
    assertThat(ns.nmic()).isEqualTo(1);
    assertThat(ns.rescap()).isEqualTo(0x80);
    assertThat(ns.fpi()).isEqualTo(0x80);
    assertThat(ns.dlfeat()).isEqualTo(9);
    assertThat(ns.atomicWriteUnitNormal()).isEqualTo(34);
    assertThat(ns.atomicWriteUnitPowerFail()).isEqualTo(36);
    assertThat(ns.atomicCompareAndWriteUnit()).isEqualTo(38);
    assertThat(ns.atomicBoundarySizeNormal()).isEqualTo(40);
    assertThat(ns.atomicBoundaryOffset()).isEqualTo(42);
    assertThat(ns.atomicBoundarySizePowerFail()).isEqualTo(44);
    assertThat(ns.optimalIoBoundary()).isEqualTo(46);
    assertThat(ns.nvmCapacity()).isEqualTo(0x40000000);
    assertThat(ns.preferredWriteGranularity()).isEqualTo(64);
    assertThat(ns.preferredWriteAlignment()).isEqualTo(66);
    assertThat(ns.preferredDeallocateGranularity()).isEqualTo(68);
    assertThat(ns.preferredDeallocateAlignment()).isEqualTo(70);
    assertThat(ns.optimalWriteSize()).isEqualTo(72);
    assertThat(ns.anaGroupId()).isEqualTo(92);
    assertThat(ns.nsattr()).isEqualTo(IdentifyNamespace.NSATTR_WRITE_PROTECTED);
    assertThat(ns.nvmSetId()).isEqualTo(100);
    assertThat(ns.enduranceGroupId()).isEqualTo(102);
    assertThat(ns.nguid()).startsWith(0xaa).endsWith(0xbb).hasSize(16);
    assertThat(ns.eui64()).startsWith(0x52).endsWith(0x01).hasSize(8);
    assertThat(ns.lbaFormat(0)).isEqualTo(new LbaFormat(0, 9, 0));
    assertThat(ns.formattedLbaFormat()).isEqualTo(new LbaFormat(8, 12, 2));
    assertThat(ns.formattedLbaFormat().blockSize()).isEqualTo(4096);
  }

  @Test
  void writesIdentifyNamespace() {
    IdentifyNamespace ns = new IdentifyNamespace(MemorySegment.ofArray(bytes));
    ns.setSize(1L << 40);
    ns.setCapacity(2);
    ns.setUtilization(3);
    ns.setNlbaf(1);
    ns.setLbaFormat(0, new LbaFormat(0, 9, 1));
    ns.setLbaFormat(1, new LbaFormat(64, 12, 0));
    ns.setFormatIndex(1);
    ns.setNguid(new byte[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
    ns.setEui64(new byte[] {21, 22, 23, 24, 25, 26, 27, 28});

    assertThat(raw.getLong(0)).isEqualTo(1L << 40);
    assertThat(raw.getLong(8)).isEqualTo(2);
    assertThat(raw.getLong(16)).isEqualTo(3);
    assertThat(bytes[25]).isEqualTo((byte) 1);
    assertThat(bytes[26]).isEqualTo((byte) 1);
    assertThat(raw.getInt(128)).isEqualTo(0x01090000);
    assertThat(raw.getInt(132)).isEqualTo(0x000c0040);
    assertThat(bytes[104]).isEqualTo((byte) 1);
    assertThat(bytes[119]).isEqualTo((byte) 16);
    assertThat(bytes[120]).isEqualTo((byte) 21);
    assertThat(bytes[127]).isEqualTo((byte) 28);
  }

  @Test
  void theFormatIndexHasTwoMoreBitsWithMoreThan16Formats() {
    IdentifyNamespace ns = new IdentifyNamespace(MemorySegment.ofArray(bytes));
    bytes[26] = 0x75;
    bytes[25] = 15;
    assertThat(ns.formatIndex()).isEqualTo(5);
    bytes[25] = 63;
    assertThat(ns.formatIndex()).isEqualTo(0x35);
    ns.setFormatIndex(0x1a);
    assertThat(bytes[26]).isEqualTo((byte) 0x3a);
    assertThatThrownBy(() -> ns.lbaFormat(64)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> ns.setFormatIndex(-1)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void aFormatWithoutAUsableSizeHasNone() {
    assertThat(LbaFormat.of(0).blockSize()).isZero();
    assertThat(new LbaFormat(0, 8, 0).blockSize()).isZero();
    assertThat(new LbaFormat(0, 9, 0).blockSize()).isEqualTo(512);
    assertThat(new LbaFormat(0, 30, 0).blockSize()).isEqualTo(1 << 30);
    assertThat(new LbaFormat(0, 31, 0).blockSize()).isZero();
    assertThat(LbaFormat.of(-1).blockSize()).isZero();
    assertThatThrownBy(() -> new LbaFormat(65536, 9, 0)).hasMessageContaining("LBAF.MS");
  }

  @Test
  void namespaceList() {
    NamespaceList list = new NamespaceList(MemorySegment.ofArray(bytes));
    assertThat(list.count()).isZero();
    list.setNamespaceId(0, 1);
    list.setNamespaceId(1, 0xfffffffe);
    assertThat(raw.getInt(0)).isEqualTo(1);
    assertThat(raw.getInt(4)).isEqualTo(-2);
    assertThat(list.count()).isEqualTo(2);
    assertThat(list.namespaceId(1)).isEqualTo(0xfffffffe);
    Arrays.fill(bytes, (byte) 0xff);
    assertThat(list.count()).isEqualTo(1024);
    assertThatThrownBy(() -> list.namespaceId(1024)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void smartLog() {
    raw.put(0, (byte) 0x3f).putShort(1, (short) 323).put(3, (byte) 100).put(4, (byte) 10);
    raw.put(5, (byte) 255).put(6, (byte) 1);
    for (int counter = 0; counter < 10; counter++) {
      raw.putLong(32 + 16 * counter, counter + 1);
    }
    raw.putLong(40, 1).putInt(192, 7).putInt(196, -1).putShort(200, (short) 300);
    raw.putShort(214, (short) 308);

    SmartLog log = new SmartLog(MemorySegment.ofArray(bytes));
    assertThat(log.criticalWarning() & SmartLog.CRITICAL_WARNING_READ_ONLY).isEqualTo(8);
    assertThat(log.compositeTemperature()).isEqualTo(323);
    assertThat(log.availableSpare()).isEqualTo(100);
    assertThat(log.availableSpareThreshold()).isEqualTo(10);
    assertThat(log.percentageUsed()).isEqualTo(255);
    assertThat(log.enduranceGroupCriticalWarning()).isEqualTo(1);
    assertThat(log.dataUnitsRead()).isEqualTo(BigInteger.ONE.shiftLeft(64).add(BigInteger.ONE));
    assertThat(log.dataUnitsWritten()).isEqualTo(2);
    assertThat(log.hostReadCommands()).isEqualTo(3);
    assertThat(log.hostWriteCommands()).isEqualTo(4);
    assertThat(log.controllerBusyTime()).isEqualTo(5);
    assertThat(log.powerCycles()).isEqualTo(6);
    assertThat(log.powerOnHours()).isEqualTo(7);
    assertThat(log.unsafeShutdowns()).isEqualTo(8);
    assertThat(log.mediaErrors()).isEqualTo(9);
    assertThat(log.errorLogEntries()).isEqualTo(10);
    assertThat(log.warningTemperatureTime()).isEqualTo(7);
    assertThat(log.criticalTemperatureTime()).isEqualTo(0xffffffffL);
    assertThat(log.temperatureSensor(1)).isEqualTo(300);
    assertThat(log.temperatureSensor(8)).isEqualTo(308);
    log.setTemperatureSensor(2, 301);
    assertThat(raw.getShort(202)).isEqualTo((short) 301);
    log.setUnsafeShutdowns(BigInteger.ONE.shiftLeft(64));
    assertThat(raw.getLong(144)).isZero();
    assertThat(raw.getLong(152)).isEqualTo(1);
    assertThatThrownBy(() -> log.temperatureSensor(9))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void firmwareSlotLog() {
    raw.put(0, (byte) 0x32).put(8, "1.0     ".getBytes(US_ASCII));
    raw.put(56, "ABCDEFGH".getBytes(US_ASCII));
    FirmwareSlotLog log = new FirmwareSlotLog(MemorySegment.ofArray(bytes));
    assertThat(log.activeSlot()).isEqualTo(2);
    assertThat(log.nextSlot()).isEqualTo(3);
    assertThat(log.revision(1)).isEqualTo("1.0");
    assertThat(log.revision(2)).isEmpty();
    assertThat(log.revision(7)).isEqualTo("ABCDEFGH");
    log.setSlots(7, 0);
    log.setRevision(2, "2.0");
    assertThat(bytes[0]).isEqualTo((byte) 7);
    assertThat(text(16, 8)).isEqualTo("2.0     ");
    assertThatThrownBy(() -> log.revision(0)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> log.setRevision(8, "")).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void supportedLogPagesAndCommands() {
    raw.putInt(4 * 2, 1).putInt(4 * 3, 2);
    SupportedLogPages pages = new SupportedLogPages(MemorySegment.ofArray(bytes));
    assertThat(pages.supports(2)).isTrue();
    assertThat(pages.supports(3)).as("LSUPP is another bit").isFalse();
    pages.add(255);
    assertThat(raw.getInt(1020)).isEqualTo(1);
    assertThatThrownBy(() -> pages.supports(256)).isInstanceOf(IndexOutOfBoundsException.class);

    Arrays.fill(bytes, (byte) 0);
    CommandEffectsLog effects = new CommandEffectsLog(MemorySegment.ofArray(bytes));
    effects.setAdmin(0x80, CommandEffectsLog.CSUPP | CommandEffectsLog.CSE_NAMESPACE);
    effects.setIo(1, CommandEffectsLog.CSUPP | CommandEffectsLog.LBCC);
    assertThat(raw.getInt(0x200)).isEqualTo(0x10001);
    assertThat(raw.getInt(1024 + 4)).isEqualTo(3);
    assertThat(effects.admin(0x80)).isEqualTo(0x10001);
    assertThat(effects.io(0)).isZero();
    assertThatThrownBy(() -> effects.setIo(-1, 0)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void errorLogEntry() {
    raw.putLong(0, 5).putShort(8, (short) 1).putShort(10, (short) 0xffff);
    raw.putShort(12, (short) 0x8101).putShort(14, (short) 40).putLong(16, 0x1234).putInt(24, 1);
    raw.put(28, (byte) 0xc0).put(29, (byte) 1).putLong(32, 99);

    ErrorLogEntry entry = ErrorLogEntry.copyOf(MemorySegment.ofArray(bytes));
    assertThat(entry.segment().byteSize()).isEqualTo(64);
    assertThat(entry.errorCount()).isEqualTo(5);
    assertThat(entry.submissionQueueId()).isEqualTo(1);
    assertThat(entry.commandId()).isEqualTo(ErrorLogEntry.NOT_APPLICABLE);
    assertThat(NvmeStatus.of(entry.status())).contains(NvmeStatus.LBA_OUT_OF_RANGE);
    assertThat(NvmeStatus.isDoNotRetry(entry.status())).isTrue();
    assertThat(entry.parameterErrorLocation()).isEqualTo(40);
    assertThat(entry.lba()).isEqualTo(0x1234);
    assertThat(entry.namespaceId()).isEqualTo(1);
    assertThat(entry.vendorLogPage()).isEqualTo(0xc0);
    assertThat(entry.transportType()).isEqualTo(1);
    assertThat(entry.commandSpecific()).isEqualTo(99);
  }

  @Test
  void datasetManagementRanges() {
    MemorySegment list = MemorySegment.ofArray(bytes);
    DatasetManagementRange range = new DatasetManagementRange(4, 0xffffffffL, 1L << 40);
    range.write(list, 255);
    assertThat(raw.getInt(4080)).isEqualTo(4);
    assertThat(raw.getInt(4084)).isEqualTo(-1);
    assertThat(raw.getLong(4088)).isEqualTo(1L << 40);
    assertThat(DatasetManagementRange.read(list, 255)).isEqualTo(range);
    assertThatThrownBy(() -> range.write(list, 256)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> new DatasetManagementRange(0, 1L << 32, 0))
        .isInstanceOf(IllegalArgumentException.class);
  }

  private String text(int offset, int length) {
    return new String(bytes, offset, length, US_ASCII);
  }
}
