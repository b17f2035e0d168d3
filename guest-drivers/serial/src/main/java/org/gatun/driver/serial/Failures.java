package org.gatun.driver.serial;

import org.gatun.pci.DeviceGoneException;
import org.jspecify.annotations.Nullable;

/** What steps have thrown that are all to be taken: the first counts, the others go with it. */
final class Failures {
  private @Nullable Throwable first;

  /**
   * Takes a step; what it throws is kept. A device that is gone, closed or unplugged before us,
   * needs none.
   */
  @SuppressWarnings("ReferenceEquality") // the same one can not be suppressed by itself
  void attempt(Runnable step) {
    try {
      step.run();
    } catch (DeviceGoneException _) {
      // It is quiet.
    } catch (RuntimeException | Error e) {
      if (first == null) {
        first = e;
      } else if (first != e) {
        first.addSuppressed(e);
      }
    }
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
