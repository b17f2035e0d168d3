package org.gatun.specs.nvme;

import java.lang.foreign.MemorySegment;
import java.math.BigInteger;
import java.util.Objects;

/**
 * The Identify Controller data structure, CNS 01h (Base 5.17.2.1, figure 275; 1.4 figure 247). The
 * fields that a driver or a model of an I/O controller needs; the others are in {@link #segment}.
 */
public final class IdentifyController {
  /** Size in bytes. */
  public static final int SIZE = 4096;

  /** PCI Vendor ID, 16 bits. */
  public static final int VID = 0;

  /** PCI Subsystem Vendor ID, 16 bits. */
  public static final int SSVID = 2;

  /** Serial Number, 20 characters of ASCII, padded with spaces. */
  public static final int SN = 4;

  /** Model Number, 40 characters of ASCII, padded with spaces. */
  public static final int MN = 24;

  /** Firmware Revision, 8 characters of ASCII, padded with spaces. */
  public static final int FR = 64;

  /** Recommended Arbitration Burst: 2^value commands. */
  public static final int RAB = 72;

  /** IEEE OUI Identifier, 3 bytes, least significant first. */
  public static final int IEEE = 73;

  /** Controller Multi-Path I/O and Namespace Sharing Capabilities, 8 bits. */
  public static final int CMIC = 76;

  /** Maximum Data Transfer Size: 2^value memory pages of CAP.MPSMIN; 0 is no limit. */
  public static final int MDTS = 77;

  /** Controller ID, 16 bits. */
  public static final int CNTLID = 78;

  /** Version, as in register VS: see {@link Version}. */
  public static final int VER = 80;

  /** RTD3 Resume Latency in microseconds; 0 is not reported. */
  public static final int RTD3R = 84;

  /** RTD3 Entry Latency in microseconds, how long a shutdown takes; 0 is not reported. */
  public static final int RTD3E = 88;

  /**
   * Optional Asynchronous Events Supported, 32 bits, as in {@link
   * Features#ASYNCHRONOUS_EVENT_CONFIGURATION}.
   */
  public static final int OAES = 92;

  /** Controller Attributes, 32 bits. */
  public static final int CTRATT = 96;

  /** Controller Type: {@link #CNTRLTYPE_IO} and so on; 0 is not reported (before 1.4). */
  public static final int CNTRLTYPE = 111;

  /** FRU Globally Unique Identifier, 16 bytes. */
  public static final int FGUID = 112;

  /** Command Retry Delay Time 1, in 100 ms. */
  public static final int CRDT1 = 128;

  /** Command Retry Delay Time 2, in 100 ms. */
  public static final int CRDT2 = 130;

  /** Command Retry Delay Time 3, in 100 ms. */
  public static final int CRDT3 = 132;

  /** Optional Admin Command Support, 16 bits. */
  public static final int OACS = 256;

  /** Abort Command Limit, 0's based. */
  public static final int ACL = 258;

  /** Asynchronous Event Request Limit, 0's based. */
  public static final int AERL = 259;

  /**
   * Firmware Updates: bit 0 slot 1 is read only, bits 3:1 slots, bit 4 activation without reset.
   */
  public static final int FRMW = 260;

  /** Log Page Attributes, 8 bits. */
  public static final int LPA = 261;

  /** Error Log Page Entries, 0's based. */
  public static final int ELPE = 262;

  /** Number of Power States Support, 0's based. */
  public static final int NPSS = 263;

  /** Warning Composite Temperature Threshold in kelvins; 0 is not reported. */
  public static final int WCTEMP = 266;

  /** Critical Composite Temperature Threshold in kelvins; 0 is not reported. */
  public static final int CCTEMP = 268;

  /** Maximum Time for Firmware Activation, in 100 ms. */
  public static final int MTFA = 270;

  /** Host Memory Buffer Preferred Size, in 4 KiB. */
  public static final int HMPRE = 272;

