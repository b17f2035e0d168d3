package org.gatun.cli;

/** What the exit status of the command means; also in its help. */
final class ExitCode {
  static final int OK = 0;

  /** The device, a file or the system failed; or data did not compare equal. */
  static final int FAILED = 1;

  /** The command line makes no sense, or is refused without {@code --yes}; nothing was touched. */
  static final int USAGE = 2;

  /** The device can't be opened: missing, not bound, busy, no permission. */
  static final int UNAVAILABLE = 3;

  /** The disk has told what it was asked, and warns of its health. */
  static final int WARNING = 4;

  /** A bug in Gatun. */
  static final int INTERNAL = 70;

  private ExitCode() {}
}
