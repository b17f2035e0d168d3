package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.function.Predicate;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.EduModel;
import org.gatun.simulated.NetworkEnd;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.SerialEnd;
import org.gatun.simulated.SerialModel;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.VirtioBlockModel;
import org.gatun.simulated.VirtioEntropyModel;
import org.gatun.simulated.VirtioNetworkModel;
import org.gatun.specs.edu.EduRegisters;
import org.gatun.specs.nvme.NvmeRegisters;
import org.gatun.specs.serial.UartRegisters;
import org.gatun.specs.virtio.VirtioBlock;
import org.gatun.specs.virtio.VirtioCommon;
import org.gatun.specs.virtio.VirtioNetwork;
import org.gatun.vfiouser.DeviceExport;
import org.gatun.vfiouser.ExportOptions;
import org.gatun.vmtests.machine.DiskImage;
import org.gatun.vmtests.machine.Host;
import org.gatun.vmtests.machine.QtestBar;
import org.gatun.vmtests.machine.QtestDevice;
import org.gatun.vmtests.machine.QtestMachine;
import org.gatun.vmtests.machine.TestDevice;
import org.gatun.vmtests.machine.TestDevice.Edu;
import org.gatun.vmtests.machine.TestDevice.Namespace;
import org.gatun.vmtests.machine.TestDevice.Nvme;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.gatun.vmtests.machine.TestDevice.Serial;
import org.gatun.vmtests.machine.TestDevice.VfioUser;
import org.gatun.vmtests.machine.TestDevice.VirtioBlk;
import org.gatun.vmtests.machine.TestDevice.VirtioNet;
import org.gatun.vmtests.machine.TestDevice.VirtioRng;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Our models beside QEMU's of the same device, in one machine: the same is written to both, and
 * both must read the same, register by register. What is a maker's own choice, or says what a line
 * does, is masked out, where it is read.
 */
class RegisterComparisonTest {
  private static final Duration LIMIT = Duration.ofSeconds(20);
  private static final Duration INTERVAL = Duration.ofMillis(1);
  private static final long ALL = -1;
  private static final int SIZE = 1 << 20;

  // Where both have virtio's structures, in BAR 4.
  private static final int VIRTIO_BAR = 4;
  private static final long ISR = 0x1000;
  private static final long DEVICE = 0x2000;

  @TempDir Path directory;
  private Host host;
  private final SimulatedBus bus = SimulatedBus.realTime();

  @BeforeEach
  void host() throws IOException {
    host = VmRun.requireVfioUserHost(System.getenv());
  }

  @AfterEach
  void closeBus() {
    bus.close();
  }

  @Test
  void edu() throws Exception {
    try (Both both = both(new Edu("qemu", Place.ROOT_BUS), new EduModel(), EduRegisters.BAR)) {
      both.same(EduRegisters.IDENTIFICATION, 4, ALL);
      for (int value : List.of(0, -1, 0x1234_5678)) {
        both.write(EduRegisters.LIVENESS, 4, value);
        both.same(EduRegisters.LIVENESS, 4, ALL);
      }
      both.same(EduRegisters.STATUS, 4, ALL);
      for (int value : List.of(0, 1, 5, 12)) {
        both.write(EduRegisters.FACTORIAL, 4, value);
        both.await(EduRegisters.STATUS, 4, v -> (v & EduRegisters.STATUS_COMPUTING) == 0);
        both.same(EduRegisters.FACTORIAL, 4, ALL);
      }
      both.write(EduRegisters.INTERRUPT_RAISE, 4, 0x6);
      both.same(EduRegisters.INTERRUPT_STATUS, 4, ALL);
      both.write(EduRegisters.INTERRUPT_ACKNOWLEDGE, 4, 0x2);
      both.same(EduRegisters.INTERRUPT_STATUS, 4, ALL);
      for (long register : List.of(EduRegisters.DMA_SOURCE, EduRegisters.DMA_DESTINATION)) {
        both.write(register, 8, 0x1234_5678L);
        both.same(register, 8, ALL);
      }
      both.same(EduRegisters.DMA_COMMAND, 8, ALL);
    }
  }

