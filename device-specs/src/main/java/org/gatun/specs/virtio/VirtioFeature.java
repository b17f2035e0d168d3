package org.gatun.specs.virtio;

/** Feature bits of all types (6), as masks of 64 bits. */
public final class VirtioFeature {
  /** A descriptor may point to a table of descriptors. */
  public static final long INDIRECT_DESCRIPTORS = 1L << 28;

  /** Notifications and interrupts are asked for by an index. */
  public static final long EVENT_INDEX = 1L << 29;

  /** The device is as Version 1 has it; modern ones insist on it. */
  public static final long VERSION_1 = 1L << 32;

  /** The device reaches memory as the platform has it, through an IOMMU say. */
  public static final long ACCESS_PLATFORM = 1L << 33;

  private VirtioFeature() {}
}
