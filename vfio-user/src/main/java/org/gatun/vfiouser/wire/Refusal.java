package org.gatun.vfiouser.wire;

import org.gatun.nativeaccess.Errno;

/** A request can't be met: the reply says so with an error number, and the connection goes on. */
public final class Refusal extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final Errno errno;

  /**
   * @param problem for the log: the reply has room for the number only
   */
  public Refusal(Errno errno, String problem) {
    super(problem, null, false, false); // a peer can cause many: no stack traces
    this.errno = errno;
  }

  /** What the reply says. */
  public Errno errno() {
    return errno;
  }
}
