package org.gatun.broker.guest;

import java.util.List;

/** A guest's modules are not loaded. The message has a line for each reason. */
public final class GuestRefusedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** As many are told. */
  private static final int MOST = 20;

  private final transient List<String> reasons;

  GuestRefusedException(String guest, List<String> reasons) {
    super(
        "guest %s is not loaded: %s%s"
            .formatted(
                guest,
                String.join("; ", reasons.subList(0, Math.min(MOST, reasons.size()))),
                reasons.size() > MOST ? "; and %d more".formatted(reasons.size() - MOST) : ""));
    this.reasons = List.copyOf(reasons);
  }

  /** All that was found. */
  public List<String> reasons() {
    return reasons;
  }
}
