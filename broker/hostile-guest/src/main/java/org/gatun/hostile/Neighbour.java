package org.gatun.hostile;

import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.gatun.driver.edu.EduDevice;
import org.gatun.driver.edu.EduOptions;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;

/** Honest work beside a hostile guest: it says how far it is, and that its memory is its own. */
final class Neighbour {
  /** At the end of a quota that is more than what others have: where they have no memory. */
  private static final long MEMORY = 7 << 20;

  private static final int PAGE = 4096;
  private static final byte CANARY = (byte) 0xc5;
  private static final int PAUSE_MILLIS = 100;
  private static final Duration TIMEOUT = Duration.ofMinutes(1);

  private Neighbour() {}

  /** Works until it is told to end. */
  static void run(PciDevice device, TimeSource time, CountDownLatch end) {
    EduOptions options = EduOptions.defaults().withTime(time).withTimeout(TIMEOUT);
    byte[] canary = new byte[PAGE / 2];
    Arrays.fill(canary, CANARY);
    try (EduDevice edu = EduDevice.open(device, options);
        DmaBuffer buffer = device.dma().allocate(MEMORY, PAGE)) {
      long offset = MEMORY - PAGE;
      buffer.copyIn(offset, canary);
      System.out.println("canary at 0x%x".formatted(buffer.busAddress() + offset));
      byte[] seen = new byte[canary.length];
      for (int done = 1; !end.await(PAUSE_MILLIS, TimeUnit.MILLISECONDS); done++) {
        if (edu.factorial(5) != 120) {
          throw new IllegalStateException("wrong factorial");
        }
        buffer.copyOut(offset, seen);
        if (!Arrays.equals(seen, canary)) {
          throw new IllegalStateException("somebody has written into its memory");
        }
        edu.verify(buffer.busAddress() + offset, canary);
        System.out.println("done " + done);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
