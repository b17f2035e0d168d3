package org.gatun.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Optional;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.pci.spi.Backends;
import org.gatun.simulated.trace.Recorder;
import org.gatun.simulated.trace.Recording;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** The device that a command uses. A mixin. */
final class DeviceOption {
  @Option(
      names = "--device",
      required = true,
      paramLabel = "DEVICE",
      description = "The device, like vfio:0000:00:04.0 or simulated:nvme,size=1G.")
  private DeviceName name;

  @Option(
      names = "--record",
      paramLabel = "FILE",
      description =
          "Record what is done to the device, to be replayed as simulated:replay,file=FILE.")
  private Optional<Path> recording;

  /** Its name. */
  @Override
  public String toString() {
    return name.toString();
  }

  /** Opens it for a command. */
  HeldDevice open(CommandSpec command) {
    Interruption interruption = Gatun.of(command).interruption;
    PciDevice device = Backends.open(name);
    if (recording.isEmpty()) {
      return HeldDevice.of(device, interruption);
    }
    try {
      Recorder recorder = new Recorder(device, TimeSource.system());
      return HeldDevice.of(
          recorder.device(),
          recorder.time(),
          () -> save(recorder.recording(), recording.get()),
          interruption);
    } catch (RuntimeException e) {
      device.close();
      throw e;
    }
  }

  private static void save(Recording recording, Path file) {
    try {
      recording.save(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
