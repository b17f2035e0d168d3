package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.gatun.driver.nvme.Completion;
import org.gatun.driver.nvme.NvmeCallback;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeDisk;
import org.gatun.driver.nvme.NvmeNamespace;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.driver.nvme.NvmeQueuePair;
import org.gatun.driver.nvme.NvmeStatusException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.PciAddress;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.TimeSource;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.testkit.BlockShadow;
import org.gatun.testkit.IntegrityLoad;
import org.gatun.testkit.IntegrityLoad.Io;
import org.gatun.testkit.IntegrityLoad.Way;
import org.gatun.vfio.sysfs.Sysfs;
import org.gatun.vfio.sysfs.SysfsDevice;
import org.gatun.vmtests.VfioDevices.Taken;
import org.gatun.vmtests.inside.Command;
import org.gatun.vmtests.inside.Inside;
import org.gatun.vmtests.inside.Monitor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * I/O on a disk that fails at times, and is pulled out: for {@link DiskIntegrityTest}. In the end
 * Linux reads the disk.
 */
@InVm
class DiskIntegrityInVm {
  static final String IOS = "gatun.ios";
  static final String SEED = "gatun.seed";
  static final int SIZE = 16 << 20;
  static final int BLOCK_SIZE = 512;

  private static final int MAX_LENGTH = 256 << 10;
  private static final int MAX_DEPTH = 32;
  private static final int IOS_PER_TURN = 2_000;
  private static final int PART = 64 << 10;
  private static final Duration PATIENCE = Duration.ofMinutes(1);
  private static final Duration LOOK = Duration.ofMillis(10);

  @RegisterExtension final VfioDevices devices = new VfioDevices();

  private final long seed = Long.parseLong(Inside.property(SEED));
  private final Random random = new Random(seed);
  private final BlockShadow shadow = new BlockShadow(SIZE / BLOCK_SIZE, BLOCK_SIZE, seed);
  private final IntegrityLoad load = new IntegrityLoad(shadow, MAX_LENGTH / BLOCK_SIZE, seed);

  @Test
  void everyByteIsAccountedFor() throws Exception {
    int ios = Integer.parseInt(Inside.property(IOS));
    Taken disk = devices.device("disk");
    Slot slot = Slot.of(disk);
    try (Arena arena = Arena.ofConfined();
        Monitor monitor = new Monitor()) {
      MemorySegment memory = arena.allocate(load.bufferSize(), 4096);
      while (load.ended() < ios) {
        workUntilPulled(disk, slot, memory);
        plugIn(disk, slot, monitor);
        verify(disk);
        System.out.println("integrity: " + load);
      }
    }
    assertThat(load.failed()).as("I/Os that failed").isPositive();
    verifyByLinux(disk);
  }

  private void workUntilPulled(Taken disk, Slot slot, MemorySegment memory) throws IOException {
    try (PciDevice device = disk.open()) {
      try (DmaBuffer own = device.dma().allocate(load.bufferSize(), 4096);
          DmaBuffer callers = device.dma().map(memory, DmaDirection.BIDIRECTIONAL)) {
        work(slot, device, List.of(own, callers));
        load.settle();
      }
    }
  }

  private void work(Slot slot, PciDevice device, List<DmaBuffer> buffers) throws IOException {
    try (NvmeController controller = NvmeController.open(device, NvmeOptions.defaults());
        NvmeDisk disk = controller.openDisk(1);
        NvmeQueuePair polled =
            controller.createQueuePair(1 + random.nextInt(MAX_DEPTH), Completion.POLL);
        NvmeQueuePair interrupting =
            controller.createQueuePair(1 + random.nextInt(MAX_DEPTH), Completion.INTERRUPT)) {
      List<Way> ways =
          List.of(
              new QueueWay(polled, disk.namespace()),
              new QueueWay(interrupting, disk.namespace()),
              new DiskWay(disk));
      load.run(ways, buffers, IOS_PER_TURN);
      slot.pullOut();
      load.run(ways, buffers, IOS_PER_TURN);
      fail("the disk is pulled out, and the driver has not noticed");
    } catch (PciException _) {
      // It is gone: what was under way has failed.
    }
  }

