package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.gatun.driver.nvme.IntegrityWays.ChannelWay;
import org.gatun.driver.nvme.IntegrityWays.CopyingWay;
import org.gatun.driver.nvme.IntegrityWays.DirectWay;
import org.gatun.driver.nvme.IntegrityWays.QueueWay;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.fault.Chaos;
import org.gatun.simulated.fault.Effect;
import org.gatun.simulated.fault.Fault;
import org.gatun.simulated.fault.Faults;
import org.gatun.simulated.fault.Point;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.testkit.BlockShadow;
import org.gatun.testkit.IntegrityLoad;
import org.gatun.testkit.IntegrityLoad.Way;

/**
 * A simulated disk in a file, faults, and a load of I/O, in turns: the controller is opened, with
 * queues of other depths each time; there is I/O on all ways that the driver has, while things go
 * wrong; it is closed, or the disk is pulled out; and then the whole disk is read, which is sound
 * again. At the end the file itself is read.
 */
final class IntegrityRun implements AutoCloseable {
  private static final int SIZE = 16 << 20;
  private static final int MAX_TRANSFER = 128 << 10;

  /** Longer than a command may be, so that the driver splits it. */
  private static final int MAX_LENGTH = 3 * MAX_TRANSFER;

  private static final int MAX_DEPTH = 32;
  private static final int MAX_IOS_PER_TURN = 1_000;
  private static final Duration TIMEOUT = Duration.ofMillis(20);

  /** More than what a fault does lasts. */
  private static final Duration ALL_OVER = Duration.ofMinutes(5);

  /** Where the status is in the bytes of a completion that {@link Effect.Flip} flips. */
  private static final int STATUS_SHIFT = 49;

  private final Path file;
  private final int blockSize;
  private final Random random;
  private final Chaos chaos;
  private final Faults faults = new Faults();
  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final TimeSource time = bus.time();
  private final Arena arena = Arena.ofConfined();
  private final BlockShadow shadow;
  private final IntegrityLoad load;
  private final MemorySegment memory;
  private int turns;
  private int resets;
  private int givenUp;
  private int pulled;

  IntegrityRun(Path directory, int blockSize, long seed) throws IOException {
    this.file = directory.resolve("disk");
    this.blockSize = blockSize;
    this.random = new Random(seed);
    this.chaos = new Chaos(seed);
    this.shadow = new BlockShadow(SIZE / blockSize, blockSize, seed);
    this.load = new IntegrityLoad(shadow, MAX_LENGTH / blockSize, seed);
    this.memory = arena.allocate(load.bufferSize(), 4096);
    try (FileChannel image =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      image.write(ByteBuffer.allocate(1), SIZE - 1);
    }
  }

  IntegrityLoad load() {
    return load;
  }

  int pulled() {
    return pulled;
  }

  @Override
  public String toString() {
    return "%s; %d turns: %d resets of the controller, given up %d times, pulled out %d times"
        .formatted(load, turns, resets, givenUp, pulled);
  }

  /** Does so much I/O, and checks all. */
  void run(long count) throws IOException {
    while (load.ended() < count) {
      turn((int) Math.min(count - load.ended(), 1 + random.nextInt(MAX_IOS_PER_TURN)));
    }
    bus.scan().forEach(found -> bus.unplug(found.name()));
    try (FileChannel image = FileChannel.open(file)) {
      load.verify(image.map(FileChannel.MapMode.READ_ONLY, 0, SIZE, arena), 0, SIZE / blockSize);
    }
  }

