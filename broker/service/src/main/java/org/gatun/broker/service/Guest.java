package org.gatun.broker.service;

import java.io.IOException;
import java.time.Duration;
import org.gatun.broker.config.GuestConfig;
import org.gatun.pci.DeviceName;

/** A guest of the policy file, and what it has. Any thread. */
sealed interface Guest permits DirectoryGuest, ProgramGuest {
  /** As the policy file has it. */
  GuestConfig settings();

  /** Gives it what it gets from the start. */
  void start() throws IOException;

  /**
   * Gives it one more device.
   *
   * @return the device's name, as its backend has it
   */
  DeviceName grant(DeviceName device) throws IOException;

  /**
   * Takes a device from it.
   *
   * @param device by the name that its backend has
   * @return whether it had it
   */
  boolean revoke(DeviceName device, Duration deadline);

  /** What it has now. */
  BrokerService.GuestStatus status();

  /**
   * Takes all from it, for good. Asks first: a guest with a disk has something to finish.
   *
   * @param deadline for what it has to finish
   */
  void close(Duration deadline);
}