  private static void plugIn(Taken disk, Slot slot, Monitor monitor) throws IOException {
    Path directory = Path.of("/sys/bus/pci/devices", disk.address().toString());
    await("Linux takes the disk away", () -> !Files.exists(directory) && slot.isOff());
    String command =
        """
        {"execute": "device_add", "arguments": {"driver": "nvme", "id": "disk", "serial": "disk", \
        "bus": "disk-port", "drive": "disk-drive", \
        "logical_block_size": %d, "physical_block_size": %1$d}}\
        """
            .formatted(BLOCK_SIZE);
    // QEMU may still be ending the last one.
    String[] answer = {""};
    try {
      await(
          "QEMU plugs the disk in",
          () -> {
            answer[0] = monitor.execute(command);
            return answer[0].startsWith("{\"return\"");
          });
    } catch (AssertionError e) {
      throw new AssertionError("QEMU says " + answer[0], e);
    }
    await("Linux finds the disk", () -> Files.exists(directory.resolve("iommu_group")));
  }

  private interface Condition {
    boolean isTrue() throws IOException;
  }

  private static void await(String what, Condition condition) throws IOException {
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (!condition.isTrue()) {
      assertThat(System.nanoTime() - end).as(what).isNegative();
      TimeSource.system().sleep(LOOK);
    }
  }

  private void verify(Taken taken) {
    try (PciDevice device = taken.open();
        DmaBuffer buffer = device.dma().allocate(PART, 4096);
        NvmeController controller = NvmeController.open(device, NvmeOptions.defaults());
        NvmeDisk disk = controller.openDisk(1)) {
      for (int at = 0; at < SIZE; at += PART) {
        read(disk, at, buffer);
        load.verify(buffer.segment(), at / BLOCK_SIZE, PART / BLOCK_SIZE);
      }
    }
  }

  private static void read(NvmeDisk disk, int at, DmaBuffer buffer) {
    while (true) {
      try {
        disk.read(at, buffer, 0, PART);
        return;
      } catch (NvmeStatusException e) {
        assertThat(e.status()).contains(NvmeStatus.UNRECOVERED_READ_ERROR);
      }
    }
  }

  private void verifyByLinux(Taken taken) throws Exception {
    taken.giveBack();
    Command.run("modprobe", "nvme").expectSuccess();
    ByteBuffer part = ByteBuffer.allocateDirect(PART);
    try (FileChannel channel = FileChannel.open(taken.blockDevice())) {
      for (int at = 0; at < SIZE; at += PART) {
        part.clear();
        while (part.hasRemaining()) {
          try {
            channel.read(part, at + part.position());
          } catch (IOException e) {
            assertThat(e).hasMessageContaining("Input/output error");
          }
        }
        load.verify(MemorySegment.ofBuffer(part.flip()), at / BLOCK_SIZE, PART / BLOCK_SIZE);
      }
    }
    Files.writeString(Path.of("/sys/bus/pci/drivers/nvme/unbind"), taken.address().toString());
  }

  /**
   * The slot that the disk is in.
   *
   * @param device the disk, in sysfs
   * @param port in front of it
   * @param control offset of Slot Control in the port's config space
   */
  private record Slot(Path device, SysfsDevice port, int control) {
    // PCI Express Base 4.0, 7.5.3.10.
    private static final int SLOT_CONTROL = 0x18;
    private static final int PRESENCE_DETECT_CHANGED_ENABLE = 1 << 3;
    private static final int HOT_PLUG_INTERRUPT_ENABLE = 1 << 5;
    private static final int POWER_INDICATOR_OFF = 3 << 8;
    private static final int POWER_OFF = 1 << 10;

