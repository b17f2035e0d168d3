package org.gatun.simulated;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.UUID;
import java.util.function.Function;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.PciBackend;
import org.gatun.pci.spi.SeizedDevice;
import org.gatun.simulated.trace.Recording;
import org.gatun.simulated.trace.ReplayedDevice;

/**
 * Devices that exist because their name says so: {@code simulated:edu}, {@code
 * simulated:nvme,size=1G}, {@code simulated:specimen}. Each open makes a bus in real time with that
 * one device, which ends when the device is closed. {@code simulated:replay,file=PATH} is a {@link
 * ReplayedDevice}, and on no bus.
 */
public final class SimulatedBackend implements PciBackend {
  /** For {@link java.util.ServiceLoader}. */
  public SimulatedBackend() {}

  @Override
  public String scheme() {
    return SimulatedBus.SCHEME;
  }

  @Override
  public List<FoundDevice> scan() {
    return List.of();
  }

  @Override
  public PciDevice open(DeviceName name) {
    return ModelText.recording(name)
        .map(file -> replay(name, file))
        .orElseGet(() -> onItsOwnBus(name, bus -> bus.open(name, bus::close)));
  }

  @Override
  public SeizedDevice seize(DeviceName name) {
    return onItsOwnBus(name, bus -> bus.seize(name, bus::close));
  }

  private static PciDevice replay(DeviceName name, Path file) {
    try {
      return new ReplayedDevice(name, Recording.load(file), TimeSource.system());
    } catch (IOException e) {
      throw new DeviceUnavailableException(name, "can't read the recording: " + e, null, e);
    } catch (IllegalArgumentException e) {
      throw new DeviceUnavailableException(
          name, String.valueOf(e.getMessage()), "record it with gatun nvme ... --record", e);
    }
  }

  private static <T> T onItsOwnBus(DeviceName name, Function<SimulatedBus, T> opener) {
    // Other processes serve others to the same host, and nobody knows of all of them.
    DeviceModel model =
        ModelText.parse(name, () -> "GATUN-%08x".formatted(UUID.randomUUID().hashCode()));
    SimulatedBus bus = SimulatedBus.realTime();
    try {
      bus.plug(name.text(), model);
      return opener.apply(bus);
    } catch (RuntimeException e) {
      bus.close();
      throw e;
    }
  }
}
