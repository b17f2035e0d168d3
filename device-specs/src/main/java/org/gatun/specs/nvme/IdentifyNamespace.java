package org.gatun.specs.nvme;

import java.lang.foreign.MemorySegment;
import java.math.BigInteger;
import java.util.Objects;

/**
 * The Identify Namespace data structure of the NVM Command Set, CNS 00h (NVM 4.1.5.1, figure 97;
 * 1.4 figure 245). All zero for a namespace that is not active.
 */
public final class IdentifyNamespace {
  /** Size in bytes. */
  public static final int SIZE = 4096;

  /** Namespace Size in logical blocks, 64 bits unsigned. */
  public static final int NSZE = 0;

  /** Namespace Capacity in logical blocks, 64 bits unsigned. */
  public static final int NCAP = 8;

  /** Namespace Utilization in logical blocks, 64 bits unsigned. */
  public static final int NUSE = 16;

  /** Namespace Features, 8 bits. */
  public static final int NSFEAT = 24;

  /** Number of LBA Formats, 0's based: see {@link #lbaFormats}. */
  public static final int NLBAF = 25;

  /** Formatted LBA Size: see {@link #formatIndex} and {@link #FLBAS_EXTENDED_LBA}. */
  public static final int FLBAS = 26;

  /** Metadata Capabilities: bit 0 extended LBA, bit 1 separate buffer. */
  public static final int MC = 27;

  /** End-to-end Data Protection Capabilities, 8 bits. */
  public static final int DPC = 28;

  /** End-to-end Data Protection Type Settings: bits 2:0 are 0 when off. */
  public static final int DPS = 29;

  /** Namespace Multi-path I/O and Namespace Sharing Capabilities: bit 0 may be shared. */
  public static final int NMIC = 30;

  /** Reservation Capabilities, 8 bits; 0 without. */
  public static final int RESCAP = 31;

  /** Format Progress Indicator: bits 6:0 percent that remains, bit 7 supported. */
  public static final int FPI = 32;

  /**
   * Deallocate Logical Block Features: bits 2:0 what a deallocated block reads, bit 3 Write Zeroes
   * may deallocate.
   */
  public static final int DLFEAT = 33;

  /** Namespace Atomic Write Unit Normal in logical blocks, 0's based. */
  public static final int NAWUN = 34;

  /** Namespace Atomic Write Unit Power Fail in logical blocks, 0's based. */
  public static final int NAWUPF = 36;

  /** Namespace Atomic Compare and Write Unit in logical blocks, 0's based. */
  public static final int NACWU = 38;

  /** Namespace Atomic Boundary Size Normal in logical blocks, 0's based. */
  public static final int NABSN = 40;

  /** Namespace Atomic Boundary Offset in logical blocks. */
  public static final int NABO = 42;

  /** Namespace Atomic Boundary Size Power Fail in logical blocks, 0's based. */
  public static final int NABSPF = 44;

  /** Namespace Optimal I/O Boundary in logical blocks; 0 is not reported. */
  public static final int NOIOB = 46;

  /** NVM Capacity in bytes. */
  public static final int NVMCAP = 48;

  /** Namespace Preferred Write Granularity in logical blocks, 0's based. */
  public static final int NPWG = 64;

  /** Namespace Preferred Write Alignment in logical blocks, 0's based. */
  public static final int NPWA = 66;

  /** Namespace Preferred Deallocate Granularity in logical blocks, 0's based. */
  public static final int NPDG = 68;

  /** Namespace Preferred Deallocate Alignment in logical blocks, 0's based. */
  public static final int NPDA = 70;

  /** Namespace Optimal Write Size in logical blocks, 0's based. */
  public static final int NOWS = 72;

  /** ANA Group Identifier; 0 is not reported. */
  public static final int ANAGRPID = 92;

  /** Namespace Attributes: {@link #NSATTR_WRITE_PROTECTED}. */
  public static final int NSATTR = 99;

  /** NVM Set Identifier; 0 is not reported. */
  public static final int NVMSETID = 100;

  /** Endurance Group Identifier; 0 is not reported. */
  public static final int ENDGID = 102;

  /**
   * Namespace Globally Unique Identifier, 16 bytes, most significant first; zero is not reported.
   */
  public static final int NGUID = 104;

  /** IEEE Extended Unique Identifier, 8 bytes, most significant first; zero is not reported. */
  public static final int EUI64 = 120;

