package org.gatun.broker.service;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.gatun.broker.config.GuestConfig;
import org.gatun.pci.DeviceName;

/** A guest of the policy file, and what it has. Any thread. */
sealed interface Guest permits DirectoryGuest, ProgramGuest {
  /** As the policy file has it. */
  GuestConfig settings();

  /**
   * Gives it what it is to have and has not. What was granted while a broker ran, and can't be now,
   * is an event; so is a process that does not start.
   *
   * @return completes when its processes have started, or exceptionally when one has not
   */
  CompletableFuture<Void> start() throws IOException;

  /**
   * Takes all that it has, until it is started, or granted something.
   *
   * @param deadline for what it has to finish; zero does not ask
   */
  void stop(Duration deadline);

  /**
   * Gives it one more device.
   *
   * @param device by the name that its backend has
   */
  void grant(DeviceName device) throws IOException;

  /**
   * Takes a device from it.
   *
   * @param device by the name that its backend has
   * @return whether it had it
   */
  boolean revoke(DeviceName device, Duration deadline);

  /** What it has now. */
  BrokerService.GuestStatus status();

  /** As {@link #stop}, for good. */
  void close(Duration deadline);
}
