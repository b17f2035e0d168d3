package org.gatun.broker.launcher;

/** A lock that was asked for can't be closed. */
final class LockUnavailableException extends RuntimeException {
  private static final long serialVersionUID = 1;

  LockUnavailableException(Lock lock, Exception cause) {
    super(
        "the lock '%s' is not available: %s: have the broker run as root on a kernel that has it, or leave it out by name"
            .formatted(lock.text(), cause.getMessage()),
        cause);
  }
}