  /** LBA Formats: {@link #MAX_LBA_FORMATS} of 4 bytes each, see {@link LbaFormat}. */
  public static final int LBAF = 128;

  /** How many LBA formats the structure has room for; 16 before 2.0. */
  public static final int MAX_LBA_FORMATS = 64;

  /** {@link #FLBAS}: metadata are at the end of each block (extended LBA), not in a buffer. */
  public static final int FLBAS_EXTENDED_LBA = 1 << 4;

  /** {@link #NSFEAT}: thin provisioning: {@link #NCAP} may be less than {@link #NSZE}. */
  public static final int NSFEAT_THIN_PROVISIONING = 1 << 0;

  /** {@link #NSFEAT}: NAWUN, NAWUPF and NACWU are valid. */
  public static final int NSFEAT_NAMESPACE_ATOMICS = 1 << 1;

  /** {@link #NSFEAT}: reads of deallocated blocks can be made to fail. */
  public static final int NSFEAT_DEALLOCATED_ERROR = 1 << 2;

  /** {@link #NSFEAT}: NPWG, NPWA, NPDG, NPDA and NOWS are valid. */
  public static final int NSFEAT_OPTIMAL_PERFORMANCE = 1 << 4;

  /** {@link #NSATTR}: the namespace is write protected. */
  public static final int NSATTR_WRITE_PROTECTED = 1 << 0;

  private final MemorySegment data;

  /**
   * A view of the first {@link #SIZE} bytes: reads and writes go there.
   *
   * @throws IllegalArgumentException if the memory is shorter
   */
  public IdentifyNamespace(MemorySegment data) {
    this.data = LittleEndian.slice("Identify Namespace", data, SIZE);
  }

  /**
   * Returns a view of a heap copy, which a device cannot change any more.
   *
   * @throws IllegalArgumentException if the memory is shorter than {@link #SIZE}
   */
  public static IdentifyNamespace copyOf(MemorySegment data) {
    return new IdentifyNamespace(LittleEndian.copy("Identify Namespace", data, SIZE));
  }

  /** Returns a view of new heap memory, all zero. */
  public static IdentifyNamespace create() {
    return new IdentifyNamespace(LittleEndian.zeroes(SIZE));
  }

  /** Returns the memory, {@link #SIZE} bytes. */
  public MemorySegment segment() {
    return data;
  }

  /** Returns {@link #NSZE}. */
  public long size() {
    return LittleEndian.getI64(data, NSZE);
  }

  /** Sets {@link #NSZE}. */
  public void setSize(long value) {
    LittleEndian.putI64(data, NSZE, value);
  }

  /** Returns {@link #NCAP}. */
  public long capacity() {
    return LittleEndian.getI64(data, NCAP);
  }

  /** Sets {@link #NCAP}. */
  public void setCapacity(long value) {
    LittleEndian.putI64(data, NCAP, value);
  }

  /** Returns {@link #NUSE}. */
  public long utilization() {
    return LittleEndian.getI64(data, NUSE);
  }

  /** Sets {@link #NUSE}. */
  public void setUtilization(long value) {
    LittleEndian.putI64(data, NUSE, value);
  }

  /** Returns {@link #NSFEAT}. */
  public int nsfeat() {
    return LittleEndian.getU8(data, NSFEAT);
  }

  /** Sets {@link #NSFEAT}. */
  public void setNsfeat(int value) {
    LittleEndian.putU8(data, NSFEAT, value);
  }

  /** Returns {@link #NLBAF}. */
  public int nlbaf() {
    return LittleEndian.getU8(data, NLBAF);
  }

  /** Sets {@link #NLBAF}. */
  public void setNlbaf(int value) {
    LittleEndian.putU8(data, NLBAF, value);
  }

  /** Returns {@link #FLBAS}. */
  public int flbas() {
    return LittleEndian.getU8(data, FLBAS);
  }

  /** Sets {@link #FLBAS}. */
  public void setFlbas(int value) {
    LittleEndian.putU8(data, FLBAS, value);
  }

  /** Returns {@link #MC}. */
  public int mc() {
    return LittleEndian.getU8(data, MC);
  }

  /** Sets {@link #MC}. */
  public void setMc(int value) {
    LittleEndian.putU8(data, MC, value);
  }

  /** Returns {@link #DPC}. */
  public int dpc() {
    return LittleEndian.getU8(data, DPC);
  }

  /** Sets {@link #DPC}. */
  public void setDpc(int value) {
    LittleEndian.putU8(data, DPC, value);
  }

