package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Random;
import org.gatun.driver.nvme.Completion;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeDisk;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.SimulatedBackend;
import org.gatun.simulated.trace.Recorder;
import org.gatun.simulated.trace.ReplayMismatchException;
import org.gatun.specs.nvme.NvmeRegisters;
import org.gatun.testkit.WrongRegister;
import org.gatun.vmtests.inside.Inside;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The sessions of {@link ReplayTest}. */
@InVm
class ReplayInVm {
  private static final int LENGTH = 20 << 10;

  /** Little memory, which the recorder looks through each time. */
  private static final NvmeOptions OPTIONS =
      NvmeOptions.defaults().withQueueDepth(8).withMaxTransferBytes(16 << 10);

  @RegisterExtension final VfioDevices devices = new VfioDevices();

  @ParameterizedTest
  @EnumSource
  void anNvmeSession(Completion completion) throws IOException {
    NvmeOptions options = OPTIONS.withCompletion(completion);
    Path file =
        Inside.share().resolve("nvme-" + completion.name().toLowerCase(Locale.ROOT) + ".recording");
    Recorder recorder = new Recorder(devices.device("disk", "nvme").open(), TimeSource.system());
    try (PciDevice device = recorder.device()) {
      session(device, options.withTime(recorder.time()));
    }
    recorder.recording().save(file);

    DeviceName name = new DeviceName("simulated", "replay,file=" + file);
    // Closing it fails if the driver has left something out.
    try (PciDevice device = new SimulatedBackend().open(name)) {
      session(device, options);
    }

    PciDevice replayed = new SimulatedBackend().open(name);
    PciDevice ofChangedDriver =
        WrongRegister.of(replayed, NvmeRegisters.BAR, NvmeRegisters.completionHeadDoorbell(0, 0));
    assertThatExceptionOfType(ReplayMismatchException.class)
        .isThrownBy(() -> session(ofChangedDriver, options))
        .withMessageContaining(
            "expected write32 BAR0+0x1004 = 0x1, but the driver did write32 BAR0+0x1008 = 0x1");
    assertThatExceptionOfType(ReplayMismatchException.class).isThrownBy(replayed::close);
  }

  private static void session(PciDevice device, NvmeOptions options) {
    byte[] written = new byte[LENGTH];
    new Random(LENGTH).nextBytes(written);
    byte[] read = new byte[LENGTH];
    try (NvmeController controller = NvmeController.open(device, options);
        NvmeDisk disk = controller.openDisk(1)) {
      assertThat(controller.identity().serialNumber()).isEqualTo("disk");
      disk.write(0, written);
      disk.flush();
      disk.read(0, read);
    }
    assertThat(read).isEqualTo(written);
  }
}