  /** Host Memory Buffer Minimum Size, in 4 KiB. */
  public static final int HMMIN = 276;

  /** Total NVM Capacity in bytes. */
  public static final int TNVMCAP = 280;

  /** Unallocated NVM Capacity in bytes. */
  public static final int UNVMCAP = 296;

  /**
   * Firmware Update Granularity in 4 KiB, of offsets and lengths of a download: 0 is not reported,
   * {@link #FWUG_NO_RESTRICTION}.
   */
  public static final int FWUG = 319;

  /** Keep Alive Support: granularity in 100 ms; 0 is not supported. */
  public static final int KAS = 320;

  /** Sanitize Capabilities, 32 bits; 0 is none. */
  public static final int SANICAP = 328;

  /** Submission Queue Entry Size, two powers of two: bits 3:0 required, bits 7:4 maximum. */
  public static final int SQES = 512;

  /** Completion Queue Entry Size, two powers of two: bits 3:0 required, bits 7:4 maximum. */
  public static final int CQES = 513;

  /** Maximum Outstanding Commands; 0 is not reported. */
  public static final int MAXCMD = 514;

  /** Number of Namespaces: the highest valid NSID. */
  public static final int NN = 516;

  /** Optional NVM Command Support, 16 bits. */
  public static final int ONCS = 520;

  /** Fused Operation Support: bit 0 Compare and Write. */
  public static final int FUSES = 522;

  /** Format NVM Attributes, 8 bits. */
  public static final int FNA = 524;

  /**
   * Volatile Write Cache: {@link #VWC_PRESENT}, and in bits 2:1 what a Flush of all namespaces
   * does.
   */
  public static final int VWC = 525;

  /** Atomic Write Unit Normal in logical blocks, 0's based. */
  public static final int AWUN = 526;

  /** Atomic Write Unit Power Fail in logical blocks, 0's based. */
  public static final int AWUPF = 528;

  /** Namespace Write Protection Capabilities, 8 bits. */
  public static final int NWPC = 531;

  /** Atomic Compare and Write Unit in logical blocks, 0's based. */
  public static final int ACWU = 532;

  /** SGL Support: bits 1:0 are 0 without. */
  public static final int SGLS = 536;

  /** Maximum Number of Allowed Namespaces; 0 is not reported. */
  public static final int MNAN = 540;

  /**
   * NVM Subsystem NVMe Qualified Name, at most 223 bytes, NUL padded; not printable or not ASCII
   * characters read as '?'.
   */
  public static final int SUBNQN = 768;

  /** Power State Descriptors 0 to 31, {@link PowerState}. */
  public static final int PSD = 2048;

  /** {@link #CNTRLTYPE}: I/O controller. */
  public static final int CNTRLTYPE_IO = 1;

  /** {@link #CNTRLTYPE}: discovery controller. */
  public static final int CNTRLTYPE_DISCOVERY = 2;

  /** {@link #CNTRLTYPE}: administrative controller. */
  public static final int CNTRLTYPE_ADMINISTRATIVE = 3;

  /** {@link #OACS}: Security Send and Security Receive. */
  public static final int OACS_SECURITY = 1 << 0;

  /** {@link #OACS}: Format NVM. */
  public static final int OACS_FORMAT_NVM = 1 << 1;

  /** {@link #OACS}: Firmware Commit and Firmware Image Download. */
  public static final int OACS_FIRMWARE = 1 << 2;

  /** {@link #OACS}: Namespace Management and Namespace Attachment. */
  public static final int OACS_NAMESPACE_MANAGEMENT = 1 << 3;

  /** {@link #OACS}: Device Self-test. */
  public static final int OACS_DEVICE_SELF_TEST = 1 << 4;

  /** {@link #OACS}: Directives. */
  public static final int OACS_DIRECTIVES = 1 << 5;

  /** {@link #OACS}: NVMe-MI Send and NVMe-MI Receive. */
  public static final int OACS_NVME_MI = 1 << 6;

