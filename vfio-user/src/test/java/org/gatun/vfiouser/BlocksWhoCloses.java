package org.gatun.vfiouser;

import java.time.Duration;
import org.gatun.nativeaccess.Fd;

/** A descriptor of which a close takes until this is closed. */
interface BlocksWhoCloses extends AutoCloseable {
  Fd fd();

  /** On a thread of ours, which waits, too: unless somebody else has the file by now. */
  default void letGo() {
    Thread thread = Thread.ofPlatform().daemon().name("lets " + fd() + " go").start(fd()::close);
    try {
      thread.join(Duration.ofMillis(200));
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }

  /** Lets those go who wait. */
  @Override
  void close();
}
