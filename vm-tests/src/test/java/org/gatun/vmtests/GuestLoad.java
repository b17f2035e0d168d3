package org.gatun.vmtests;

import java.time.Duration;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import org.gatun.driver.nvme.Completion;
import org.gatun.driver.nvme.NvmeCallback;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeNamespace;
import org.gatun.driver.nvme.NvmeQueuePair;
import org.gatun.pci.DmaBuffer;

/**
 * A thread of a guest that reads and writes an NVMe disk until its device is taken from it: one
 * queue pair, with all its commands in flight.
 */
final class GuestLoad implements NvmeCallback {
  static final int DEPTH = 32;
  static final int IO_SIZE = 8192;

  private static final Duration WAIT = Duration.ofSeconds(1);

  private final NvmeNamespace namespace;
  private final NvmeQueuePair queue;
  private final DmaBuffer buffer;
  private final long bufferOffset;
  private final SplittableRandom random;
  private final long firstPlace;
  private final long places;

  private GuestLoad(
      NvmeController controller,
      Completion completion,
      DmaBuffer buffer,
      long bufferOffset,
      long firstByte,
      long seed) {
    this.namespace = controller.namespace(1);
    this.queue = controller.createQueuePair(DEPTH, completion);
    this.buffer = buffer;
    this.bufferOffset = bufferOffset;
    this.random = new SplittableRandom(seed);
    this.firstPlace = firstByte / IO_SIZE;
    this.places = namespace.sizeBytes() / IO_SIZE - firstPlace;
  }

  /**
   * Starts one.
   *
   * @param buffer has {@link #DEPTH} times {@link #IO_SIZE} bytes for it, from an offset on
   * @param firstByte of the disk that may be overwritten
   * @param going counted down once I/O is going
   * @return done when the thread has ended: with what ended it
   */
  static Future<Throwable> start(
      NvmeController controller,
      Completion completion,
      DmaBuffer buffer,
      long bufferOffset,
      long firstByte,
      long seed,
      CountDownLatch going) {
    FutureTask<Throwable> task =
        new FutureTask<>(
            () -> {
              try {
                new GuestLoad(controller, completion, buffer, bufferOffset, firstByte, seed)
                    .run(going);
                return new IllegalStateException("it ended by itself");
              } catch (Throwable e) { // an Error too: it is the test's to judge
                return e;
              }
            });
    Thread.ofPlatform().daemon().name("guest with " + completion).start(task);
    return task;
  }

  private void run(CountDownLatch going) {
    for (int slot = 0; slot < DEPTH; slot++) {
      submit(slot);
    }
    queue.ring();
    boolean reported = false;
    while (true) {
      int completed = queue.await(WAIT);
      queue.ring();
      if (completed > 0 && !reported) {
        reported = true;
        going.countDown();
      }
    }
  }

  private void submit(long slot) {
    int blocks = IO_SIZE / namespace.blockSize();
    long lba = (firstPlace + random.nextLong(places)) * blocks;
    long offset = bufferOffset + slot * IO_SIZE;
    boolean accepted =
        random.nextBoolean()
            ? queue.submitWrite(namespace, lba, blocks, buffer, offset, this, slot)
            : queue.submitRead(namespace, lba, blocks, buffer, offset, this, slot);
    if (!accepted) {
      throw new IllegalStateException("the queue takes fewer commands than its depth");
    }
  }

  @Override
  public void completed(long slot, int status) {
    if (status != 0) {
      throw new IllegalStateException("status " + status);
    }
    submit(slot);
  }
}
