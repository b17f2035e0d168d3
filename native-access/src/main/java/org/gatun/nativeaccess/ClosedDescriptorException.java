package org.gatun.nativeaccess;

/** A descriptor was used after it was closed, or was closed while a thread waited on it. */
public final class ClosedDescriptorException extends IllegalStateException {
  private static final long serialVersionUID = 1;

  ClosedDescriptorException(String call, Fd fd) {
    super(call + " " + fd + ": closed");
  }
}
