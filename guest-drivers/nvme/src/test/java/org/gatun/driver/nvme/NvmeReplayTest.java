package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.nio.file.Path;
import java.util.Objects;
import java.util.Random;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.trace.Recorder;
import org.gatun.simulated.trace.Recording;
import org.gatun.simulated.trace.ReplayMismatchException;
import org.gatun.simulated.trace.ReplayedDevice;
import org.gatun.specs.nvme.NvmeRegisters;
import org.gatun.testkit.WrongRegister;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A session of the driver with the simulated controller, recorded, and played to it again. */
class NvmeReplayTest {
  private static final DeviceName NAME = DeviceName.parse("simulated:replay");
  private static final long AT = 4096;
  private static final byte[] DATA = new byte[20_000 / 512 * 512];

  static {
    new Random(7).nextBytes(DATA);
  }

  @TempDir private Path folder;

  @ParameterizedTest
  @CsvSource({
    "nvme, POLL, true",
    "nvme, INTERRUPT, true",
    "'nvme,latency=50us', POLL, true",
    "'nvme,latency=50us', INTERRUPT, true",
    "'nvme,latency=50us', POLL, false",
    "'nvme,latency=50us', INTERRUPT, false",
    "'nvme,doorbells=shared', POLL, false"
  })
  void aSessionThatWasRecordedSatisfiesTheDriver(
      String model, Completion completion, boolean virtualTime) throws Exception {
    Path file = folder.resolve("session");
    try (SimulatedBus bus = virtualTime ? SimulatedBus.virtualTime() : SimulatedBus.realTime()) {
      record(bus, model, completion).save(file);
    }

    ReplayedDevice device = new ReplayedDevice(NAME, Recording.load(file), TimeSource.system());
    try (device) {
      session(device, NvmeOptions.defaults().withCompletion(completion), AT, DATA);
      device.verify();
    }
  }

  /** QEMU's, through VFIO: ReplayTest of vm-tests has made the recording. */
  @Test
  void aSessionWithAControllerThatOthersWroteSatisfiesTheDriver() throws Exception {
    byte[] data = new byte[20 << 10];
    new Random(data.length).nextBytes(data);
    Path file =
        Path.of(Objects.requireNonNull(NvmeReplayTest.class.getResource("qemu.recording")).toURI());
    ReplayedDevice device = new ReplayedDevice(NAME, Recording.load(file), TimeSource.system());
    try (device) {
      session(
          device,
          NvmeOptions.defaults()
              .withQueueDepth(8)
              .withMaxTransferBytes(16 << 10)
              .withCompletion(Completion.INTERRUPT),
          0,
          data);
      device.verify();
    }
  }

  @Test
  void twoRecordingsAreTheSame() {
    try (SimulatedBus one = SimulatedBus.virtualTime();
        SimulatedBus other = SimulatedBus.virtualTime()) {
      assertThat(record(one, "nvme", Completion.POLL).text())
          .isEqualTo(record(other, "nvme", Completion.POLL).text());
    }
  }

  @Test
  void aDriverThatWritesAWrongRegisterIsTold() {
    ReplayedDevice device = replayed();
    PciDevice changed =
        WrongRegister.of(device, NvmeRegisters.BAR, NvmeRegisters.completionHeadDoorbell(0, 0));

    assertThatExceptionOfType(ReplayMismatchException.class)
        .isThrownBy(() -> session(changed, NvmeOptions.defaults(), AT, DATA))
        .withMessageMatching(
            "simulated:replay: #\\d+: expected write32 BAR0\\+0x1004 = 0x1, but the driver did"
                + " write32 BAR0\\+0x1008 = 0x1; .*");
    assertThatExceptionOfType(ReplayMismatchException.class)
        .isThrownBy(device::close)
        .withMessageContaining("expected write32 BAR0+0x1004 = 0x1");
  }

  @Test
  void aDriverThatWritesWrongDataIsTold() {
    ReplayedDevice device = replayed();
    byte[] other = DATA.clone();
    other[600] ^= 1;

    assertThatExceptionOfType(ReplayMismatchException.class)
        .isThrownBy(() -> session(device, NvmeOptions.defaults(), AT, other))
        .withMessageContaining("expected driver-write 0x")
        .withMessageContaining(
            "but the driver wrote 0x%02x, not 0x%02x, to 0x".formatted(other[600], DATA[600]));
    assertThatExceptionOfType(ReplayMismatchException.class).isThrownBy(device::close);
  }

  @Test
  void aDriverThatLeavesSomethingOutIsToldWhenItIsDone() {
    ReplayedDevice device = replayed();

    assertThatExceptionOfType(ReplayMismatchException.class)
        .isThrownBy(device::close)
        .withMessageContaining("expected read32 BAR0+0x0 = 0x")
        .withMessageContaining("but the driver was done; it left");
    device.close();
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
  }

  private static ReplayedDevice replayed() {
    try (SimulatedBus bus = SimulatedBus.virtualTime()) {
      return new ReplayedDevice(NAME, record(bus, "nvme", Completion.POLL), TimeSource.system());
    }
  }

  private static Recording record(SimulatedBus bus, String model, Completion completion) {
    Recorder recorder = new Recorder(bus.open(bus.plug(model)), bus.time());
    try (PciDevice device = recorder.device()) {
      session(
          device,
          NvmeOptions.defaults().withCompletion(completion).withTime(recorder.time()),
          AT,
          DATA);
      assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
    }
    return recorder.recording();
  }

  private static void session(PciDevice device, NvmeOptions options, long at, byte[] data) {
    try (NvmeController controller = NvmeController.open(device, options);
        NvmeDisk disk = controller.openDisk(1)) {
      assertThat(controller.identity().modelNumber()).isNotEmpty();
      disk.write(at, data);
      disk.flush();
      byte[] read = new byte[data.length];
      disk.read(at, read);
      assertThat(read).isEqualTo(data);
    }
  }
}