  @Test
  void nvme() throws Exception {
    Path image = DiskImage.blank(directory.resolve("disk.img"), SIZE);
    TestDevice qemus = new Nvme("qemu", Place.ROOT_BUS, List.of(new Namespace(image, 512)));
    try (Both both = both(qemus, NvmeModel.builder().size(SIZE).build(), NvmeRegisters.BAR)) {
      // CAP: contiguous queues, doorbell stride, NVM command set, smallest page; sizes are ours.
      both.same(NvmeRegisters.CAP, 8, 0x000f_003f_0001_0000L & ~(1L << 36));
      both.same(NvmeRegisters.VS, 4, ALL);
      for (long register : List.of(NvmeRegisters.CC, NvmeRegisters.CSTS, NvmeRegisters.AQA)) {
        both.same(register, 4, ALL);
      }
      both.same(NvmeRegisters.ASQ, 8, ALL);
      both.same(NvmeRegisters.ACQ, 8, ALL);
      both.write(NvmeRegisters.AQA, 4, -1);
      both.same(NvmeRegisters.AQA, 4, 0x0fff_0fff); // the rest is reserved; QEMU keeps it
      both.write(NvmeRegisters.ASQ, 8, -1);
      both.same(NvmeRegisters.ASQ, 8, ~0xfffL);
      both.write(NvmeRegisters.ACQ, 4, 0x1234_5000);
      both.write(NvmeRegisters.ACQ + 4, 4, 7);
      both.same(NvmeRegisters.ACQ, 8, ALL);

      both.write(NvmeRegisters.AQA, 4, 0x000f_000f);
      both.write(NvmeRegisters.ASQ, 8, 0x10_0000);
      both.write(NvmeRegisters.ACQ, 8, 0x10_1000);
      both.write(NvmeRegisters.CC, 4, 0x0046_0001);
      both.await(NvmeRegisters.CSTS, 4, v -> (v & 1) != 0);
      both.same(NvmeRegisters.CSTS, 4, ALL);
      both.same(NvmeRegisters.CC, 4, ALL);
      both.write(NvmeRegisters.CC, 4, 0x0046_4001); // a normal shutdown
      both.await(NvmeRegisters.CSTS, 4, v -> (v & 0xc) == 0x8);
      both.same(NvmeRegisters.CSTS, 4, ALL);
      both.write(NvmeRegisters.CC, 4, 0);
      both.await(NvmeRegisters.CSTS, 4, v -> (v & 1) == 0);
      both.same(NvmeRegisters.CSTS, 4, ALL);
      // A page larger than CAP.MPSMAX: the controller fails.
      both.write(NvmeRegisters.CC, 4, 0x0046_0781);
      both.same(NvmeRegisters.CSTS, 4, ALL);
    }
  }

  @Test
  void virtioDisk() throws Exception {
    Path image = DiskImage.blank(directory.resolve("disk.img"), SIZE);
    try (Both both =
        both(
            new VirtioBlk("qemu", Place.ROOT_BUS, image, 512),
            VirtioBlockModel.DEFAULT.withSize(SIZE).withBlockSize(512),
            VIRTIO_BAR)) {
      common(both);
      both.same(DEVICE + VirtioBlock.CAPACITY, 8, ALL);
      both.same(DEVICE + VirtioBlock.BLOCK_SIZE, 4, ALL);
    }
  }

  @Test
  void virtioEntropy() throws Exception {
    try (Both both =
        both(new VirtioRng("qemu", Place.ROOT_BUS), new VirtioEntropyModel(1), VIRTIO_BAR)) {
      common(both);
    }
  }

  /** QEMU's has one queue more, of control. */
  @Test
  void virtioNetworkCard() throws Exception {
    try (Both both =
        both(
            new VirtioNet("qemu", Place.ROOT_BUS, 0),
            new VirtioNetworkModel(NetworkEnd.unconnected()),
            VIRTIO_BAR)) {
      structure(both);
      both.same(DEVICE + VirtioNetwork.MAC, 4, ALL);
      both.same(DEVICE + VirtioNetwork.MAC + 4, 2, ALL);
      both.same(DEVICE + VirtioNetwork.STATUS, 2, VirtioNetwork.LINK_UP);
    }
  }

  private static void common(Both both) {
    both.same(VirtioCommon.QUEUES, 2, ALL);
    structure(both);
  }