  /** {@link #OACS}: Virtualization Management. */
  public static final int OACS_VIRTUALIZATION_MANAGEMENT = 1 << 7;

  /** {@link #OACS}: Doorbell Buffer Config. */
  public static final int OACS_DOORBELL_BUFFER_CONFIG = 1 << 8;

  /** {@link #OACS}: Get LBA Status. */
  public static final int OACS_GET_LBA_STATUS = 1 << 9;

  /** {@link #OACS}: Command and Feature Lockdown. */
  public static final int OACS_LOCKDOWN = 1 << 10;

  /** {@link #SANICAP}: Crypto Erase. */
  public static final int SANICAP_CRYPTO_ERASE = 1 << 0;

  /** {@link #SANICAP}: Block Erase. */
  public static final int SANICAP_BLOCK_ERASE = 1 << 1;

  /** {@link #SANICAP}: Overwrite. */
  public static final int SANICAP_OVERWRITE = 1 << 2;

  /**
   * {@link #SANICAP}, NODMMAS in bits 31:30, which are not 0 from NVMe 1.4 on: media are not
   * modified any more when Sanitize has completed.
   */
  public static final int SANICAP_NOT_MODIFIED_AFTER = 1 << 30;

  /** {@link #FNA}: a format of one namespace is one of all. */
  public static final int FNA_FORMAT_ALL = 1 << 0;

  /** {@link #FNA}: a secure erase of one namespace, as part of a format, is one of all. */
  public static final int FNA_ERASE_ALL = 1 << 1;

  /** {@link #FNA}: a format can erase by changing a key. */
  public static final int FNA_CRYPTO_ERASE = 1 << 2;

  /** {@link #ONCS}: Compare. */
  public static final int ONCS_COMPARE = 1 << 0;

  /** {@link #ONCS}: Write Uncorrectable. */
  public static final int ONCS_WRITE_UNCORRECTABLE = 1 << 1;

  /** {@link #ONCS}: Dataset Management. */
  public static final int ONCS_DATASET_MANAGEMENT = 1 << 2;

  /** {@link #ONCS}: Write Zeroes. */
  public static final int ONCS_WRITE_ZEROES = 1 << 3;

  /** {@link #ONCS}: Save in Set Features, Select in Get Features. */
  public static final int ONCS_SAVE_FEATURES = 1 << 4;

  /** {@link #ONCS}: Reservations. */
  public static final int ONCS_RESERVATIONS = 1 << 5;

  /** {@link #ONCS}: the Timestamp feature. */
  public static final int ONCS_TIMESTAMP = 1 << 6;

  /** {@link #ONCS}: Verify. */
  public static final int ONCS_VERIFY = 1 << 7;

  /** {@link #ONCS}: Copy. */
  public static final int ONCS_COPY = 1 << 8;

  /** {@link #FRMW}: slot 1 is read only. */
  public static final int FRMW_FIRST_SLOT_READ_ONLY = 1 << 0;

  /** {@link #FRMW}: firmware can be activated without a reset. */
  public static final int FRMW_ACTIVATION_WITHOUT_RESET = 1 << 4;

  /** {@link #FWUG}: any multiple of 4 bytes. */
  public static final int FWUG_NO_RESTRICTION = 0xff;

  /** {@link #LPA}: the SMART / Health log per namespace. */
  public static final int LPA_SMART_PER_NAMESPACE = 1 << 0;

  /** {@link #LPA}: the Commands Supported and Effects log. */
  public static final int LPA_COMMAND_EFFECTS = 1 << 1;

  /** {@link #LPA}: extended data for Get Log Page: 32-bit lengths and offsets. */
  public static final int LPA_EXTENDED_DATA = 1 << 2;

  /** {@link #LPA}: the Telemetry logs. */
  public static final int LPA_TELEMETRY = 1 << 3;

  /** {@link #LPA}: the Persistent Event log. */
  public static final int LPA_PERSISTENT_EVENT = 1 << 4;

