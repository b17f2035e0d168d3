package org.gatun.specs.nvme;

/** The word of register VS and of Identify Controller's VER (Base 3.1.3.2). */
public final class Version {
  /** NVMe 1.0, 1.1 and so on up to 2.0: words compare as unsigned integers. */
  public static final int V1_0 = 0x0001_0000;

  /** NVMe 1.1, the first with the active namespace list. */
  public static final int V1_1 = 0x0001_0100;

  /** NVMe 1.2. */
  public static final int V1_2 = 0x0001_0200;

  /** NVMe 1.3, the first with the namespace identification descriptor list. */
  public static final int V1_3 = 0x0001_0300;

  /** NVMe 1.4. */
  public static final int V1_4 = 0x0001_0400;

  /** NVMe 2.0. */
  public static final int V2_0 = 0x0002_0000;

  private Version() {}

  /** MJR: the major version (bits 31:16). */
  public static int major(int version) {
    return version >>> 16;
  }

  /** MNR: the minor version (bits 15:8). */
  public static int minor(int version) {
    return (version >>> 8) & 0xff;
  }

  /** TER: the tertiary version (bits 7:0). */
  public static int tertiary(int version) {
    return version & 0xff;
  }

  /** Says whether a version is another, or a later one. */
  public static boolean isAtLeast(int version, int other) {
    return Integer.compareUnsigned(version, other) >= 0;
  }

  /** Returns the version as text: 1.4, or 1.3.2 where there is a tertiary part. */
  public static String text(int version) {
    String text = major(version) + "." + minor(version);
    return tertiary(version) == 0 ? text : text + "." + tertiary(version);
  }
}
