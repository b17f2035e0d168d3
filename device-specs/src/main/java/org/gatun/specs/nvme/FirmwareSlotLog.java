package org.gatun.specs.nvme;

import java.lang.foreign.MemorySegment;

/** The Firmware Slot Information log page, LID 03h (Base 5.16.1.4). */
public final class FirmwareSlotLog {
  /** Size in bytes. */
  public static final int SIZE = 512;

  /** The most slots that a controller can have. */
  public static final int MAX_SLOTS = 7;

  /** Active Firmware Info, 8 bits: the active slot, and the one that the next reset activates. */
  public static final int AFI = 0;

  /** Firmware Revision of slot 1, 8 bytes of ASCII; zeros if it is empty. The others follow. */
  public static final int FRS1 = 8;

  private static final int REVISION_SIZE = 8;

  private static final BitField ACTIVE = new BitField("AFI.active", 0, 3);
  private static final BitField NEXT = new BitField("AFI.next", 4, 3);

  private final MemorySegment data;

  /**
   * A view of the first {@link #SIZE} bytes: reads and writes go there.
   *
   * @throws IllegalArgumentException if the memory is shorter
   */
  public FirmwareSlotLog(MemorySegment data) {
    this.data = LittleEndian.slice("Firmware Slot Information log", data, SIZE);
  }

  /** Returns a view of new heap memory, all zero. */
  public static FirmwareSlotLog create() {
    return new FirmwareSlotLog(LittleEndian.zeroes(SIZE));
  }

  /** Returns the memory, {@link #SIZE} bytes. */
  public MemorySegment segment() {
    return data;
  }

  /** Returns the slot of the firmware that is active: bits 2:0 of {@link #AFI}. */
  public int activeSlot() {
    return ACTIVE.get(LittleEndian.getU8(data, AFI));
  }

  /** Returns the slot that the next reset activates, or 0: bits 6:4 of {@link #AFI}. */
  public int nextSlot() {
    return NEXT.get(LittleEndian.getU8(data, AFI));
  }

  /**
   * Sets {@link #AFI}.
   *
   * @param active 1 to 7
   * @param next 1 to 7; 0 if the next reset changes nothing
   */
  public void setSlots(int active, int next) {
    LittleEndian.putU8(data, AFI, ACTIVE.set(NEXT.set(0, next), active));
  }

  /** Returns the revision of the firmware in a slot, 1 to 7; empty if there is none. */
  public String revision(int slot) {
    return LittleEndian.getAscii(data, offset(slot), REVISION_SIZE);
  }

  /** Sets the revision of the firmware in a slot, 1 to 7. */
  public void setRevision(int slot, String revision) {
    LittleEndian.putAscii(data, offset(slot), REVISION_SIZE, ' ', revision);
  }

  private static long offset(int slot) {
    if (slot < 1 || slot > MAX_SLOTS) {
      throw new IndexOutOfBoundsException("firmware slot " + slot + ": there are 1 to 7");
    }
    return FRS1 + (long) REVISION_SIZE * (slot - 1);
  }
}