  /** {@link #VWC}: a volatile write cache is present: Flush means something. */
  public static final int VWC_PRESENT = 1 << 0;

  /** {@link #SGLS}, bits 1:0: data of any alignment and length. */
  public static final int SGLS_UNALIGNED = 1;

  /** {@link #SGLS}, bits 1:0: address and length of data are multiples of 4 bytes. */
  public static final int SGLS_DWORD_ALIGNED = 2;

  /** {@link #SGLS}: the Bit Bucket descriptor. */
  public static final int SGLS_BIT_BUCKET = 1 << 16;

  /** {@link #CTRATT}: 128-bit Host Identifier. */
  public static final int CTRATT_HOST_ID_128 = 1 << 0;

  /** {@link #CTRATT}: more than 16 LBA formats. */
  public static final int CTRATT_EXTENDED_LBA_FORMATS = 1 << 15;

  /** The most power states that a controller can have. */
  public static final int MAX_POWER_STATES = 32;

  private static final BitField FRMW_SLOTS = new BitField("FRMW.slots", 1, 3);

  private final MemorySegment data;

  /**
   * A view of the first {@link #SIZE} bytes: reads and writes go there.
   *
   * @throws IllegalArgumentException if the memory is shorter
   */
  public IdentifyController(MemorySegment data) {
    this.data = LittleEndian.slice("Identify Controller", data, SIZE);
  }

  /**
   * Returns a view of a heap copy, which a device cannot change any more.
   *
   * @throws IllegalArgumentException if the memory is shorter than {@link #SIZE}
   */
  public static IdentifyController copyOf(MemorySegment data) {
    return new IdentifyController(LittleEndian.copy("Identify Controller", data, SIZE));
  }

  /** Returns a view of new heap memory, all zero. */
  public static IdentifyController create() {
    return new IdentifyController(LittleEndian.zeroes(SIZE));
  }

  /** Returns the memory, {@link #SIZE} bytes. */
  public MemorySegment segment() {
    return data;
  }

  /** Returns {@link #VID}. */
  public int vendorId() {
    return LittleEndian.getU16(data, VID);
  }

  /** Sets {@link #VID}. */
  public void setVendorId(int value) {
    LittleEndian.putU16(data, VID, value);
  }

  /** Returns {@link #SSVID}. */
  public int subsystemVendorId() {
    return LittleEndian.getU16(data, SSVID);
  }

  /** Sets {@link #SSVID}. */
  public void setSubsystemVendorId(int value) {
    LittleEndian.putU16(data, SSVID, value);
  }

  /** Returns {@link #SN}. */
  public String serialNumber() {
    return LittleEndian.getAscii(data, SN, 20);
  }

  /** Sets {@link #SN}. */
  public void setSerialNumber(String value) {
    LittleEndian.putAscii(data, SN, 20, ' ', value);
  }

  /** Returns {@link #MN}. */
  public String modelNumber() {
    return LittleEndian.getAscii(data, MN, 40);
  }

  /** Sets {@link #MN}. */
  public void setModelNumber(String value) {
    LittleEndian.putAscii(data, MN, 40, ' ', value);
  }

  /** Returns {@link #FR}. */
  public String firmwareRevision() {
    return LittleEndian.getAscii(data, FR, 8);
  }

  /** Sets {@link #FR}. */
  public void setFirmwareRevision(String value) {
    LittleEndian.putAscii(data, FR, 8, ' ', value);
  }

  /** Returns {@link #RAB}. */
  public int recommendedArbitrationBurst() {
    return LittleEndian.getU8(data, RAB);
  }

  /** Sets {@link #RAB}. */
  public void setRecommendedArbitrationBurst(int value) {
    LittleEndian.putU8(data, RAB, value);
  }

  /** Returns {@link #IEEE}. */
  public byte[] ieeeOui() {
    return LittleEndian.getBytes(data, IEEE, 3);
  }

