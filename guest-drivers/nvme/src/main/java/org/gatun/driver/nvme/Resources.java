package org.gatun.driver.nvme;

import java.util.ArrayDeque;
import java.util.Deque;
import org.gatun.pci.spi.Failures;

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
    Failures failures = new Failures();
    while (!open.isEmpty()) {
      failures.attempt(open.pop());
    }
    failures.rethrow();
  }
}