  /** Returns {@link #DPS}. */
  public int dps() {
    return LittleEndian.getU8(data, DPS);
  }

  /** Sets {@link #DPS}. */
  public void setDps(int value) {
    LittleEndian.putU8(data, DPS, value);
  }

  /** Returns {@link #NMIC}. */
  public int nmic() {
    return LittleEndian.getU8(data, NMIC);
  }

  /** Sets {@link #NMIC}. */
  public void setNmic(int value) {
    LittleEndian.putU8(data, NMIC, value);
  }

  /** Returns {@link #RESCAP}. */
  public int rescap() {
    return LittleEndian.getU8(data, RESCAP);
  }

  /** Sets {@link #RESCAP}. */
  public void setRescap(int value) {
    LittleEndian.putU8(data, RESCAP, value);
  }

  /** Returns {@link #FPI}. */
  public int fpi() {
    return LittleEndian.getU8(data, FPI);
  }

  /** Sets {@link #FPI}. */
  public void setFpi(int value) {
    LittleEndian.putU8(data, FPI, value);
  }

  /** Returns {@link #DLFEAT}. */
  public int dlfeat() {
    return LittleEndian.getU8(data, DLFEAT);
  }

  /** Sets {@link #DLFEAT}. */
  public void setDlfeat(int value) {
    LittleEndian.putU8(data, DLFEAT, value);
  }

  /** Returns {@link #NAWUN}. */
  public int atomicWriteUnitNormal() {
    return LittleEndian.getU16(data, NAWUN);
  }

  /** Sets {@link #NAWUN}. */
  public void setAtomicWriteUnitNormal(int value) {
    LittleEndian.putU16(data, NAWUN, value);
  }

  /** Returns {@link #NAWUPF}. */
  public int atomicWriteUnitPowerFail() {
    return LittleEndian.getU16(data, NAWUPF);
  }

  /** Sets {@link #NAWUPF}. */
  public void setAtomicWriteUnitPowerFail(int value) {
    LittleEndian.putU16(data, NAWUPF, value);
  }

  /** Returns {@link #NACWU}. */
  public int atomicCompareAndWriteUnit() {
    return LittleEndian.getU16(data, NACWU);
  }

  /** Sets {@link #NACWU}. */
  public void setAtomicCompareAndWriteUnit(int value) {
    LittleEndian.putU16(data, NACWU, value);
  }

  /** Returns {@link #NABSN}. */
  public int atomicBoundarySizeNormal() {
    return LittleEndian.getU16(data, NABSN);
  }

  /** Sets {@link #NABSN}. */
  public void setAtomicBoundarySizeNormal(int value) {
    LittleEndian.putU16(data, NABSN, value);
  }

  /** Returns {@link #NABO}. */
  public int atomicBoundaryOffset() {
    return LittleEndian.getU16(data, NABO);
  }

  /** Sets {@link #NABO}. */
  public void setAtomicBoundaryOffset(int value) {
    LittleEndian.putU16(data, NABO, value);
  }

  /** Returns {@link #NABSPF}. */
  public int atomicBoundarySizePowerFail() {
    return LittleEndian.getU16(data, NABSPF);
  }

  /** Sets {@link #NABSPF}. */
  public void setAtomicBoundarySizePowerFail(int value) {
    LittleEndian.putU16(data, NABSPF, value);
  }

  /** Returns {@link #NOIOB}. */
  public int optimalIoBoundary() {
    return LittleEndian.getU16(data, NOIOB);
  }

  /** Sets {@link #NOIOB}. */
  public void setOptimalIoBoundary(int value) {
    LittleEndian.putU16(data, NOIOB, value);
  }

  /** Returns {@link #NVMCAP}. */
  public BigInteger nvmCapacity() {
    return LittleEndian.getU128(data, NVMCAP);
  }

  /** Sets {@link #NVMCAP}. */
  public void setNvmCapacity(BigInteger value) {
    LittleEndian.putU128(data, NVMCAP, value);
  }

  /** Returns {@link #NPWG}. */
  public int preferredWriteGranularity() {
    return LittleEndian.getU16(data, NPWG);
  }

  /** Sets {@link #NPWG}. */
  public void setPreferredWriteGranularity(int value) {
    LittleEndian.putU16(data, NPWG, value);
  }

  /** Returns {@link #NPWA}. */
  public int preferredWriteAlignment() {
    return LittleEndian.getU16(data, NPWA);
  }

