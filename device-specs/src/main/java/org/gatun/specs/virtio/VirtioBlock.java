package org.gatun.specs.virtio;

/** A disk (5.2): its features, its configuration, its requests. It has one queue, or several. */
public final class VirtioBlock {
  /** What a request counts in, whatever the block size. */
  public static final int SECTOR = 512;

  /** Feature: a segment has at most so many bytes. */
  public static final long FEATURE_SIZE_MAX = 1L << 1;

  /** Feature: a request has at most so many segments. */
  public static final long FEATURE_SEGMENTS_MAX = 1L << 2;

  /** Feature: it can't be written. */
  public static final long FEATURE_READ_ONLY = 1L << 5;

  /** Feature: it says what a block is best. */
  public static final long FEATURE_BLOCK_SIZE = 1L << 6;

  /** Feature: it keeps writes in a cache until they are flushed. */
  public static final long FEATURE_FLUSH = 1L << 9;

  /** Feature: it has several queues. */
  public static final long FEATURE_QUEUES = 1L << 12;

  /** Feature: it can forget sectors. */
  public static final long FEATURE_DISCARD = 1L << 13;

  /** Feature: it can write zeros by itself. */
  public static final long FEATURE_WRITE_ZEROES = 1L << 14;

  // 5.2.4: configuration.

  /** 64 bits: sectors. */
  public static final int CAPACITY = 0;

  /** 32 bits: the most bytes of a segment. */
  public static final int SIZE_MAX = 8;

  /** 32 bits: the most segments of a request. */
  public static final int SEGMENTS_MAX = 12;

  /** 32 bits: bytes of a block. */
  public static final int BLOCK_SIZE = 20;

  /** 16 bits: queues. */
  public static final int QUEUES = 34;

  /** 32 bits: the most sectors that one segment of a discard has. */
  public static final int DISCARD_SECTORS_MAX = 36;

  /** 32 bits: the most segments of a discard. */
  public static final int DISCARD_SEGMENTS_MAX = 40;

  /** 32 bits: what a discard is best aligned to, in sectors. */
  public static final int DISCARD_ALIGNMENT = 44;

  /** 32 bits: the most sectors that one segment of a write of zeros has. */
  public static final int ZEROES_SECTORS_MAX = 48;

  /** 32 bits: the most segments of a write of zeros. */
  public static final int ZEROES_SEGMENTS_MAX = 52;

  /** Bytes of the configuration. */
  public static final int CONFIG_SIZE = 60;

  // 5.2.6: a request. Header, data, status.

  /** Bytes of the header: type, 32 bits reserved, sector. */
  public static final int HEADER_SIZE = 16;

  /** Of the header, 32 bits: {@link #READ} and its like. */
  public static final int TYPE = 0;

  /** Of the header, 64 bits: the first sector. */
  public static final int FIRST_SECTOR = 8;

  /** {@link #TYPE}: read. */
  public static final int READ = 0;

  /** {@link #TYPE}: write. */
  public static final int WRITE = 1;

  /** {@link #TYPE}: what was written before is to last. */
  public static final int FLUSH = 4;

  /** {@link #TYPE}: the disk's serial number. */
  public static final int GET_ID = 8;

  /** {@link #TYPE}: forget sectors, by segments. */
  public static final int DISCARD = 11;

  /** {@link #TYPE}: write zeros, by segments. */
  public static final int WRITE_ZEROES = 13;

  /** Bytes of what {@link #GET_ID} reads: text, with a zero behind it if it is shorter. */
  public static final int ID_SIZE = 20;

  /** Bytes of a segment of {@link #DISCARD} and {@link #WRITE_ZEROES}: sector, count, flags. */
  public static final int SEGMENT_SIZE = 16;

  /** Status, 8 bits: done. */
  public static final int OK = 0;

  /** Status: it failed. */
  public static final int IO_ERROR = 1;

  /** Status: the device does not know it. */
  public static final int UNSUPPORTED = 2;

  private VirtioBlock() {}
}
