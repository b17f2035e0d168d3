package org.gatun.specs.nvme;

import java.lang.foreign.MemorySegment;

/**
 * A Namespace Identification Descriptor: CNS 03h returns a list of these, which a length of 0 ends
 * (Base 5.17.2.3).
 */
public final class NamespaceDescriptor {
  /** Size of a descriptor's header in bytes; the identifier follows. */
  public static final int HEADER_SIZE = 4;

  /** NIDT, Namespace Identifier Type, 8 bits. */
  public static final int NIDT = 0;

  /** NIDL, Namespace Identifier Length in bytes, 8 bits. */
  public static final int NIDL = 1;

  /** {@link #NIDT}: IEEE Extended Unique Identifier, 8 bytes. */
  public static final int NIDT_EUI64 = 1;

  /** {@link #NIDT}: Namespace Globally Unique Identifier, 16 bytes. */
  public static final int NIDT_NGUID = 2;

  /** {@link #NIDT}: Namespace UUID, 16 bytes. */
  public static final int NIDT_UUID = 3;

  /** {@link #NIDT}: Command Set Identifier, 1 byte; 0 is the NVM Command Set. */
  public static final int NIDT_CSI = 4;

  /** Command Set Identifier: the NVM Command Set. */
  public static final int CSI_NVM = 0;

  /** Command Set Identifier: the Key Value Command Set. */
  public static final int CSI_KEY_VALUE = 1;

  /** Command Set Identifier: the Zoned Namespace Command Set. */
  public static final int CSI_ZONED = 2;

  private static final int UUID_SIZE = 16;

  private NamespaceDescriptor() {}

  /** Returns the Command Set Identifier that a list has: {@link #CSI_NVM} if it has none. */
  public static int commandSet(MemorySegment list) {
    byte[] identifier = find(list, NIDT_CSI, 1);
    return identifier.length == 0 ? CSI_NVM : Byte.toUnsignedInt(identifier[0]);
  }

  /** Returns the UUID that a list has, of 16 bytes: of none if it has none. */
  public static byte[] uuid(MemorySegment list) {
    return find(list, NIDT_UUID, UUID_SIZE);
  }

  /** Ends with the memory, whatever the lengths in it say. */
  private static byte[] find(MemorySegment list, int type, int size) {
    long offset = 0;
    while (offset + HEADER_SIZE + size <= list.byteSize()) {
      int length = LittleEndian.getU8(list, offset + NIDL);
      if (length == 0) {
        break;
      }
      if (LittleEndian.getU8(list, offset + NIDT) == type) {
        return LittleEndian.getBytes(list, offset + HEADER_SIZE, size);
      }
      offset += HEADER_SIZE + length;
    }
    return new byte[0];
  }

  /**
   * Writes a descriptor and returns the offset of the next.
   *
   * @throws IndexOutOfBoundsException if it does not fit
   */
  public static long write(MemorySegment list, long offset, int type, byte[] identifier) {
    MemorySegment descriptor = list.asSlice(offset, HEADER_SIZE + identifier.length);
    descriptor.fill((byte) 0);
    LittleEndian.putU8(descriptor, NIDT, type);
    LittleEndian.putU8(descriptor, NIDL, identifier.length);
    LittleEndian.putBytes(descriptor, HEADER_SIZE, identifier, identifier.length);
    return offset + HEADER_SIZE + identifier.length;
  }
}
