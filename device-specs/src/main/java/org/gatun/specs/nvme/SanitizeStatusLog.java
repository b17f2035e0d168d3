package org.gatun.specs.nvme;

import java.lang.foreign.MemorySegment;

/** The Sanitize Status log page, LID 81h (Base 5.16.1.25; 1.4 section 5.14.1.16.2). */
public final class SanitizeStatusLog {
  /** Size in bytes. */
  public static final int SIZE = 512;

  /** Sanitize Progress in 65536ths, 16 bits; {@link #NOT_IN_PROGRESS} while none is. */
  public static final int SPROG = 0;

  /** Sanitize Status, 16 bits: {@link #STATUS_SUCCESS} and so on in bits 2:0. */
  public static final int SSTAT = 2;

  /** Sanitize Command Dword 10 Information: dword 10 of the command that this is about. */
  public static final int SCDW10 = 4;

  /** Estimated Time For Overwrite in seconds, 32 bits: a pass of one namespace's media. */
  public static final int ETO = 8;

  /** Estimated Time For Block Erase in seconds, 32 bits. */
  public static final int ETBE = 12;

  /** Estimated Time For Crypto Erase in seconds, 32 bits. */
  public static final int ETCE = 16;

  /** {@link #SPROG}: no sanitize operation is in progress. */
  public static final int NOT_IN_PROGRESS = 0xffff;

  /** An estimated time that is not reported. */
  public static final long NO_ESTIMATE = 0xffff_ffffL;

  /** {@link #SSTAT}: the NVM subsystem was never sanitized. */
  public static final int STATUS_NEVER = 0;

  /** {@link #SSTAT}: the most recent sanitize operation completed successfully. */
  public static final int STATUS_SUCCESS = 1;

  /** {@link #SSTAT}: a sanitize operation is in progress. */
  public static final int STATUS_IN_PROGRESS = 2;

  /** {@link #SSTAT}: the most recent sanitize operation failed. */
  public static final int STATUS_FAILED = 3;

  /** {@link #SSTAT}: as {@link #STATUS_SUCCESS}, with blocks deallocated though not asked to. */
  public static final int STATUS_SUCCESS_DEALLOCATED = 4;

  private static final BitField STATUS = new BitField("SSTAT.Status", 0, 3);

  private final MemorySegment data;

  /**
   * A view of the first {@link #SIZE} bytes: reads and writes go there.
   *
   * @throws IllegalArgumentException if the memory is shorter
   */
  public SanitizeStatusLog(MemorySegment data) {
    this.data = LittleEndian.slice("Sanitize Status log", data, SIZE);
  }

  /** Returns a view of new heap memory, all zero. */
  public static SanitizeStatusLog create() {
    return new SanitizeStatusLog(LittleEndian.zeroes(SIZE));
  }

  /** Returns the memory, {@link #SIZE} bytes. */
  public MemorySegment segment() {
    return data;
  }

  /** Returns {@link #SPROG}. */
  public int progress() {
    return LittleEndian.getU16(data, SPROG);
  }

  /** Sets {@link #SPROG}. */
  public void setProgress(int value) {
    LittleEndian.putU16(data, SPROG, value);
  }

  /** Returns {@link #SSTAT}. */
  public int sstat() {
    return LittleEndian.getU16(data, SSTAT);
  }

  /** Sets {@link #SSTAT}. */
  public void setSstat(int value) {
    LittleEndian.putU16(data, SSTAT, value);
  }

  /** Returns bits 2:0 of {@link #SSTAT}: {@link #STATUS_SUCCESS} and so on, 0 to 7. */
  public int status() {
    return STATUS.get(sstat());
  }

  /** Returns {@link #SCDW10}. */
  public int commandDword10() {
    return LittleEndian.getI32(data, SCDW10);
  }

  /** Sets {@link #SCDW10}. */
  public void setCommandDword10(int value) {
    LittleEndian.putI32(data, SCDW10, value);
  }

  /**
   * Returns how long an action is estimated to take, in seconds, or {@link #NO_ESTIMATE}.
   *
   * @param action {@link AdminCommand#SANITIZE_BLOCK_ERASE} and so on
   */
  public long estimatedSeconds(int action) {
    return LittleEndian.getU32(data, estimate(action));
  }

  /** Sets the time that an action is estimated to take, in seconds. */
  public void setEstimatedSeconds(int action, long value) {
    LittleEndian.putU32(data, estimate(action), value);
  }

  private static long estimate(int action) {
    return switch (action) {
      case AdminCommand.SANITIZE_OVERWRITE -> ETO;
      case AdminCommand.SANITIZE_BLOCK_ERASE -> ETBE;
      case AdminCommand.SANITIZE_CRYPTO_ERASE -> ETCE;
      default ->
          throw new IllegalArgumentException("sanitize action " + action + " erases nothing");
    };
  }
}
