package org.gatun.broker;

import java.util.List;

/**
 * What a guest may ask of the broker, in the terms of Xen's pciback ({@code
 * xen/interface/io/pciif.h}): for guests that speak to the broker by messages. A request is
 * immutable, so that what was checked is what is done (XSA-155).
 */
public sealed interface GuestOperation {
  /** The device, as {@link GrantedDevice#slot} numbers it. */
  int slot();

  /** Reads config space. */
  record ConfigRead(int slot, int offset, int width) implements GuestOperation {}

  /** Writes config space. */
  record ConfigWrite(int slot, int offset, int width, int value) implements GuestOperation {}

  /** Enables MSI, with one vector. */
  record EnableMsi(int slot) implements GuestOperation {}

  /** Disables MSI; if it is off already, too. */
  record DisableMsi(int slot) implements GuestOperation {}

  /**
   * Enables MSI-X.
   *
   * @param entries of the table, which are to be the first ones, in their order
   */
  record EnableMsix(int slot, List<Integer> entries) implements GuestOperation {
    /** Copies the list. */
    public EnableMsix {
      entries = List.copyOf(entries);
    }
  }

  /** Disables MSI-X; if it is off already, too. */
  record DisableMsix(int slot) implements GuestOperation {}

  /** Resets the function. */
  record Reset(int slot) implements GuestOperation {}

  /**
   * The answer.
   *
   * @param error 0, or one of the negative numbers below
   * @param value what was read
   * @param vectors what was enabled
   */
  record Answer(int error, int value, List<org.gatun.pci.Vector> vectors) {
    public static final int SUCCESS = 0;
    public static final int DEVICE_NOT_FOUND = -1;
    public static final int INVALID_OFFSET = -2;
    public static final int ACCESS_DENIED = -3;
    public static final int NOT_IMPLEMENTED = -4;
    public static final int OPERATION_FAILED = -5;

    /** Linux's ENXIO, EINVAL and EALREADY: pciback passes them on for MSI-X. */
    public static final int NO_SUCH_DEVICE_OR_ADDRESS = -6;

    public static final int INVALID_ARGUMENT = -22;
    public static final int ALREADY = -114;

    /** Copies the list. */
    public Answer {
      vectors = List.copyOf(vectors);
    }

    static Answer value(int value) {
      return new Answer(SUCCESS, value, List.of());
    }

    static Answer error(int error) {
      return new Answer(error, 0, List.of());
    }
  }
}
