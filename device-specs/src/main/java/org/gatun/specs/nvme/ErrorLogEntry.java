package org.gatun.specs.nvme;

import java.lang.foreign.MemorySegment;

/**
 * One entry of the Error Information log page, LID 01h (Base 5.16.1.2); the newest is the first.
 */
public final class ErrorLogEntry {
  /** Size in bytes. */
  public static final int SIZE = 64;

  /** Error Count, unique and ascending; 0 is an entry that is not valid. */
  public static final int ERROR_COUNT = 0;

  /** Submission Queue ID; FFFFh if the error is not of one command. */
  public static final int SQID = 8;

  /** Command ID; FFFFh if the error is not of one command. */
  public static final int CID = 10;

  /** Status Field in bits 15:1, as in a completion; bit 0 may be the phase: see {@link #status}. */
  public static final int STATUS_FIELD = 12;

  /** Parameter Error Location: bits 7:0 byte, bits 10:8 bit in the command; FFFFh is none. */
  public static final int PARAMETER_ERROR_LOCATION = 14;

  /** The first LBA with an error, if any. */
  public static final int LBA = 16;

  /** Namespace, of the command that failed. */
  public static final int NAMESPACE = 24;

  /** Vendor Specific Information Available: a log page, or 0. */
  public static final int VENDOR_LOG_PAGE = 28;

  /** Transport Type; 0 is PCIe or not reported. */
  public static final int TRTYPE = 29;

  /** Command Specific Information, 64 bits. */
  public static final int COMMAND_SPECIFIC = 32;

  /** {@link #SQID}, {@link #CID} and {@link #PARAMETER_ERROR_LOCATION}: does not apply. */
  public static final int NOT_APPLICABLE = 0xffff;

  private final MemorySegment data;

  /**
   * A view of the first {@link #SIZE} bytes: reads and writes go there.
   *
   * @throws IllegalArgumentException if the memory is shorter
   */
  public ErrorLogEntry(MemorySegment data) {
    this.data = LittleEndian.slice("Error Information log entry", data, SIZE);
  }

  /**
   * Returns a view of a heap copy, which a device cannot change any more.
   *
   * @throws IllegalArgumentException if the memory is shorter than {@link #SIZE}
   */
  public static ErrorLogEntry copyOf(MemorySegment data) {
    return new ErrorLogEntry(LittleEndian.copy("Error Information log entry", data, SIZE));
  }

  /** Returns a view of new heap memory, all zero. */
  public static ErrorLogEntry create() {
    return new ErrorLogEntry(LittleEndian.zeroes(SIZE));
  }

  /** Returns the memory, {@link #SIZE} bytes. */
  public MemorySegment segment() {
    return data;
  }

  /** Returns {@link #ERROR_COUNT}. */
  public long errorCount() {
    return LittleEndian.getI64(data, ERROR_COUNT);
  }

  /** Sets {@link #ERROR_COUNT}. */
  public void setErrorCount(long value) {
    LittleEndian.putI64(data, ERROR_COUNT, value);
  }

  /** Returns {@link #SQID}. */
  public int submissionQueueId() {
    return LittleEndian.getU16(data, SQID);
  }

  /** Sets {@link #SQID}. */
  public void setSubmissionQueueId(int value) {
    LittleEndian.putU16(data, SQID, value);
  }

  /** Returns {@link #CID}. */
  public int commandId() {
    return LittleEndian.getU16(data, CID);
  }

  /** Sets {@link #CID}. */
  public void setCommandId(int value) {
    LittleEndian.putU16(data, CID, value);
  }

  /** Returns {@link #STATUS_FIELD}. */
  public int statusField() {
    return LittleEndian.getU16(data, STATUS_FIELD);
  }

  /** Sets {@link #STATUS_FIELD}. */
  public void setStatusField(int value) {
    LittleEndian.putU16(data, STATUS_FIELD, value);
  }

  /** Returns {@link #PARAMETER_ERROR_LOCATION}. */
  public int parameterErrorLocation() {
    return LittleEndian.getU16(data, PARAMETER_ERROR_LOCATION);
  }

  /** Sets {@link #PARAMETER_ERROR_LOCATION}. */
  public void setParameterErrorLocation(int value) {
    LittleEndian.putU16(data, PARAMETER_ERROR_LOCATION, value);
  }

  /** Returns {@link #LBA}. */
  public long lba() {
    return LittleEndian.getI64(data, LBA);
  }

  /** Sets {@link #LBA}. */
  public void setLba(long value) {
    LittleEndian.putI64(data, LBA, value);
  }

  /** Returns {@link #NAMESPACE}. */
  public long namespaceId() {
    return LittleEndian.getU32(data, NAMESPACE);
  }

  /** Sets {@link #NAMESPACE}. */
  public void setNamespaceId(long value) {
    LittleEndian.putU32(data, NAMESPACE, value);
  }

  /** Returns {@link #VENDOR_LOG_PAGE}. */
  public int vendorLogPage() {
    return LittleEndian.getU8(data, VENDOR_LOG_PAGE);
  }

  /** Sets {@link #VENDOR_LOG_PAGE}. */
  public void setVendorLogPage(int value) {
    LittleEndian.putU8(data, VENDOR_LOG_PAGE, value);
  }

  /** Returns {@link #TRTYPE}. */
  public int transportType() {
    return LittleEndian.getU8(data, TRTYPE);
  }

  /** Sets {@link #TRTYPE}. */
  public void setTransportType(int value) {
    LittleEndian.putU8(data, TRTYPE, value);
  }

  /** Returns {@link #COMMAND_SPECIFIC}. */
  public long commandSpecific() {
    return LittleEndian.getI64(data, COMMAND_SPECIFIC);
  }

  /** Sets {@link #COMMAND_SPECIFIC}. */
  public void setCommandSpecific(long value) {
    LittleEndian.putI64(data, COMMAND_SPECIFIC, value);
  }

  /**
   * Returns the status, 15 bits, as {@link CompletionEntry#status} does: see {@link NvmeStatus}.
   */
  public int status() {
    return statusField() >>> 1;
  }
}
