package org.gatun.vmtests;

/**
 * A failure inside the machine. Its message holds the stack trace from there; its own would say
 * nothing.
 */
final class InVmFailure extends AssertionError {
  private static final long serialVersionUID = 1L;

  InVmFailure(String message) {
    super(message);
  }

  @Override
  public synchronized Throwable fillInStackTrace() {
    return this;
  }
}
