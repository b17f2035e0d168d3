package org.gatun.testkit;

import java.time.Duration;
import java.util.function.Supplier;

/**
 * Says, where a run in virtual time does not go on, where it is: a loop that waits for nothing
 * takes no time that a limit could be set to.
 */
final class StuckAlarm implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofMinutes(1);

  private final Supplier<String> where;
  private final Thread watched = Thread.currentThread();
  private final Thread watcher;
  private volatile boolean alive;

  /**
   * Watches the thread that makes it.
   *
   * @param where what to say, from another thread
   */
  StuckAlarm(Supplier<String> where) {
    this.where = where;
    this.watcher = Thread.ofPlatform().daemon().name("stuck-alarm").start(this::watch);
  }

  /** The run goes on. */
  void reset() {
    alive = true;
  }

  private void watch() {
    try {
      while (true) {
        alive = false;
        Thread.sleep(PATIENCE);
        if (!alive) {
          StackTraceElement[] stack = watched.getStackTrace();
          System.err.println(where.get());
          for (StackTraceElement each : stack) {
            System.err.println("  at " + each);
          }
        }
      }
    } catch (InterruptedException _) {
      // It is closed.
    }
  }

  @Override
  public void close() {
    watcher.interrupt();
  }
}
