package org.gatun.vmtests.inside;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/** What the outer run tells a test inside. */
public final class Inside {
  /** The system property with the directory that is shared with the host; set only inside. */
  public static final String SHARE = "gatun.vm.share";

  /** The prefix of the system properties with the devices' addresses. */
  public static final String DEVICE = "gatun.vm.device.";

  private Inside() {}

  /** Whether this is the machine. */
  public static boolean isInside() {
    return System.getProperty(SHARE) != null;
  }

  /** The directory that the host sees too, at the same path. */
  public static Path share() {
    return Path.of(property(SHARE));
  }

  /** The address, {@code 0000:01:00.0}, of the device that the outer test gave this id. */
  public static String address(String deviceId) {
    return property(DEVICE + deviceId);
  }

  /**
   * A system property that the outer test set.
   *
   * @throws IllegalStateException if it did not
   */
  public static String property(String name) {
    String value = System.getProperty(name);
    if (value == null) {
      throw new IllegalStateException(
          "the system property " + name + " is not set: the outer test sets it");
    }
    return value;
  }

  /**
   * Waits for a file, a device node mostly, which the kernel makes in its own time.
   *
   * @throws AssertionError if it is not there at the limit
   */
  public static void await(Path file, Duration limit) throws InterruptedException {
    long end = System.nanoTime() + limit.toNanos();
    while (!Files.exists(file)) {
      if (System.nanoTime() - end >= 0) {
        throw new AssertionError("no " + file + " within " + limit.toSeconds() + " s");
      }
      Thread.sleep(10);
    }
  }
}
