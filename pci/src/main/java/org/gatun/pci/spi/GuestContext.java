package org.gatun.pci.spi;

import java.util.List;
import java.util.concurrent.ThreadFactory;
import org.gatun.pci.TimeSource;

/** What a guest gets from its host, besides the device. */
public interface GuestContext {
  /** What the user passed to the guest. */
  List<String> arguments();

  /** Where log lines go. */
  System.Logger logger();

  /** Clock and waits. */
  TimeSource time();

  /** Threads. When all that were started have ended, the guest is done. */
  ThreadFactory threads();

  /**
   * Says that the work goes on. A guest that has a watchdog is ended when it has not said so for as
   * long as that allows; nobody else takes notice. Cheap enough for each round of a polling loop.
   */
  void alive();
}
