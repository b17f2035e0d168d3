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

  private NamespaceDescriptor() {}

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