  /** Sets {@link #IEEE}. */
  public void setIeeeOui(byte[] value) {
    LittleEndian.putBytes(data, IEEE, value, 3);
  }

  /** Returns {@link #CMIC}. */
  public int cmic() {
    return LittleEndian.getU8(data, CMIC);
  }

  /** Sets {@link #CMIC}. */
  public void setCmic(int value) {
    LittleEndian.putU8(data, CMIC, value);
  }

  /** Returns {@link #MDTS}. */
  public int mdts() {
    return LittleEndian.getU8(data, MDTS);
  }

  /** Sets {@link #MDTS}. */
  public void setMdts(int value) {
    LittleEndian.putU8(data, MDTS, value);
  }

  /** Returns {@link #CNTLID}. */
  public int controllerId() {
    return LittleEndian.getU16(data, CNTLID);
  }

  /** Sets {@link #CNTLID}. */
  public void setControllerId(int value) {
    LittleEndian.putU16(data, CNTLID, value);
  }

  /** Returns {@link #VER}. */
  public int version() {
    return LittleEndian.getI32(data, VER);
  }

  /** Sets {@link #VER}. */
  public void setVersion(int value) {
    LittleEndian.putI32(data, VER, value);
  }

  /** Returns {@link #RTD3R}. */
  public long rtd3ResumeLatency() {
    return LittleEndian.getU32(data, RTD3R);
  }

  /** Sets {@link #RTD3R}. */
  public void setRtd3ResumeLatency(long value) {
    LittleEndian.putU32(data, RTD3R, value);
  }

  /** Returns {@link #RTD3E}. */
  public long rtd3EntryLatency() {
    return LittleEndian.getU32(data, RTD3E);
  }

  /** Sets {@link #RTD3E}. */
  public void setRtd3EntryLatency(long value) {
    LittleEndian.putU32(data, RTD3E, value);
  }

  /** Returns {@link #OAES}. */
  public int oaes() {
    return LittleEndian.getI32(data, OAES);
  }

  /** Sets {@link #OAES}. */
  public void setOaes(int value) {
    LittleEndian.putI32(data, OAES, value);
  }

  /** Returns {@link #CTRATT}. */
  public int ctratt() {
    return LittleEndian.getI32(data, CTRATT);
  }

  /** Sets {@link #CTRATT}. */
  public void setCtratt(int value) {
    LittleEndian.putI32(data, CTRATT, value);
  }

  /** Returns {@link #CNTRLTYPE}. */
  public int controllerType() {
    return LittleEndian.getU8(data, CNTRLTYPE);
  }

  /** Sets {@link #CNTRLTYPE}. */
  public void setControllerType(int value) {
    LittleEndian.putU8(data, CNTRLTYPE, value);
  }

  /** Returns {@link #FGUID}. */
  public byte[] fruGuid() {
    return LittleEndian.getBytes(data, FGUID, 16);
  }

  /** Sets {@link #FGUID}. */
  public void setFruGuid(byte[] value) {
    LittleEndian.putBytes(data, FGUID, value, 16);
  }

  /** Returns {@link #CRDT1}. */
  public int commandRetryDelay1() {
    return LittleEndian.getU16(data, CRDT1);
  }

  /** Sets {@link #CRDT1}. */
  public void setCommandRetryDelay1(int value) {
    LittleEndian.putU16(data, CRDT1, value);
  }

  /** Returns {@link #CRDT2}. */
  public int commandRetryDelay2() {
    return LittleEndian.getU16(data, CRDT2);
  }

  /** Sets {@link #CRDT2}. */
  public void setCommandRetryDelay2(int value) {
    LittleEndian.putU16(data, CRDT2, value);
  }

  /** Returns {@link #CRDT3}. */
  public int commandRetryDelay3() {
    return LittleEndian.getU16(data, CRDT3);
  }

  /** Sets {@link #CRDT3}. */
  public void setCommandRetryDelay3(int value) {
    LittleEndian.putU16(data, CRDT3, value);
  }

