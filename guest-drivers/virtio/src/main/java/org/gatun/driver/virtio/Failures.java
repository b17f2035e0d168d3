package org.gatun.driver.virtio;

import org.jspecify.annotations.Nullable;

/** What steps have thrown that are all to be taken: the first counts, the others go with it. */
final class Failures {
  private @Nullable Throwable first;

  /** Takes a step; what it throws is kept. */
  void attempt(Runnable step) {
    try {
      step.run();
    } catch (RuntimeException | Error e) {
      add(e);
    }
  }

  /** Adds what was thrown. */
  @SuppressWarnings("ReferenceEquality") // the same one can not be suppressed by itself
  void add(Throwable failure) {
    if (first == null) {
      first = failure;
    } else if (first != failure) {
      first.addSuppressed(failure);
    }
  }

  /** The first failure; null if there is none. */
  @Nullable Throwable first() {
    return first;
  }

  /** Throws the first failure, if there is one. */
  void rethrow() {
    switch (first) {
      case null -> {}
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> throw new IllegalStateException(first);
    }
  }
}
