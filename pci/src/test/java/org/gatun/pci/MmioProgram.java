package org.gatun.pci;

import java.lang.foreign.Arena;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Makes many accesses, and says {@code whole} if none was split, merged, left out or hoisted. What
 * memory can show of it: another thread never sees half a value, a narrow write never touches its
 * neighbours, and a polling loop sees another thread's store.
 *
 * <p>Argument: how many accesses.
 */
final class MmioProgram {
  private static final DeviceName NAME = new DeviceName("test", "device");

  private MmioProgram() {}

  public static void main(String[] arguments) throws InterruptedException {
    int times = Integer.parseInt(arguments[0]);
    trapped(times);
    try (Arena arena = Arena.ofShared();
        Mmio mmio = Mmio.direct(NAME, arena.allocate(4096, 4096), () -> {})) {
      polling(mmio, times);
      torn(mmio, times);
      neighbours(mmio, times);
    }
    System.out.println("whole");
  }

  /** Counts accesses by width. */
  private static final class Counter implements RegisterHandler {
    final long[] reads = new long[9];
    final long[] writes = new long[9];

    @Override
    public long read(long offset, int width) {
      reads[width]++;
      return 0;
    }

    @Override
    public void write(long offset, int width, long value) {
      writes[width]++;
    }
  }

  private static void trapped(int times) {
    Counter counter = new Counter();
    try (Mmio mmio = Mmio.trapped(NAME, 4096, counter, () -> {})) {
      // The same register, the same value, and reads that nobody looks at: all that a compiler
      // could merge or leave out.
      for (int i = 0; i < times; i++) {
        mmio.write8(0, 1);
        mmio.write16(0, 1);
        mmio.write32(0, 1);
        mmio.write64(0, 1);
        mmio.readDiscard32(0);
      }
    }
    for (int width = 1; width <= 8; width *= 2) {
      require(counter.writes[width] == times, "writes of " + width + " bytes");
      require(counter.reads[width] == (width == 4 ? times : 0), "reads of " + width + " bytes");
    }
  }

  /** A loop without anything else in it, which a compiler would love to read only once for. */
  private static void polling(Mmio mmio, int times) throws InterruptedException {
    Thread poller =
        Thread.ofPlatform()
            .daemon()
            .start(
                () -> {
                  while (mmio.read32(0) == 0) {}
                });
    // Gives the poller time to be compiled; how long that takes is of no matter to the result.
    for (long i = 0; i < times * 10L; i++) {
      mmio.readDiscard32(64);
    }
    mmio.write32(0, 1);
    poller.join(60_000);
    require(!poller.isAlive(), "a polling loop that sees another thread's store");
  }

  /** One thread writes all zeros and all ones; another must never see a mixture. */
  private static void torn(Mmio mmio, int times) throws InterruptedException {
    whileRunning(
        () -> {
          for (int i = 0; i < times; i++) {
            int value = -(i & 1);
            mmio.write16(128, value);
            mmio.write32(132, value);
            mmio.write64(136, value);
          }
        },
        () -> {
          for (int i = 0; i < times; i++) {
            int half = mmio.read16(128);
            require(half == 0 || half == 0xffff, "16 bits in one access");
            int word = mmio.read32(132);
            require(word == 0 || word == -1, "32 bits in one access");
            long twoWords = mmio.read64(136);
            require(twoWords == 0 || twoWords == -1, "64 bits in one access");
          }
        });
  }

  /** Two threads own adjacent registers: a wider write would put back the other's old value. */
  private static void neighbours(Mmio mmio, int times) throws InterruptedException {
    whileRunning(() -> own(mmio, times, 0), () -> own(mmio, times, 1));
  }

  private static void own(Mmio mmio, int times, int which) {
    for (int i = 0; i < times; i++) {
      mmio.write8(200 + which, i);
      mmio.write16(204 + which * 2L, i);
      mmio.write32(208 + which * 4L, i);
      require(mmio.read8(200 + which) == (i & 0xff), "8 bits written alone");
      require(mmio.read16(204 + which * 2L) == (i & 0xffff), "16 bits written alone");
      require(mmio.read32(208 + which * 4L) == i, "32 bits written alone");
    }
  }

  private static void whileRunning(Runnable other, Runnable task) throws InterruptedException {
    AtomicReference<Throwable> failure = new AtomicReference<>();
    Thread thread =
        Thread.ofPlatform()
            .daemon()
            .uncaughtExceptionHandler((_, e) -> failure.set(e))
            .start(other);
    task.run();
    thread.join();
    require(failure.get() == null, "no failure: " + failure.get());
  }

  private static void require(boolean holds, String what) {
    if (!holds) {
      throw new AssertionError("not: " + what);
    }
  }
}
