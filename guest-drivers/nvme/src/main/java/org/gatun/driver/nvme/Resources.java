package org.gatun.driver.nvme;

import java.util.ArrayDeque;
import java.util.Deque;

/** What was opened, to be closed in reverse order. */
final class Resources implements AutoCloseable {
  private final Deque<Runnable> open = new ArrayDeque<>();

  /** Notes what undoes a step that was taken. */
  void add(Runnable close) {
    open.push(close);
  }

  /** Closes all, newest first. All are tried; the first failure is thrown, with the others. */
  @Override
  public void close() {
    RuntimeException failure = null;
    while (!open.isEmpty()) {
      try {
        open.pop().run();
      } catch (RuntimeException e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
