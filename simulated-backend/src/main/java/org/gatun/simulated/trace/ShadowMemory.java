package org.gatun.simulated.trace;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.function.BiConsumer;

/**
 * A buffer twice: one for the driver, one for the device. What either of them changes is found by
 * comparing its own with what both had when they were last the same, and is then copied to the
 * other's. One thread at a time.
 */
final class ShadowMemory {
  private static final int PAGE = Recording.LONGEST;

  private final long busAddress;
  private final MemorySegment driver;
  private final MemorySegment device;
  private final MemorySegment known;

  /** By page: what one side has changed and the recording does not tell yet, from and to. */
  private final Changes byDriver;

  private final Changes byDevice;

  private static final class Changes {
    final int[] from;
    final int[] to;

    Changes(int pages) {
      from = new int[pages];
      to = new int[pages];
      Arrays.fill(from, PAGE);
    }

    void add(int page, int first, int end) {
      from[page] = Math.min(from[page], first);
      to[page] = Math.max(to[page], end);
    }

    void clear(int page) {
      from[page] = PAGE;
      to[page] = 0;
    }
  }

  /**
   * @param driver the driver's; both have whole pages
   * @param device the device's, zeroed
   * @param lifetime at least that of the buffer
   */
  ShadowMemory(long busAddress, MemorySegment driver, MemorySegment device, Arena lifetime) {
    this.busAddress = busAddress;
    this.driver = driver;
    this.device = device;
    this.known = lifetime.allocate(driver.byteSize(), PAGE);
    int pages = (int) (driver.byteSize() / PAGE);
    this.byDriver = new Changes(pages);
    this.byDevice = new Changes(pages);
  }

  /** Gives the device what the driver has written; byte by byte: it may be writing the next one. */
  void push() {
    try {
      copyToDevice();
    } catch (IllegalStateException e) {
      needGone(e);
    }
  }

  private void copyToDevice() {
    for (int page = 0; page < byDriver.from.length; page++) {
      long start = (long) page * PAGE;
      long first = MemorySegment.mismatch(driver, start, start + PAGE, known, start, start + PAGE);
      if (first < 0) {
        continue;
      }
      for (int at = (int) first; at < PAGE; at++) {
        byte value = driver.get(ValueLayout.JAVA_BYTE, start + at);
        if (value != known.get(ValueLayout.JAVA_BYTE, start + at)) {
          known.set(ValueLayout.JAVA_BYTE, start + at, value);
          device.set(ValueLayout.JAVA_BYTE, start + at, value);
          byDriver.add(page, at, at + 1);
        }
      }
    }
    VarHandle.releaseFence();
  }

  /** Looks for what the device has written, and returns whether there was any. */
  boolean look() {
    try {
      return findDeviceWrites();
    } catch (IllegalStateException e) {
      needGone(e);
      return false;
    }
  }

  private boolean findDeviceWrites() {
    boolean any = false;
    VarHandle.fullFence();
    for (int page = 0; page < byDevice.from.length; page++) {
      long start = (long) page * PAGE;
      long first = MemorySegment.mismatch(device, start, start + PAGE, known, start, start + PAGE);
      if (first < 0) {
        continue;
      }
      any = true;
      for (int at = (int) first; at < PAGE; at++) {
        byte value = device.get(ValueLayout.JAVA_BYTE, start + at);
        if (value != known.get(ValueLayout.JAVA_BYTE, start + at)) {
          known.set(ValueLayout.JAVA_BYTE, start + at, value);
          byDevice.add(page, at, at + 1);
        }
      }
    }
    return any;
  }

  /** Gives the driver what {@link #look} has found. */
  void publish(BiConsumer<Access, byte[]> recording) {
    for (int page = 0; page < byDevice.from.length; page++) {
      int from = byDevice.from[page];
      if (from < byDevice.to[page]) {
        long at = (long) page * PAGE + from;
        int length = byDevice.to[page] - from;
        MemorySegment.copy(known, at, driver, at, length);
        tell(Access.Kind.DEVICE_WRITE, at, length, recording);
        byDevice.clear(page);
      }
    }
  }

  /** Tells what the driver has written since it was last told. */
  void tellDriverWrites(BiConsumer<Access, byte[]> recording) {
    for (int page = 0; page < byDriver.from.length; page++) {
      int from = byDriver.from[page];
      if (from < byDriver.to[page]) {
        tell(
            Access.Kind.DRIVER_WRITE,
            (long) page * PAGE + from,
            byDriver.to[page] - from,
            recording);
        byDriver.clear(page);
      }
    }
  }

  /** Whoever closes the device does so at any time, and its memory goes with it. */
  private void needGone(IllegalStateException refused) {
    if (device.scope().isAlive()) {
      throw refused;
    }
  }

  private void tell(Access.Kind kind, long at, int length, BiConsumer<Access, byte[]> recording) {
    byte[] bytes = known.asSlice(at, length).toArray(ValueLayout.JAVA_BYTE);
    recording.accept(new Access(kind, 0, busAddress + at, length, 0), bytes);
  }
}
