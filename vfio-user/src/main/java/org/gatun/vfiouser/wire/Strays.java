package org.gatun.vfiouser.wire;

import java.lang.System.Logger.Level;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;

/**
 * Closes descriptors that peers sent and that are not what they should be: on a thread of its own,
 * since closing a file of FUSE, or a socket that lingers, takes as long as its maker likes. It ends
 * when all are closed. Any thread.
 */
public final class Strays {
  private static final System.Logger LOG = System.getLogger(Strays.class.getName());

  /** How many may wait: no honest peer causes one. */
  static final int LIMIT = 256;

  private final String name;
  private final LinkedBlockingQueue<Fd> queue = new LinkedBlockingQueue<>();

  /** In the queue, or being closed. */
  private final AtomicInteger open = new AtomicInteger();

  /**
   * @param name of the device, for the thread
   */
  public Strays(String name) {
    this.name = name;
  }

  /** Whether there are so many that no more may come. */
  public boolean isFull() {
    return open.get() >= LIMIT;
  }

  /** Closes descriptors, some time; never throws. Who sends so many that it is full is to go. */
  public void close(List<Fd> descriptors) {
    for (Fd descriptor : descriptors) {
      queue.add(descriptor);
      if (open.getAndIncrement() == 0) {
        Thread.ofPlatform().daemon().name("gatun closes for " + name).start(this::run);
      }
    }
  }

  private void run() {
    do {
      try {
        queue.remove().close();
      } catch (LinuxException e) {
        // What a close returns, from FUSE for instance, is its maker's choice.
        LOG.log(Level.DEBUG, name + ": " + e.getMessage());
      }
    } while (open.decrementAndGet() > 0);
  }
}