  private void turn(int ios) throws IOException {
    turns++;
    DeviceName name = plugged();
    try (PciDevice device = bus.open(name)) {
      if (turns % 4 == 0) {
        faults.add(
            Fault.at(Point.COMMAND, new Effect.Remove()).after(random.nextInt(ios) / 2).times(1));
      } else {
        for (int i = random.nextInt(3); i > 0; i--) {
          faults.add(fault());
        }
      }
      try (DmaBuffer own = device.dma().allocate(load.bufferSize(), 4096);
          DmaBuffer callers = device.dma().map(memory, DmaDirection.BIDIRECTIONAL)) {
        work(device, List.of(own, callers), ios);
        load.settle();
      }
      load.note(time.nanoTime());
      assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
    }
    faults.clear(); // first: a reset, once the link is up again, could take it down once more
    time.sleep(ALL_OVER);
    if (bus.scan().isEmpty()) {
      pulled++;
    } else if (random.nextInt(4) == 0) {
      bus.unplug(name);
    }
    verify();
  }

  /** The disk, which keeps what it has; the next one may take another time for a command. */
  private DeviceName plugged() {
    return bus.scan().isEmpty()
        ? bus.plug(
            "disk",
            faults.on(
                NvmeModel.builder()
                    .file(file)
                    .blockSize(blockSize)
                    .maxTransfer(MAX_TRANSFER)
                    .queues(8)
                    .latency(Duration.ofNanos(random.nextInt(3) * 20_000L))
                    .build()))
        : bus.scan().getFirst().name();
  }

  /**
   * One that happens a few times, now or later. Not one by which the device itself lies: flipped
   * bits, registers that say what is not. Nor one of reading the host's memory: the model may write
   * half of a block then, if that lies in two pages.
   */
  private Fault fault() {
    Fault fault = Fault.at(Point.COMMAND, new Effect.Flip(statusBits()));
    if (random.nextInt(4) > 0) {
      do {
        fault = chaos.next();
      } while (fault.effect() instanceof Effect.Flip
          || fault.effect() instanceof Effect.Force
          || fault.point() == Point.DMA_READ);
    }
    return fault.after(random.nextInt(1 << random.nextInt(11))).times(1 + random.nextInt(4));
  }

  /** A status that this model has no other reason for: so no failure becomes a success. */
  private static long statusBits() {
    return (long) NvmeStatus.NAMESPACE_NOT_READY.status() << STATUS_SHIFT;
  }

  private void work(PciDevice device, List<DmaBuffer> buffers, int ios) {
    try (Resources open = new Resources()) {
      NvmeController controller = NvmeController.open(device, options());
      open.add(
          () -> {
            resets += controller.resets();
            controller.close();
          });
      List<Way> ways = new ArrayList<>();
      NvmeDisk disk = controller.openDisk(1);
      open.add(disk::close);
      ways.add(new DirectWay(disk, MAX_LENGTH));
      ways.add(new CopyingWay(disk, MAX_LENGTH));
      NvmeDisk other = controller.openDisk(1);
      open.add(other::close);
      ways.add(new ChannelWay(other, MAX_LENGTH));
      for (int i = random.nextInt(6); i >= 0; i--) {
        Completion completion = random.nextBoolean() ? Completion.POLL : Completion.INTERRUPT;
        NvmeQueuePair pair = controller.createQueuePair(1 + random.nextInt(MAX_DEPTH), completion);
        open.add(pair::close);
        ways.add(new QueueWay(pair, disk.namespace(), TIMEOUT));
      }
      load.run(ways, buffers, ios);
    } catch (PciException e) {
      givenUp++;
    }
  }

  private NvmeOptions options() {
    return NvmeOptions.defaults()
        .withTime(time)
        .withQueueDepth(1 + random.nextInt(MAX_DEPTH))
        .withCommandTimeout(TIMEOUT);
  }

  /** Reads all of a disk that is sound. */
  private void verify() {
    try (PciDevice device = bus.open(plugged());
        DmaBuffer buffer = device.dma().allocate(SIZE, 4096);
        NvmeController controller = NvmeController.open(device, options());
        NvmeDisk disk = controller.openDisk(1)) {
      disk.read(0, buffer, 0, SIZE);
      load.verify(buffer.segment(), 0, SIZE / blockSize);
    }
  }

  @Override
  public void close() {
    bus.close();
    arena.close();
  }
}
