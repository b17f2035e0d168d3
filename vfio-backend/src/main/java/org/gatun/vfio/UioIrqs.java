package org.gatun.vfio;

import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.gatun.nativeaccess.ClosedDescriptorException;
import org.gatun.nativeaccess.Errno;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.pci.DeviceName;
import org.gatun.vfio.common.CommandRegister;
import org.gatun.vfio.common.Irqs;
import org.gatun.vfio.common.Vfio;
import org.jspecify.annotations.Nullable;

/**
 * The INTx of a device that uio_pci_generic has: the kernel counts it, and masks it in the device
 * (Command bit 10) when it fires. One thread, there while INTx is enabled, turns the count into
 * signals of an eventfd. Calls come one at a time.
 */
final class UioIrqs implements Irqs {
  private static final System.Logger LOG = System.getLogger(UioIrqs.class.getName());

  /** The thread has next to nothing to do, unless the descriptor that it signals blocks. */
  private static final Duration JOIN_LIMIT = Duration.ofSeconds(1);

  private static final Duration FOREVER = Duration.ofNanos(Long.MAX_VALUE);

  /** How {@code read} and {@code write} of UIO go: one count of 32 bits. */
  private static final int COUNT = 4;

  private final DeviceName device;
  private final Optional<Fd> uio;
  private final CommandRegister command;
  private volatile @Nullable Fd target;
  private @Nullable Relay relay;

  private record Relay(Thread thread, EventFd stop) {}

  /**
   * @param uio the device's node; empty if it has no INTx, or nobody to pass it on
   */
  UioIrqs(DeviceName device, Optional<Fd> uio, CommandRegister command) {
    this.device = device;
    this.uio = uio;
    this.command = command;
  }

  @Override
  public int count(int index) {
    return index == Vfio.PCI_INTX_IRQ_INDEX && uio.isPresent() ? 1 : 0;
  }

  @Override
  public int connect(int index, int start, List<Fd> events) {
    target = events.getFirst();
    if (relay == null) {
      Fd node = uio.orElseThrow();
      // What fired before counts as lost.
      if (Fd.awaitReadable(List.of(node), Duration.ZERO).isPresent()) {
        node.readAt(0, COUNT);
      }
      EventFd stop = EventFd.create(device + " INTx, stop");
      Thread thread =
          Thread.ofPlatform()
              .daemon()
              .name("gatun INTx " + device)
              .unstarted(() -> pass(node, stop.fd()));
      relay = new Relay(thread, stop);
      thread.start();
    }
    return 0;
  }

  @Override
  public void disable(int index) {
    Relay running = relay;
    relay = null;
    try {
      mask(index, true);
    } finally {
      if (running != null) {
        running.stop.signal();
        // Then the thread ends by itself at the latest, whenever its write returns.
        join(running.thread);
        running.stop.close();
      }
    }
  }

  @Override
  public void mask(int index, boolean on) {
    command.maskIntx(on);
  }

  private void pass(Fd node, Fd stop) {
    List<Fd> sources = List.of(stop, node);
    try {
      while (true) {
        OptionalInt ready = Fd.awaitReadable(sources, FOREVER);
        if (ready.isPresent() && ready.getAsInt() == 0) {
          return;
        }
        if (ready.isPresent()) {
          node.readAt(0, COUNT);
          signal(target);
        }
      }
    } catch (ClosedDescriptorException e) {
      LOG.log(Level.TRACE, () -> device + ": its owner closed it");
    } catch (LinuxException e) {
      LOG.log(Level.ERROR, device + ": no longer hears of its interrupts: " + e.getMessage(), e);
    }
  }

  private void signal(@Nullable Fd event) {
    if (event == null) {
      return;
    }
    try {
      event.write(Long.BYTES, 1);
    } catch (ClosedDescriptorException e) {
      LOG.log(Level.DEBUG, () -> device + ": an interrupt for an event that is closed");
    } catch (LinuxException e) {
      // An eventfd that is full is signalled.
      if (e.errno() != Errno.EAGAIN) {
        LOG.log(Level.WARNING, device + ": an interrupt is lost: " + e.getMessage());
      }
    }
  }

  /**
   * Waits for the thread for a while: what it signals is the driver's, and may not be an eventfd,
   * or one that blocks when it is full.
   */
  private void join(Thread thread) {
    try {
      if (!thread.join(JOIN_LIMIT)) {
        LOG.log(Level.WARNING, device + ": what its INTx is connected to blocks");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
