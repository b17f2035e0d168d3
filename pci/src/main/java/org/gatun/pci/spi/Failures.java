package org.gatun.pci.spi;

import org.gatun.pci.DeviceGoneException;
import org.jspecify.annotations.Nullable;

/**
 * For drivers and implementations of devices: what steps have thrown that are all to be taken, as
 * in a close. The first counts, the others go with it. One thread.
 */
public final class Failures {
  private @Nullable Throwable first;

  /** With none yet. */
  public Failures() {}

  /** Takes a step; what it throws is kept. */
  public void attempt(Runnable step) {
    try {
      step.run();
    } catch (RuntimeException | Error e) {
      add(e);
    }
  }

  /** Takes a step that a device which is gone, closed or unplugged before, needs no more. */
  public void attemptUnlessGone(Runnable step) {
    attempt(
        () -> {
          try {
            step.run();
          } catch (DeviceGoneException _) {
            // It is quiet.
          }
        });
  }

  /** Adds what was thrown. */
  @SuppressWarnings("ReferenceEquality") // the same one can not be suppressed by itself
  public void add(Throwable failure) {
    if (first == null) {
      first = failure;
    } else if (first != failure) {
      first.addSuppressed(failure);
    }
  }

  /** The first failure; null if there is none. */
  public @Nullable Throwable first() {
    return first;
  }

  /** Throws the first failure, if there is one. */
  public void rethrow() {
    switch (first) {
      case null -> {}
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> throw new IllegalStateException(first);
    }
  }
}
