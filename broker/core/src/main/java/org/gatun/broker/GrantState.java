package org.gatun.broker;

import java.util.EnumSet;
import java.util.Set;

/**
 * Where a grant is in its life. The names and their order are those of Xen's XenbusState ({@code
 * xen/interface/io/xenbus.h}).
 */
public enum GrantState {
  /** The devices are being prepared. */
  INITIALISING,
  /** The devices are ready, and the guest has not come yet. */
  INIT_WAIT,
  /** The guest has come. */
  INITIALISED,
  /** The guest has its devices. */
  CONNECTED,
  /** The devices are being taken back. */
  CLOSING,
  /** The guest has nothing any more. Final. */
  CLOSED,
  /** A device is added or removed, while the guest has others. */
  RECONFIGURING,
  /** A device was added or removed, and the guest has not taken notice yet. */
  RECONFIGURED;

  /** Those that may come next. */
  public Set<GrantState> next() {
    return switch (this) {
      case INITIALISING -> EnumSet.of(INIT_WAIT, CLOSED);
      case INIT_WAIT -> EnumSet.of(INITIALISED, CLOSING);
      case INITIALISED -> EnumSet.of(CONNECTED, CLOSING);
      case CONNECTED -> EnumSet.of(RECONFIGURING, CLOSING);
      case RECONFIGURING -> EnumSet.of(RECONFIGURED, CONNECTED, CLOSING);
      case RECONFIGURED -> EnumSet.of(CONNECTED, RECONFIGURING, CLOSING);
      case CLOSING -> EnumSet.of(CLOSED);
      case CLOSED -> EnumSet.noneOf(GrantState.class);
    };
  }
}
