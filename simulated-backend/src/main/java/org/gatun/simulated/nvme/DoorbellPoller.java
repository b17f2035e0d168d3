package org.gatun.simulated.nvme;

import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.concurrent.locks.LockSupport;
import org.gatun.simulated.ModelContext;
import org.gatun.specs.nvme.NvmeRegisters;

/** The thread that looks at doorbells in shared memory, and rings them. */
final class DoorbellPoller implements Runnable, AutoCloseable {
  private static final System.Logger LOG = System.getLogger(DoorbellPoller.class.getName());

  private static final VarHandle U32 =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

  /** After that many rounds with nothing to do it leaves the processor to others for a while. */
  private static final int PATIENCE = 10_000;

  private static final long PAUSE_NANOS = 50_000;
  private static final int JOIN_MILLIS = 1;

  private final NvmeDevice device;

  /** Another after a reset, with no queue left that rings the old one. */
  private volatile MemorySegment doorbells;

  private final ModelContext context;
  private final Thread thread;

  /** Between the rounds: it does not touch the device, and may be kept by code of the driver's. */
  private volatile boolean signalling;

  private volatile boolean closed;

  DoorbellPoller(NvmeDevice device, ModelContext context) {
    this.device = device;
    this.context = context;
    this.doorbells = doorbells();
    this.thread = new Thread(this, context.name() + " doorbells");
    thread.setDaemon(true);
  }

  void start() {
    thread.start();
  }

  /** The memory of the doorbells may have become another. */
  void reset() {
    doorbells = doorbells();
  }

  private MemorySegment doorbells() {
    return context.sharedMemory(NvmeRegisters.BAR, NvmeRegisters.DOORBELLS);
  }

  /** The doorbell of a queue that is about to be created: as yet it was not rung. */
  void clear(int id, boolean completion) {
    U32.setRelease(doorbells, offset(id, completion), 0);
  }

  @Override
  public void run() {
    try {
      pollAll();
    } catch (RuntimeException | Error e) {
      // Whatever it is, nobody rings any more: the host is to know.
      LOG.log(Level.ERROR, thread.getName() + " are not looked at any more: " + e, e);
      device.fail();
    }
  }

  private void pollAll() {
    int idle = 0;
    while (!closed) {
      if (round()) {
        signalling = true;
        context.signalEvents();
        signalling = false;
        idle = 0;
      } else if (++idle < PATIENCE) {
        Thread.onSpinWait();
      } else {
        LockSupport.parkNanos(this, PAUSE_NANOS);
      }
    }
  }

  /**
   * Ends the thread, without waiting for the driver's code that it may be in: after that it does
   * not touch the device any more. Not to be called with a monitor of the device held.
   */
  @Override
  public void close() {
    closed = true;
    boolean interrupted = false;
    while (thread.isAlive() && !signalling) {
      try {
        thread.join(JOIN_MILLIS);
      } catch (InterruptedException _) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private boolean round() {
    boolean rung = false;
    for (int id = 0; id < device.queueIds(); id++) {
      SubmissionQueue submissions = device.submissionQueue(id);
      if (submissions != null) {
        int value = doorbell(id, false);
        if (value != submissions.lastDoorbell) {
          submissions.lastDoorbell = value;
          device.ring(submissions, value);
          rung = true;
        }
      }
      CompletionQueue completions = device.completionQueue(id);
      if (completions != null) {
        int value = doorbell(id, true);
        if (value != completions.lastDoorbell) {
          completions.lastDoorbell = value;
          device.ring(completions, value);
          rung = true;
        }
      }
    }
    return rung;
  }

  /**
   * To be called with the queue at hand: it may be from before a reset, but the memory is not older
   * than the queue, and no other queue is rung by it.
   */
  private int doorbell(int id, boolean completion) {
    return (int) U32.getAcquire(doorbells, offset(id, completion));
  }

  private static long offset(int id, boolean completion) {
    return 8L * id + (completion ? 4 : 0);
  }
}
