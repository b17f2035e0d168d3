package org.gatun.specs.nvme;

/**
 * Scatter Gather List descriptors: the other way in which a command names its data (Base 4.1.2; 1.4
 * section 4.4).
 *
 * <p>A command with {@link SubmissionEntry#PSDT_SGL_BUFFER} has one where its PRP entries would be.
 * That describes all the data, or names a segment, which is an array of descriptors; only the last
 * of a segment may name the next one. Each is an address of 64 bits, and then 64 bits more, the
 * <i>second half</i>, with length and type.
 */
public final class Sgl {
  /** Size of a descriptor in bytes. */
  public static final int SIZE = 16;

  /** Address, 64 bits: of data, or of a segment. */
  public static final int ADDRESS = 0;

  /** The second half, 64 bits; see {@link #secondHalf}. */
  public static final int SECOND_HALF = 8;

  /** The address of a segment is a multiple of this. */
  public static final int SEGMENT_ALIGNMENT = 8;

  /** Type: SGL Data Block, of any length and alignment. */
  public static final int DATA_BLOCK = 0;

  /** Type: SGL Bit Bucket: so many bytes of what is read are dropped; it has no address. */
  public static final int BIT_BUCKET = 1;

  /** Type: SGL Segment. */
  public static final int SEGMENT = 2;

  /** Type: SGL Last Segment: a segment that names no other. */
  public static final int LAST_SEGMENT = 3;

  /** Subtype: the address is one of memory; the only one over PCIe without controller memory. */
  public static final int SUBTYPE_ADDRESS = 0;

  private static final long MAX_LENGTH = 0xffff_ffffL;

  private Sgl() {}

  /**
   * Returns the second half of a descriptor with an address.
   *
   * @param type {@link #DATA_BLOCK} to {@link #LAST_SEGMENT}
   * @param length in bytes, 0 to 4294967295; of a segment, a multiple of {@link #SIZE}
   */
  public static long secondHalf(int type, long length) {
    if (type < 0 || type > 0xf || length < 0 || length > MAX_LENGTH) {
      throw new IllegalArgumentException(
          "an SGL descriptor has a type of 4 bits and a length of 32, not %d and %d"
              .formatted(type, length));
    }
    return (long) type << 60 | length;
  }

  /** Type: 0 to 15 (bits 127:124 of the descriptor). */
  public static int type(long secondHalf) {
    return (int) (secondHalf >>> 60);
  }

  /** Subtype: 0 to 15 (bits 123:120 of the descriptor). */
  public static int subtype(long secondHalf) {
    return (int) (secondHalf >>> 56) & 0xf;
  }

  /** Length in bytes, 0 to 4294967295 (bits 95:64 of the descriptor). */
  public static long length(long secondHalf) {
    return secondHalf & MAX_LENGTH;
  }
}
