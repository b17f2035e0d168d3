package org.gatun.vmtests.machine;

/**
 * The host lacks something that the machine needs; the message says what, and how to install it.
 */
public final class HostLacksException extends Exception {
  private static final long serialVersionUID = 1L;

  HostLacksException(String message) {
    super(message);
  }
}