  /** Returns {@link #OACS}. */
  public int oacs() {
    return LittleEndian.getU16(data, OACS);
  }

  /** Sets {@link #OACS}. */
  public void setOacs(int value) {
    LittleEndian.putU16(data, OACS, value);
  }

  /** Returns {@link #ACL}. */
  public int abortCommandLimit() {
    return LittleEndian.getU8(data, ACL);
  }

  /** Sets {@link #ACL}. */
  public void setAbortCommandLimit(int value) {
    LittleEndian.putU8(data, ACL, value);
  }

  /** Returns {@link #AERL}. */
  public int asynchronousEventRequestLimit() {
    return LittleEndian.getU8(data, AERL);
  }

  /** Sets {@link #AERL}. */
  public void setAsynchronousEventRequestLimit(int value) {
    LittleEndian.putU8(data, AERL, value);
  }

  /** Returns {@link #FRMW}. */
  public int frmw() {
    return LittleEndian.getU8(data, FRMW);
  }

  /** Sets {@link #FRMW}. */
  public void setFrmw(int value) {
    LittleEndian.putU8(data, FRMW, value);
  }

  /** Returns how many firmware slots there are: bits 3:1 of {@link #FRMW}. */
  public int firmwareSlots() {
    return FRMW_SLOTS.get(frmw());
  }

  /** Sets how many firmware slots there are, 1 to 7, and leaves the other bits of FRMW. */
  public void setFirmwareSlots(int slots) {
    setFrmw(FRMW_SLOTS.set(frmw(), slots));
  }

  /** Returns {@link #LPA}. */
  public int lpa() {
    return LittleEndian.getU8(data, LPA);
  }

  /** Sets {@link #LPA}. */
  public void setLpa(int value) {
    LittleEndian.putU8(data, LPA, value);
  }

  /** Returns {@link #ELPE}. */
  public int errorLogPageEntries() {
    return LittleEndian.getU8(data, ELPE);
  }

  /** Sets {@link #ELPE}. */
  public void setErrorLogPageEntries(int value) {
    LittleEndian.putU8(data, ELPE, value);
  }

  /** Returns {@link #NPSS}. */
  public int powerStates() {
    return LittleEndian.getU8(data, NPSS);
  }

  /** Sets {@link #NPSS}. */
  public void setPowerStates(int value) {
    LittleEndian.putU8(data, NPSS, value);
  }

  /**
   * Returns the descriptor of a power state.
   *
   * @param state 0 to {@link #NPSS}, which is 31 at most
   */
  public PowerState powerState(int state) {
    return PowerState.read(powerStateSegment(state));
  }

  /** Returns the memory of the descriptor of a power state, 0 to 31. */
  public MemorySegment powerStateSegment(int state) {
    return data.asSlice(
        PSD + (long) PowerState.SIZE * Objects.checkIndex(state, MAX_POWER_STATES),
        PowerState.SIZE);
  }

  /** Returns {@link #WCTEMP}. */
  public int warningTemperature() {
    return LittleEndian.getU16(data, WCTEMP);
  }

  /** Sets {@link #WCTEMP}. */
  public void setWarningTemperature(int value) {
    LittleEndian.putU16(data, WCTEMP, value);
  }

  /** Returns {@link #CCTEMP}. */
  public int criticalTemperature() {
    return LittleEndian.getU16(data, CCTEMP);
  }

  /** Sets {@link #CCTEMP}. */
  public void setCriticalTemperature(int value) {
    LittleEndian.putU16(data, CCTEMP, value);
  }

  /** Returns {@link #MTFA}. */
  public int maxFirmwareActivationTime() {
    return LittleEndian.getU16(data, MTFA);
  }

  /** Sets {@link #MTFA}. */
  public void setMaxFirmwareActivationTime(int value) {
    LittleEndian.putU16(data, MTFA, value);
  }

