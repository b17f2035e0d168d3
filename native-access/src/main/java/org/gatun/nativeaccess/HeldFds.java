package org.gatun.nativeaccess;

import java.util.List;

/**
 * Keeps descriptors open while their numbers are in use: in a structure that is passed to the
 * kernel, such as the array of eventfds of {@code VFIO_DEVICE_SET_IRQS}. For a {@code try} around
 * the one call. An owner that closes its descriptor meanwhile succeeds, and the descriptor is
 * closed at the end of the {@code try}. For one thread.
 */
public final class HeldFds implements AutoCloseable {
  private final List<Fd> fds;
  private boolean released;

  private HeldFds(List<Fd> fds) {
    this.fds = fds;
  }

  /**
   * Holds all of them, or none.
   *
   * @throws ClosedDescriptorException if one is closed
   */
  public static HeldFds of(List<Fd> fds) {
    List<Fd> all = List.copyOf(fds);
    int held = 0;
    try {
      while (held < all.size()) {
        all.get(held).acquire("use");
        held++;
      }
      return new HeldFds(all);
    } finally {
      if (held < all.size()) {
        all.subList(0, held).forEach(Fd::release);
      }
    }
  }

  /** Holds one. */
  public static HeldFds of(Fd fd) {
    return of(List.of(fd));
  }

  /**
   * Returns the number of a descriptor.
   *
   * @param index its place in the list that was held
   * @throws IllegalStateException after {@link #close}
   */
  public int number(int index) {
    if (released) {
      throw new IllegalStateException("number of " + fds.get(index) + ": no longer held");
    }
    return fds.get(index).number();
  }

  @Override
  public void close() {
    if (!released) {
      released = true;
      fds.forEach(Fd::release);
    }
  }
}
