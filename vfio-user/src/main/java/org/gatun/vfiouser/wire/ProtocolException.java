package org.gatun.vfiouser.wire;

/** The peer broke the protocol in a way after which the stream means nothing: the end of it. */
public final class ProtocolException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param problem what the peer did
   */
  public ProtocolException(String problem) {
    super(problem, null, false, false); // a peer can cause many: no stack traces
  }
}