  /** Virtual I/O Device 1.2, 4.1.4.3. */
  private static void structure(Both both) {
    both.same(VirtioCommon.DEVICE_FEATURE_SELECT, 4, ALL);
    both.write(VirtioCommon.DEVICE_FEATURE_SELECT, 4, 1);
    both.same(VirtioCommon.DEVICE_FEATURE_SELECT, 4, ALL);
    both.same(VirtioCommon.DEVICE_FEATURE, 4, 3); // VERSION_1, ACCESS_PLATFORM
    both.write(VirtioCommon.DRIVER_FEATURE_SELECT, 4, 1);
    both.write(VirtioCommon.DRIVER_FEATURE, 4, 3);
    both.same(VirtioCommon.DRIVER_FEATURE, 4, ALL);
    both.same(VirtioCommon.STATUS, 1, ALL);
    both.same(VirtioCommon.CONFIG_GENERATION, 1, ALL);
    for (long register : List.of(VirtioCommon.CONFIG_VECTOR, VirtioCommon.QUEUE_VECTOR)) {
      for (int vector : List.of(0xffff, 1, 0x7ff, 0)) { // 0x7ff: there is no such one
        both.write(register, 2, vector);
        both.same(register, 2, ALL);
      }
    }
    for (int status : List.of(VirtioCommon.ACKNOWLEDGE, VirtioCommon.DRIVER)) {
      both.write(VirtioCommon.STATUS, 1, status);
      both.same(VirtioCommon.STATUS, 1, ALL);
    }
    both.write(VirtioCommon.QUEUE_SELECT, 2, 0);
    both.write(VirtioCommon.QUEUE_SIZE, 2, 8);
    both.same(VirtioCommon.QUEUE_SIZE, 2, ALL);
    both.same(VirtioCommon.QUEUE_ENABLE, 2, ALL);
    both.same(VirtioCommon.QUEUE_NOTIFY_OFFSET, 2, ALL);
    for (long register = VirtioCommon.QUEUE_DESCRIPTORS;
        register < VirtioCommon.SIZE;
        register += 4) {
      both.write(register, 4, 0x10_0000 + register * 0x1000);
      both.same(register, 4, ALL);
    }
    both.write(VirtioCommon.QUEUE_SELECT, 2, 100);
    both.same(VirtioCommon.QUEUE_SIZE, 2, ALL);
    both.same(VirtioCommon.QUEUE_ENABLE, 2, ALL);
    both.same(ISR, 1, ALL);
    both.write(VirtioCommon.STATUS, 1, 0); // a reset
    both.same(VirtioCommon.STATUS, 1, ALL);
    both.write(VirtioCommon.QUEUE_SELECT, 2, 0);
    both.same(VirtioCommon.CONFIG_VECTOR, 2, ALL);
    both.same(VirtioCommon.QUEUE_VECTOR, 2, ALL);
    both.same(VirtioCommon.QUEUE_ENABLE, 2, ALL);
    both.same(VirtioCommon.QUEUE_DESCRIPTORS, 4, ALL);
  }

