package org.gatun.nativeaccess;

/** A descriptor that somebody sent is not of the kind that is wanted. */
public final class WrongDescriptorException extends RuntimeException {
  private static final long serialVersionUID = 1;

  WrongDescriptorException(String wanted, Fd fd) {
    super("%s: must be %s, and is %s".formatted(fd, wanted, fd.kind()));
  }
}
