package org.gatun.specs.virtio;

/** A network card (5.1): queue 0 receives, queue 1 transmits. */
public final class VirtioNetwork {
  /** The queue by which frames are received. */
  public static final int RECEIVE_QUEUE = 0;

  /** The queue by which frames are transmitted. */
  public static final int TRANSMIT_QUEUE = 1;

  /** Feature: it says how long a frame may be. */
  public static final long FEATURE_MTU = 1L << 3;

  /** Feature: it has an address. */
  public static final long FEATURE_MAC = 1L << 5;

  /** Feature: it says whether there is a link. */
  public static final long FEATURE_STATUS = 1L << 16;

  // 5.1.4: configuration.

  /** 6 bytes: the address. */
  public static final int MAC = 0;

  /** 16 bits: {@link #LINK_UP}. */
  public static final int STATUS = 6;

  /** 16 bits: the most bytes of a frame, without its header. */
  public static final int MTU = 10;

  /** Bytes of the configuration. */
  public static final int CONFIG_SIZE = 12;

  /** {@link #STATUS}: there is a link. */
  public static final int LINK_UP = 0x01;

  /** Bytes of what precedes each frame in both queues (5.1.6.1), zeros without further features. */
  public static final int HEADER_SIZE = 12;

  /** Of that header, 16 bits: how many buffers a received frame takes; 1. */
  public static final int BUFFERS = 10;

  private VirtioNetwork() {}
}
