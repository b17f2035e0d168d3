package org.gatun.broker;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeNamespace;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.driver.nvme.NvmeQueuePair;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.simulated.NvmeModel;
import org.junit.jupiter.api.Test;

/**
 * An NVMe disk is taken away in the middle of I/O. {@code -Dgatun.revocations=N -Dgatun.seed=N} say
 * how often, and when.
 */
class RevocationUnderLoadTest {
  private static final int QUEUES = 4;
  private static final int DEPTH = 32;
  private static final int BLOCKS = 8;
  private static final int BLOCK = 512;
  private static final long BUFFER = (long) DEPTH * BLOCKS * BLOCK;
  private static final int LONGEST_LIFE_MILLIS = 20;
  private static final byte CANARY = 0x5a;

  private final AtomicLong completed = new AtomicLong();

  @Test
  void takesTheDiskAway() throws Exception {
    int revocations = Integer.getInteger("gatun.revocations", 25);
    long seed = Long.getLong("gatun.seed", System.nanoTime());
    System.out.printf("revocations: -Dgatun.revocations=%d -Dgatun.seed=%d%n", revocations, seed);
    Random random = new Random(seed);
    try (Site site = Site.realTime();
        Arena arena = Arena.ofShared()) {
      List<DeviceName> disks = List.of(disk(site, "trapped", false), disk(site, "shared", true));
      List<MemorySegment> memory = new ArrayList<>();
      for (int i = 0; i < QUEUES; i++) {
        memory.add(arena.allocate(BUFFER, 4096));
      }
      for (int i = 0; i < revocations; i++) {
        DeviceName disk = disks.get(i % disks.size());
        revokeOnce(site, disk, memory, random);
        // The guest's memory is no longer the device's: what is written now, stays.
        memory.forEach(segment -> segment.fill(CANARY));
        checkThatTheNextGrantWorks(site, disk);
        memory.forEach(RevocationUnderLoadTest::checkCanary);
      }
      assertThat(site.bus.iommu().faults()).as("accesses after the unmap").isEmpty();
    }
  }

  /** Its doorbells end with the grant's gate, or, shared, with their mapping. */
  private static DeviceName disk(Site site, String name, boolean sharedDoorbells) {
    return site.seize(
        name, NvmeModel.builder().size(16 << 20).sharedDoorbells(sharedDoorbells).build());
  }

  private void revokeOnce(Site site, DeviceName disk, List<MemorySegment> memory, Random random)
      throws Exception {
    Grant grant = site.grant("guest", disk);
    PciDevice device = grant.connect().getFirst();
    CountDownLatch going = new CountDownLatch(QUEUES);
    NvmeController controller =
        NvmeController.open(device, NvmeOptions.defaults().withQueueDepth(DEPTH));
    NvmeNamespace namespace = controller.namespace(1);
    List<Future<Throwable>> guests = new ArrayList<>();
    for (MemorySegment segment : memory) {
      DmaBuffer buffer = device.dma().map(segment, DmaDirection.BIDIRECTIONAL);
      NvmeQueuePair queue = controller.createQueuePair();
      FutureTask<Throwable> guest =
          new FutureTask<>(() -> endOf(() -> run(queue, namespace, buffer, going)));
      guests.add(guest);
      Thread.ofPlatform().daemon().start(guest);
    }
    assertThat(going.await(30, TimeUnit.SECONDS)).as("I/O goes on: %s", guests).isTrue();
    long before = completed.get();
    Thread.sleep(random.nextInt(LONGEST_LIFE_MILLIS));
    while (completed.get() == before && guests.stream().noneMatch(Future::isDone)) {
      Thread.onSpinWait();
    }
    assertThat(guests).as("guests in the middle of I/O").noneMatch(Future::isDone);

    grant.revoke(Duration.ZERO);

    for (Future<Throwable> guest : guests) {
      assertThat(guest.get(30, TimeUnit.SECONDS))
          .satisfies(RevocationUnderLoadTest::tellsThatItIsGone);
    }
    try {
      controller.close();
    } catch (PciException _) {
      // Its device is gone: it may say so.
    }
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
  }

  private static Throwable endOf(Runnable guest) {
    try {
      guest.run();
      return new IllegalStateException("it ended by itself");
    } catch (RuntimeException | Error e) {
      return e;
    }
  }

  /** What a guest's thread ends with: the exception itself, or one that it caused. */
  private static void tellsThatItIsGone(Throwable end) {
    assertThat(Stream.<Throwable>iterate(end, e -> e != null, Throwable::getCause))
        .as("what ended a guest's thread")
        .anyMatch(DeviceGoneException.class::isInstance);
  }

  /** Reads and writes, as deep as the queue is, for as long as there is a device. */
  private void run(
      NvmeQueuePair queue, NvmeNamespace namespace, DmaBuffer buffer, CountDownLatch going) {
    long submitted = 0;
    while (true) {
      while (true) {
        long lba = submitted % 1000 * BLOCKS;
        long at = submitted % DEPTH * BLOCKS * BLOCK;
        boolean room =
            (submitted & 1) == 0
                ? queue.submitRead(namespace, lba, BLOCKS, buffer, at, this::completed, 0)
                : queue.submitWrite(namespace, lba, BLOCKS, buffer, at, this::completed, 0);
        if (!room) {
          break;
        }
        submitted++;
      }
      queue.ring();
      if (queue.poll() > 0) {
        going.countDown();
      }
    }
  }

  private void completed(long context, int status) {
    if (status != 0) {
      throw new IllegalStateException("status " + status);
    }
    completed.incrementAndGet();
  }

  private static void checkThatTheNextGrantWorks(Site site, DeviceName disk) {
    Grant grant = site.grant("next", disk);
    try (PciDevice device = grant.connect().getFirst();
        NvmeController controller = NvmeController.open(device, NvmeOptions.defaults());
        var opened = controller.openDisk(1)) {
      byte[] data = new byte[BLOCKS * BLOCK];
      opened.read(0, data);
    }
    assertThat(grant.state()).isEqualTo(GrantState.CLOSED);
  }

  private static void checkCanary(MemorySegment memory) {
    for (long i = 0; i < memory.byteSize(); i++) {
      if (memory.get(ValueLayout.JAVA_BYTE, i) != CANARY) {
        throw new AssertionError("DMA reached memory at 0x%x after the unmap".formatted(i));
      }
    }
  }
}
