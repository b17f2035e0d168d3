package org.gatun.vmtests;

import java.time.Duration;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.gatun.driver.nvme.Completion;
import org.gatun.driver.nvme.NvmeCallback;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeNamespace;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.driver.nvme.NvmeQueuePair;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.vfio.VfioBackend;

/**
 * A program that reads and writes an NVMe disk until it is killed: the victim of {@link
 * KillDuringIoInVm}. Two queue pairs, one polled and one with interrupts, 32 commands in flight on
 * each. Arguments: the device's name, how many bytes of the disk it may overwrite, a seed. Says
 * {@link #GOING} when I/O is going.
 */
final class EndlessIo {
  static final String GOING = "I/O is going";

  private static final int DEPTH = 32;
  private static final int IO_SIZE = 8192;
  private static final Duration WAIT = Duration.ofSeconds(1);

  private EndlessIo() {}

  static void main(String[] arguments) throws InterruptedException {
    long bytes = Long.parseLong(arguments[1]);
    long seed = Long.parseLong(arguments[2]);
    PciDevice device = new VfioBackend().open(DeviceName.parse(arguments[0]));
    NvmeController controller = NvmeController.open(device, NvmeOptions.defaults());
    CountDownLatch going = new CountDownLatch(Completion.values().length);
    List<Thread> threads =
        Stream.of(Completion.values())
            .map(
                completion ->
                    Thread.ofPlatform()
                        .start(
                            () ->
                                new Load(
                                        device,
                                        controller,
                                        completion,
                                        bytes,
                                        seed ^ completion.name().hashCode())
                                    .run(going)))
            .toList();
    going.await();
    System.out.println(GOING);
    for (Thread thread : threads) {
      thread.join();
    }
  }

  /** One queue pair. */
  private static final class Load implements NvmeCallback {
    private final NvmeNamespace namespace;
    private final DmaBuffer buffer;
    private final SplittableRandom random;
    private final long places;
    private final NvmeQueuePair queue;

    Load(
        PciDevice device, NvmeController controller, Completion completion, long bytes, long seed) {
      this.queue = controller.createQueuePair(DEPTH, completion);
      this.namespace = controller.namespace(1);
      this.buffer = device.dma().allocate((long) DEPTH * IO_SIZE, 4096);
      this.random = new SplittableRandom(seed);
      this.places = bytes / IO_SIZE;
    }

    void run(CountDownLatch going) {
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
      long lba = random.nextLong(places) * blocks;
      boolean accepted =
          random.nextBoolean()
              ? queue.submitWrite(namespace, lba, blocks, buffer, slot * IO_SIZE, this, slot)
              : queue.submitRead(namespace, lba, blocks, buffer, slot * IO_SIZE, this, slot);
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
}