    static Slot of(Taken disk) throws IOException {
      Path device = disk.sysfs().directory();
      Path port = Objects.requireNonNull(device.toRealPath().getParent()).getFileName();
      SysfsDevice found =
          Sysfs.ofThisMachine().device(PciAddress.parse(port.toString())).orElseThrow();
      Capability express =
          Capabilities.walk(found.config()).find(Capability.PCI_EXPRESS).orElseThrow();
      return new Slot(device, found, express.offset() + SLOT_CONTROL);
    }

    /** Off, also by its indicator: QEMU takes away what is in a slot that becomes so. */
    boolean isOff() {
      int off = POWER_INDICATOR_OFF | POWER_OFF;
      return (port.config().read16(control) & off) == off;
    }

    /**
     * Has QEMU take the disk away at once, as it does when its slot is switched off. Linux hears of
     * that only when the slot is on again, so to it the disk was pulled out; the driver finds out
     * by itself.
     */
    void pullOut() throws IOException {
      // Linux 6.1 resets also what is gone, and waits a minute for it to be ready.
      Files.writeString(device.resolve("reset_method"), "\n");
      int on = port.config().read16(control);
      write((on & ~HOT_PLUG_INTERRUPT_ENABLE) | POWER_INDICATOR_OFF | POWER_OFF);
      write(on | PRESENCE_DETECT_CHANGED_ENABLE);
    }

    private void write(int value) throws IOException {
      Path config = port.directory().resolve("config");
      try (RandomAccessFile file = new RandomAccessFile(config.toFile(), "rw")) {
        file.seek(control);
        file.write(new byte[] {(byte) value, (byte) (value >>> 8)});
      }
    }
  }

  /** Single commands. */
  private record QueueWay(NvmeQueuePair pair, NvmeNamespace namespace) implements Way {
    @Override
    public int maxBlocks() {
      return namespace.maxTransferBlocks();
    }

    @Override
    public boolean needsDma() {
      return true;
    }

    @Override
    public boolean begin(Io io) {
      NvmeCallback callback = (_, status) -> io.ended(NvmeStatus.isSuccess(status));
      int lba = io.lba();
      int blocks = io.blocks();
      return switch (io.kind()) {
        case READ ->
            pair.submitRead(namespace, lba, blocks, io.buffer(), io.bufferOffset(), callback, 0);
        case WRITE ->
            pair.submitWrite(namespace, lba, blocks, io.buffer(), io.bufferOffset(), callback, 0);
        case WRITE_ZEROES -> pair.submitWriteZeroes(namespace, lba, blocks, callback, 0);
        case DEALLOCATE -> pair.submitDeallocate(namespace, lba, blocks, callback, 0);
        case FLUSH -> pair.submitFlush(namespace, callback, 0);
      };
    }

    @Override
    public void ring() {
      pair.ring();
    }

    @Override
    public void await() {
      pair.await(PATIENCE);
    }
  }

  /** Calls that return when all is done. */
  private record DiskWay(NvmeDisk disk) implements Way {
    @Override
    public int maxBlocks() {
      return MAX_LENGTH / BLOCK_SIZE;
    }

    @Override
    public boolean needsDma() {
      return false;
    }

    @Override
    public boolean begin(Io io) {
      long offset = (long) io.lba() * BLOCK_SIZE;
      long length = (long) io.blocks() * BLOCK_SIZE;
      boolean success = false;
      try {
        switch (io.kind()) {
          case READ -> disk.read(offset, io.memory());
          case WRITE -> disk.write(offset, io.memory());
          case WRITE_ZEROES -> disk.writeZeroes(offset, length);
          case DEALLOCATE -> disk.deallocate(offset, length);
          case FLUSH -> disk.flush();
        }
        success = true;
      } catch (NvmeStatusException _) {
        // A command of it has failed; the controller works.
      }
      io.ended(success);
      return true;
    }

    @Override
    public void ring() {}

    @Override
    public void await() {}
  }
}