  @Test
  void serialPort() throws Exception {
    try (Both both =
        both(
            new Serial("qemu", Place.ROOT_BUS, directory.resolve("cable")),
            new SerialModel(SerialEnd.unconnected()),
            UartRegisters.BAR)) {
      for (long register :
          List.of(
              UartRegisters.INTERRUPT_ENABLE,
              UartRegisters.INTERRUPT_IDENTIFICATION,
              UartRegisters.LINE_CONTROL,
              UartRegisters.LINE_STATUS,
              UartRegisters.SCRATCH)) {
        both.same(register, 1, ALL);
      }
      // After a reset it is 0; a PC's firmware sets OUT2, and QEMU has done so before.
      both.same(UartRegisters.MODEM_CONTROL, 1, ~UartRegisters.MCR_OUT2);
      for (int value : List.of(0xff, 0x5a, 0)) {
        both.write(UartRegisters.SCRATCH, 1, value);
        both.same(UartRegisters.SCRATCH, 1, ALL);
        both.write(UartRegisters.INTERRUPT_ENABLE, 1, value);
        both.same(UartRegisters.INTERRUPT_ENABLE, 1, ALL);
      }
      both.write(UartRegisters.LINE_CONTROL, 1, UartRegisters.LCR_DIVISOR_LATCH | 3);
      both.write(UartRegisters.DIVISOR_LOW, 1, 0x0c);
      both.write(UartRegisters.DIVISOR_HIGH, 1, 0x01);
      both.same(UartRegisters.DIVISOR_LOW, 1, ALL);
      both.same(UartRegisters.DIVISOR_HIGH, 1, ALL);
      both.write(UartRegisters.DIVISOR_HIGH, 1, 0x00);
      both.write(UartRegisters.LINE_CONTROL, 1, 3);
      both.same(UartRegisters.INTERRUPT_ENABLE, 1, ALL);
      for (int fifos : List.of(UartRegisters.FCR_ENABLE, 0, 0xc1)) {
        both.write(UartRegisters.FIFO_CONTROL, 1, fifos);
        both.same(UartRegisters.INTERRUPT_IDENTIFICATION, 1, ALL);
      }
      // In a loop, modem status is what modem control drives; of before, only the changes.
      for (int signals : List.of(0x1f, 0x10, 0x13, 0x1c)) {
        both.write(UartRegisters.MODEM_CONTROL, 1, signals);
        both.same(UartRegisters.MODEM_CONTROL, 1, ALL);
        both.same(UartRegisters.MODEM_STATUS, 1, 0xf0);
      }
      both.write(UartRegisters.TRANSMITTER_HOLDING, 1, 0x55);
      both.await(UartRegisters.LINE_STATUS, 1, v -> (v & UartRegisters.LSR_DATA_READY) != 0);
      both.same(UartRegisters.RECEIVER_BUFFER, 1, ALL);
      both.same(UartRegisters.LINE_STATUS, 1, UartRegisters.LSR_DATA_READY);
    }
  }

  private Both both(TestDevice qemus, DeviceModel model, int bar) throws IOException {
    Path socket = directory.resolve("device.sock");
    PciDevice device = bus.open(bus.plug("ours", model));
    DeviceExport export = DeviceExport.listen(device, socket, ExportOptions.DEFAULT);
    QtestMachine machine =
        QtestMachine.start(host, directory, qemus, new VfioUser("ours", Place.ROOT_BUS, socket));
    return new Both(machine, export, bar);
  }

  /** The BAR of QEMU's device, and of ours. */
  private static final class Both implements AutoCloseable {
    private final QtestMachine machine;
    private final DeviceExport export;
    private final QtestBar qemus;
    private final QtestBar ours;

    Both(QtestMachine machine, DeviceExport export, int bar) {
      this.machine = machine;
      this.export = export;
      this.qemus = open(machine.device("qemu"), bar);
      this.ours = open(machine.device("ours"), bar);
    }

    private static QtestBar open(QtestDevice device, int bar) {
      device.enable();
      return device.bar(bar).orElseThrow();
    }

    void write(long register, int width, long value) {
      write(qemus, register, width, value);
      write(ours, register, width, value);
    }

    private static void write(QtestBar bar, long register, int width, long value) {
      switch (width) {
        case 1 -> bar.write8(register, (int) value);
        case 2 -> bar.write16(register, (int) value);
        case 4 -> bar.write32(register, (int) value);
        default -> bar.write64(register, value);
      }
    }

    private static long read(QtestBar bar, long register, int width) {
      return switch (width) {
        case 1 -> bar.read8(register) & 0xffL;
        case 2 -> bar.read16(register) & 0xffffL;
        case 4 -> bar.read32(register) & 0xffff_ffffL;
        default -> bar.read64(register);
      };
    }

    void same(long register, int width, long mask) {
      assertThat(read(ours, register, width) & mask)
          .as("%d bytes at 0x%x, against QEMU's", width, register)
          .isEqualTo(read(qemus, register, width) & mask);
    }

    void await(long register, int width, Predicate<Long> condition) {
      for (QtestBar bar : List.of(qemus, ours)) {
        assertThat(
                TimeSource.system()
                    .await(() -> condition.test(read(bar, register, width)), LIMIT, INTERVAL))
            .as("0x%x", register)
            .isTrue();
      }
    }

    @Override
    public void close() {
      machine.close();
      export.close();
    }
  }
}
