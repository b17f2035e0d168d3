package org.gatun.nativeaccess;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The calls of the hot path allocate nothing, once they are compiled. */
class AllocationTest {
  private static final int CALLS = 10_000;
  private static final int ATTEMPTS = 200;
  private static final Duration LIMIT = Duration.ofSeconds(10);

  private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  @Test
  void registers() {
    try (Memfd memfd = Memfd.create("gatun-registers")) {
      memfd.resize(64);
      Fd fd = memfd.fd();
      assertAllocatesNothing(() -> fd.writeAt(8, 4, fd.readAt(4, 4) + 1));
    }
  }

  @Test
  void events() {
    try (EventFd event = EventFd.create("test")) {
      assertAllocatesNothing(
          () -> {
            event.signal();
            event.take();
            event.take();
          });
    }
  }

  @Test
  void waiting() {
    try (EventFd event = EventFd.create("test")) {
      assertAllocatesNothing(
          () -> {
            event.signal();
            event.await(LIMIT);
          });
    }
  }

  @Test
  void messages() {
    try (Arena arena = Arena.ofConfined()) {
      UnixSocket.Pair pair = UnixSocket.pair();
      try (UnixSocket client = pair.first();
          UnixSocket server = pair.second()) {
        MemorySegment message = arena.allocate(32);
        List<Fd> descriptors = new ArrayList<>();
        assertAllocatesNothing(
            () -> {
              client.send(message, 0, 32, List.of());
              server.receive(message, 0, 32, 8, descriptors);
              server.send(message, 0, 32, List.of());
              client.receive(message, 0, 32, 0, descriptors);
            });
      }
    }
  }

  /**
   * Until it is compiled a call may allocate, and nobody says when that will be: so one batch of
   * many must be clean.
   */
  private void assertAllocatesNothing(Runnable call) {
    long least = Long.MAX_VALUE;
    for (int attempt = 0; attempt < ATTEMPTS && least != 0; attempt++) {
      long before = threads.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < CALLS; i++) {
        call.run();
      }
      least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
    }
    assertThat(least).as("bytes for %d calls", CALLS).isZero();
  }
}