  /** Returns {@link #HMPRE}. */
  public long hostMemoryBufferPreferredSize() {
    return LittleEndian.getU32(data, HMPRE);
  }

  /** Sets {@link #HMPRE}. */
  public void setHostMemoryBufferPreferredSize(long value) {
    LittleEndian.putU32(data, HMPRE, value);
  }

  /** Returns {@link #HMMIN}. */
  public long hostMemoryBufferMinimumSize() {
    return LittleEndian.getU32(data, HMMIN);
  }

  /** Sets {@link #HMMIN}. */
  public void setHostMemoryBufferMinimumSize(long value) {
    LittleEndian.putU32(data, HMMIN, value);
  }

  /** Returns {@link #TNVMCAP}. */
  public BigInteger totalNvmCapacity() {
    return LittleEndian.getU128(data, TNVMCAP);
  }

  /** Sets {@link #TNVMCAP}. */
  public void setTotalNvmCapacity(BigInteger value) {
    LittleEndian.putU128(data, TNVMCAP, value);
  }

  /** Returns {@link #UNVMCAP}. */
  public BigInteger unallocatedNvmCapacity() {
    return LittleEndian.getU128(data, UNVMCAP);
  }

  /** Sets {@link #UNVMCAP}. */
  public void setUnallocatedNvmCapacity(BigInteger value) {
    LittleEndian.putU128(data, UNVMCAP, value);
  }

  /** Returns {@link #FWUG}. */
  public int firmwareUpdateGranularity() {
    return LittleEndian.getU8(data, FWUG);
  }

  /** Sets {@link #FWUG}. */
  public void setFirmwareUpdateGranularity(int value) {
    LittleEndian.putU8(data, FWUG, value);
  }

  /** Returns {@link #KAS}. */
  public int keepAliveSupport() {
    return LittleEndian.getU16(data, KAS);
  }

  /** Sets {@link #KAS}. */
  public void setKeepAliveSupport(int value) {
    LittleEndian.putU16(data, KAS, value);
  }

  /** Returns {@link #SQES}. */
  public int sqes() {
    return LittleEndian.getU8(data, SQES);
  }

  /** Sets {@link #SQES}. */
  public void setSqes(int value) {
    LittleEndian.putU8(data, SQES, value);
  }

  /** Returns {@link #CQES}. */
  public int cqes() {
    return LittleEndian.getU8(data, CQES);
  }

  /** Sets {@link #CQES}. */
  public void setCqes(int value) {
    LittleEndian.putU8(data, CQES, value);
  }

  /** Returns {@link #MAXCMD}. */
  public int maxOutstandingCommands() {
    return LittleEndian.getU16(data, MAXCMD);
  }

  /** Sets {@link #MAXCMD}. */
  public void setMaxOutstandingCommands(int value) {
    LittleEndian.putU16(data, MAXCMD, value);
  }

  /** Returns {@link #NN}. */
  public long numberOfNamespaces() {
    return LittleEndian.getU32(data, NN);
  }

  /** Sets {@link #NN}. */
  public void setNumberOfNamespaces(long value) {
    LittleEndian.putU32(data, NN, value);
  }

  /** Returns {@link #ONCS}. */
  public int oncs() {
    return LittleEndian.getU16(data, ONCS);
  }

  /** Sets {@link #ONCS}. */
  public void setOncs(int value) {
    LittleEndian.putU16(data, ONCS, value);
  }

  /** Returns {@link #FUSES}. */
  public int fuses() {
    return LittleEndian.getU16(data, FUSES);
  }

  /** Sets {@link #FUSES}. */
  public void setFuses(int value) {
    LittleEndian.putU16(data, FUSES, value);
  }

  /** Returns {@link #SANICAP}. */
  public int sanicap() {
    return LittleEndian.getI32(data, SANICAP);
  }

  /** Sets {@link #SANICAP}. */
  public void setSanicap(int value) {
    LittleEndian.putI32(data, SANICAP, value);
  }

