package org.gatun.vfiouser.wire;

import org.jspecify.annotations.Nullable;

/** The peer has left, does not answer, or broke the protocol: the connection is of no more use. */
public final class DisconnectedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param problem for people
   */
  public DisconnectedException(String problem, @Nullable Throwable cause) {
    super(problem, cause);
  }
}
