package org.gatun.nativeaccess;

/**
 * A system call failed. The message names the call, what it was made on, and the error: name,
 * number and meaning.
 */
public final class LinuxException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final String call;
  private final String target;
  private final int number;

  /**
   * For what answers as the kernel does.
   *
   * @param call what was called
   * @param target what it was called on
   * @param number of the error, positive
   */
  public LinuxException(String call, String target, int number) {
    this(call, target, number, describe(number));
  }

  private LinuxException(String call, String target, int number, String problem) {
    super(call + " " + target + ": " + problem);
    this.call = call;
    this.target = target;
    this.number = number;
  }

  /** A read or write that did less than a register access needs: there is no errno for it. */
  static LinuxException shortTransfer(
      String call, String target, long offset, long done, long wanted) {
    return new LinuxException(
        call,
        target,
        0,
        "transferred %d of %d bytes at offset 0x%x".formatted(done, wanted, offset));
  }

  /**
   * The call, with the request where there is one: {@code open}, {@code ioctl VFIO_IOMMU_MAP_DMA}.
   */
  public String call() {
    return call;
  }

  /** What the call was made on: a path, or a descriptor's description and number. */
  public String target() {
    return target;
  }

  /** The error; {@link Errno#UNKNOWN} if Linux's headers give {@link #number} no name. */
  public Errno errno() {
    return Errno.of(number);
  }

  /** The error's number, positive; 0 for a transfer that was cut short. */
  public int number() {
    return number;
  }

  private static String describe(int number) {
    Errno errno = Errno.of(number);
    return errno.name() + " " + number + " (" + errno.text() + ")";
  }
}