  /** Sets {@link #NPWA}. */
  public void setPreferredWriteAlignment(int value) {
    LittleEndian.putU16(data, NPWA, value);
  }

  /** Returns {@link #NPDG}. */
  public int preferredDeallocateGranularity() {
    return LittleEndian.getU16(data, NPDG);
  }

  /** Sets {@link #NPDG}. */
  public void setPreferredDeallocateGranularity(int value) {
    LittleEndian.putU16(data, NPDG, value);
  }

  /** Returns {@link #NPDA}. */
  public int preferredDeallocateAlignment() {
    return LittleEndian.getU16(data, NPDA);
  }

  /** Sets {@link #NPDA}. */
  public void setPreferredDeallocateAlignment(int value) {
    LittleEndian.putU16(data, NPDA, value);
  }

  /** Returns {@link #NOWS}. */
  public int optimalWriteSize() {
    return LittleEndian.getU16(data, NOWS);
  }

  /** Sets {@link #NOWS}. */
  public void setOptimalWriteSize(int value) {
    LittleEndian.putU16(data, NOWS, value);
  }

  /** Returns {@link #ANAGRPID}. */
  public long anaGroupId() {
    return LittleEndian.getU32(data, ANAGRPID);
  }

  /** Sets {@link #ANAGRPID}. */
  public void setAnaGroupId(long value) {
    LittleEndian.putU32(data, ANAGRPID, value);
  }

  /** Returns {@link #NSATTR}. */
  public int nsattr() {
    return LittleEndian.getU8(data, NSATTR);
  }

  /** Sets {@link #NSATTR}. */
  public void setNsattr(int value) {
    LittleEndian.putU8(data, NSATTR, value);
  }

  /** Returns {@link #NVMSETID}. */
  public int nvmSetId() {
    return LittleEndian.getU16(data, NVMSETID);
  }

  /** Sets {@link #NVMSETID}. */
  public void setNvmSetId(int value) {
    LittleEndian.putU16(data, NVMSETID, value);
  }

  /** Returns {@link #ENDGID}. */
  public int enduranceGroupId() {
    return LittleEndian.getU16(data, ENDGID);
  }

  /** Sets {@link #ENDGID}. */
  public void setEnduranceGroupId(int value) {
    LittleEndian.putU16(data, ENDGID, value);
  }

  /** Returns {@link #NGUID}. */
  public byte[] nguid() {
    return LittleEndian.getBytes(data, NGUID, 16);
  }

  /** Sets {@link #NGUID}. */
  public void setNguid(byte[] value) {
    LittleEndian.putBytes(data, NGUID, value, 16);
  }

  /** Returns {@link #EUI64}. */
  public byte[] eui64() {
    return LittleEndian.getBytes(data, EUI64, 8);
  }

  /** Sets {@link #EUI64}. */
  public void setEui64(byte[] value) {
    LittleEndian.putBytes(data, EUI64, value, 8);
  }

  /** Returns how many LBA formats the namespace says it has: 1 to 256; only 64 have room. */
  public int lbaFormats() {
    return nlbaf() + 1;
  }

  /**
   * Returns the index of the format in use: FLBAS bits 3:0, and bits 6:5 above them where there are
   * more than 16 formats. A namespace can name one that it does not have: compare with {@link
   * #lbaFormats}.
   */
  public int formatIndex() {
    int low = flbas() & 0xf;
    return lbaFormats() > 16 ? low | ((flbas() & 0x60) >>> 1) : low;
  }

  /** Sets the index of the format in use, 0 to 63, and leaves the other bits of FLBAS. */
  public void setFormatIndex(int index) {
    checkFormat(index);
    setFlbas((flbas() & ~0x6f) | (index & 0xf) | ((index & 0x30) << 1));
  }

  /**
   * Returns the LBA format at an index.
   *
   * @throws IndexOutOfBoundsException if the index is not in 0 to 63
   */
  public LbaFormat lbaFormat(int index) {
    return LbaFormat.of(LittleEndian.getI32(data, checkFormat(index)));
  }

  /** Sets the LBA format at an index, 0 to 63. */
  public void setLbaFormat(int index, LbaFormat format) {
    LittleEndian.putI32(data, checkFormat(index), format.word());
  }

  /** Returns the format in use, at {@link #formatIndex}. */
  public LbaFormat formattedLbaFormat() {
    return lbaFormat(formatIndex());
  }

  private static long checkFormat(int index) {
    return LBAF + 4L * Objects.checkIndex(index, MAX_LBA_FORMATS);
  }
}
