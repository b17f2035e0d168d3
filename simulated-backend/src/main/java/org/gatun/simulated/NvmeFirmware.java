package org.gatun.simulated;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/**
 * Firmware that a simulated NVMe controller takes. An image begins with {@code GATUN-FW} and the
 * revision in 8 characters, padded with spaces; what follows, to a multiple of 4 bytes, is the
 * user's.
 *
 * @param revision as the controller tells it: 1 to 8 printable ASCII characters without spaces
 */
public record NvmeFirmware(String revision) {
  /** What an image has at least, in bytes. */
  public static final int HEADER_SIZE = 16;

  private static final String MAGIC = "GATUN-FW";

  /**
   * @throws IllegalArgumentException if the revision is no such text
   */
  public NvmeFirmware {
    if (!revision.matches("[!-~]{1,8}")) {
      throw new IllegalArgumentException(
          "a firmware revision is 1 to 8 printable ASCII characters without spaces");
    }
  }

  /** The shortest image of it, to be downloaded. */
  public byte[] image() {
    return "%s%-8s".formatted(MAGIC, revision).getBytes(StandardCharsets.US_ASCII);
  }

  /** Reads the header of an image; empty if it is none. */
  public static Optional<NvmeFirmware> of(MemorySegment header) {
    byte[] bytes = header.asSlice(0, HEADER_SIZE).toArray(ValueLayout.JAVA_BYTE);
    String text = new String(bytes, StandardCharsets.ISO_8859_1);
    try {
      return text.startsWith(MAGIC)
          ? Optional.of(new NvmeFirmware(text.substring(MAGIC.length()).stripTrailing()))
          : Optional.empty();
    } catch (IllegalArgumentException _) {
      return Optional.empty();
    }
  }
}
