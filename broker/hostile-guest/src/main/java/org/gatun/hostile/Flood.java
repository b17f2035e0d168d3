package org.gatun.hostile;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.gatun.hostile.nativehelper.Native;
import org.gatun.pci.Bar;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;

/**
 * All that a guest can make others work with, at once: doorbells of an NVMe controller, its
 * interrupts, messages to whoever serves its device, and bytes to whoever watches it.
 */
final class Flood {
  /** As the launcher has it: the broker's end of it is told that the process lives. */
  private static final int CONTROL = 3;

  private static final byte ALIVE = '.';
  private static final int CONTROL_BYTES = 1;

  /** Of the doorbells: 4 KiB in BAR 0 (NVMe 3.1.2). */
  private static final long DOORBELLS = 0x1000;

  private static final long DOORBELLS_SIZE = 0x1000;
  private static final long FIRST = DOORBELLS_SIZE - 64 * Integer.BYTES;

  // The vfio-user specification: a REGION_READ of config space that nobody waits for.
  private static final int REGION_READ = 9;
  private static final int NO_REPLY = 1 << 4;
  private static final int MESSAGE = 32;
  private static final int CONFIG = 7;
  private static final int CONFIG_BYTES = 256;

  private static final int WRITE = 1;

  /** More of them between two looks of the broker's are more than it takes for signs of life. */
  private static final Duration BETWEEN_SIGNS = Duration.ofMillis(5);

  private Flood() {}

  /** Floods until the process is ended. */
  static void run(PciDevice device) {
    DiskLoad interrupts = DiskLoad.open(device);
    repeat(interrupts::runOnce);
    repeat(doorbells(device));
    for (int socket : sockets()) {
      repeat(socket == CONTROL ? signsOfLife() : messages(socket));
    }
    System.out.println("flooding");
  }

  private static void repeat(Runnable some) {
    Thread.ofPlatform()
        .daemon()
        .start(
            () -> {
              while (true) {
                some.run();
              }
            });
  }

  /** Of queues that there are not, so that those that there are go on with interrupts. */
  private static Runnable doorbells(PciDevice device) {
    Bar bar = device.bar(0).orElseThrow();
    Mmio doorbells = bar.map(DOORBELLS, DOORBELLS_SIZE);
    return () -> {
      for (long offset = FIRST; offset < DOORBELLS_SIZE; offset += Integer.BYTES) {
        doorbells.write32(offset, 0);
      }
    };
  }

  private static List<Integer> sockets() {
    List<Integer> sockets = new ArrayList<>();
    try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
      for (Path descriptor : descriptors) {
        if (Files.readSymbolicLink(descriptor).toString().startsWith("socket:")) {
          sockets.add(Integer.valueOf(descriptor.getFileName().toString()));
        }
      }
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
    return sockets;
  }

  /** A few bytes, for which each time a few hundred are read from the device's config space. */
  private static Runnable messages(int socket) {
    MemorySegment message = Arena.global().allocate(MESSAGE);
    message.set(ValueLayout.JAVA_SHORT, 2, (short) REGION_READ);
    message.set(ValueLayout.JAVA_INT, 4, MESSAGE);
    message.set(ValueLayout.JAVA_INT, 8, NO_REPLY);
    message.set(ValueLayout.JAVA_INT, 24, CONFIG);
    message.set(ValueLayout.JAVA_INT, 28, CONFIG_BYTES);
    return () -> Native.call(WRITE, socket, message.address(), MESSAGE);
  }

  private static Runnable signsOfLife() {
    MemorySegment bytes = Arena.global().allocate(CONTROL_BYTES).fill(ALIVE);
    return () -> {
      Native.call(WRITE, CONTROL, bytes.address(), CONTROL_BYTES);
      LockSupport.parkNanos(BETWEEN_SIGNS.toNanos());
    };
  }
}
