package org.gatun.driver.nvme;

import java.time.Duration;
import org.gatun.specs.nvme.IdentifyController;

/**
 * The Keep Alive Timer (Base 3.9). Over PCIe a controller need not have one, and few do: only if it
 * has, and runs it by default, it is told in time that somebody is here. Guarded by the
 * controller's lock, but for {@link #isDue}.
 */
final class KeepAlive {
  private final AdminQueue admin;
  private final long intervalNanos;
  private volatile long next;

  private KeepAlive(AdminQueue admin, long intervalNanos, long now) {
    this.admin = admin;
    this.intervalNanos = intervalNanos;
    this.next = now + intervalNanos;
  }

  /** Asks the controller whether its timer runs. */
  static KeepAlive of(AdminQueue admin, IdentifyController identity, long now) {
    long millis = identity.keepAliveSupport() == 0 ? 0 : admin.keepAliveTimeoutMillis();
    // Half of it: the command takes a while too.
    return new KeepAlive(admin, Duration.ofMillis(millis).toNanos() / 2, now);
  }

  /** Whether it is time to tell. Without the lock. */
  boolean isDue(long now) {
    return intervalNanos != 0 && now - next >= 0;
  }

  void attend(long now) {
    next = now + intervalNanos;
    admin.keepAlive();
  }
}
