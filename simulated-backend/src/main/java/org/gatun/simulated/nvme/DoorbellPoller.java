package org.gatun.simulated.nvme;

import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.gatun.simulated.ModelContext;
import org.gatun.specs.nvme.NvmeRegisters;

/** The thread that looks at doorbells in shared memory, and rings them. */
final class DoorbellPoller implements Runnable, AutoCloseable {
  private static final System.Logger LOG = System.getLogger(DoorbellPoller.class.getName());

  private static final VarHandle U32 =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

  /** Rounds with nothing to do before it sleeps: nothing wakes it, so what comes then waits. */
  private static final int SPINS = 10_000;

  private static final long SHORTEST_PAUSE_NANOS = 25_000;

  /** How often a pause is the double of the one before: the longest has 0.8 ms. */
  private static final int DOUBLINGS = 5;

  /** How many pauses are of one length: it takes some 25 ms until they are the longest. */
  private static final int PAUSES = 32;

  private static final int JOIN_MILLIS = 1;

  private final NvmeDevice device;

  /** Another after a reset, with no queue left that rings the old one. */
  private volatile MemorySegment doorbells;

  private final ModelContext context;
  private final Thread thread;

  /** Between the rounds: it does not touch the device, and may be kept by code of the driver's. */
  private final AtomicBoolean signalling = new AtomicBoolean();

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
        signalling.setRelease(true);
        context.signalEvents();
        signalling.set(false);
        idle = 0;
      } else {
        rest(idle);
        idle = Math.min(idle + 1, SPINS + DOUBLINGS * PAUSES);
      }
    }
  }

  /**
   * @param idle rounds with nothing to do since the last one that was not
   */
  private void rest(int idle) {
    if (idle < SPINS) {
      Thread.onSpinWait();
    } else {
      LockSupport.parkNanos(this, SHORTEST_PAUSE_NANOS << ((idle - SPINS) / PAUSES));
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
    while (thread.isAlive() && !signalling.get()) {
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
    CompletionQueue[] queues = device.activeQueues();
    // Queues may be from before a reset, but the memory is not older than they are, and rings no
    // others.
    MemorySegment memory = doorbells;
    for (CompletionQueue completions : queues) {
      for (SubmissionQueue submissions : completions.submissionQueues) {
        int tail = doorbell(memory, submissions.id, false);
        if (tail != submissions.lastDoorbell) {
          submissions.lastDoorbell = tail;
          device.ring(submissions, tail);
          rung = true;
        }
      }
      int head = doorbell(memory, completions.id, true);
      if (head != completions.lastDoorbell) {
        completions.lastDoorbell = head;
        device.ring(completions, head);
        rung = true;
      }
    }
    return rung;
  }

  private static int doorbell(MemorySegment memory, int id, boolean completion) {
    return (int) U32.getAcquire(memory, offset(id, completion));
  }

  private static long offset(int id, boolean completion) {
    return 8L * id + (completion ? 4 : 0);
  }
}