  /** Returns {@link #FNA}. */
  public int fna() {
    return LittleEndian.getU8(data, FNA);
  }

  /** Sets {@link #FNA}. */
  public void setFna(int value) {
    LittleEndian.putU8(data, FNA, value);
  }

  /** Returns {@link #VWC}. */
  public int vwc() {
    return LittleEndian.getU8(data, VWC);
  }

  /** Sets {@link #VWC}. */
  public void setVwc(int value) {
    LittleEndian.putU8(data, VWC, value);
  }

  /** Returns {@link #AWUN}. */
  public int atomicWriteUnitNormal() {
    return LittleEndian.getU16(data, AWUN);
  }

  /** Sets {@link #AWUN}. */
  public void setAtomicWriteUnitNormal(int value) {
    LittleEndian.putU16(data, AWUN, value);
  }

  /** Returns {@link #AWUPF}. */
  public int atomicWriteUnitPowerFail() {
    return LittleEndian.getU16(data, AWUPF);
  }

  /** Sets {@link #AWUPF}. */
  public void setAtomicWriteUnitPowerFail(int value) {
    LittleEndian.putU16(data, AWUPF, value);
  }

  /** Returns {@link #NWPC}. */
  public int nwpc() {
    return LittleEndian.getU8(data, NWPC);
  }

  /** Sets {@link #NWPC}. */
  public void setNwpc(int value) {
    LittleEndian.putU8(data, NWPC, value);
  }

  /** Returns {@link #ACWU}. */
  public int atomicCompareAndWriteUnit() {
    return LittleEndian.getU16(data, ACWU);
  }

  /** Sets {@link #ACWU}. */
  public void setAtomicCompareAndWriteUnit(int value) {
    LittleEndian.putU16(data, ACWU, value);
  }

  /** Returns {@link #SGLS}. */
  public int sgls() {
    return LittleEndian.getI32(data, SGLS);
  }

  /** Sets {@link #SGLS}. */
  public void setSgls(int value) {
    LittleEndian.putI32(data, SGLS, value);
  }

  /** Returns {@link #MNAN}. */
  public long maxAllowedNamespaces() {
    return LittleEndian.getU32(data, MNAN);
  }

  /** Sets {@link #MNAN}. */
  public void setMaxAllowedNamespaces(long value) {
    LittleEndian.putU32(data, MNAN, value);
  }

  /** Returns {@link #SUBNQN}. */
  public String subsystemNqn() {
    return LittleEndian.getAscii(data, SUBNQN, 256);
  }

  /** Sets {@link #SUBNQN}. */
  public void setSubsystemNqn(String value) {
    LittleEndian.putAscii(data, SUBNQN, 256, '\0', value);
  }

  /** Returns the required size of a Submission Queue entry, as a power of two: 6 for 64 bytes. */
  public int requiredSqes() {
    return sqes() & 0xf;
  }

  /** Returns the maximum size of a Submission Queue entry, as a power of two. */
  public int maxSqes() {
    return sqes() >>> 4;
  }

  /** Returns the required size of a Completion Queue entry, as a power of two: 4 for 16 bytes. */
  public int requiredCqes() {
    return cqes() & 0xf;
  }

  /** Returns the maximum size of a Completion Queue entry, as a power of two. */
  public int maxCqes() {
    return cqes() >>> 4;
  }

  /** Says whether a volatile write cache is present. */
  public boolean hasVolatileWriteCache() {
    return (vwc() & VWC_PRESENT) != 0;
  }

  /**
   * Returns the longest data transfer of one command in bytes, or {@link Long#MAX_VALUE} without a
   * limit. An MDTS that does not fit a long is no limit either.
   *
   * @param minPageSize {@link Cap#minPageSize}, 4096 bytes or more
   */
  public long maxTransferSize(int minPageSize) {
    int shift = mdts() + Integer.numberOfTrailingZeros(minPageSize);
    return mdts() == 0 || shift > 62 ? Long.MAX_VALUE : 1L << shift;
  }
}
