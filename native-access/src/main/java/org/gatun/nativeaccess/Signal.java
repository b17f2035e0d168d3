package org.gatun.nativeaccess;

/** A signal ({@code signal(7)}). */
public enum Signal {
  /** Has a JVM print the stacks of its threads, and go on. */
  QUIT(3);

  private final int number;

  Signal(int number) {
    this.number = number;
  }

  /**
   * Sends it.
   *
   * @param process a child of this process that has not been waited for, as only that keeps its
   *     number
   * @throws LinuxException if there is no such process, or it is not ours to signal
   */
  public void send(long process) {
    Syscall.KILL.call("process " + process, process, number);
  }
}
