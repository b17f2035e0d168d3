package org.gatun.vfiouser;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBus;

/** A device on a bus of its own, that is served at a socket of its own. */
final class Served implements AutoCloseable {
  private final SimulatedBus bus = SimulatedBus.realTime();
  private final Path directory;
  private final PciDevice device;
  private final DeviceExport export;
  private final List<PciDevice> clients = new ArrayList<>();

  Served(String model) {
    this(model, ExportOptions.DEFAULT);
  }

  Served(String model, ExportOptions options) {
    try {
      directory = Files.createTempDirectory("gatun");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    bus.plug(model);
    device = bus.open(bus.scan().getFirst().name());
    export = DeviceExport.listen(device, socket(), options);
  }

  SimulatedBus bus() {
    return bus;
  }

  /** The device, as it is served. */
  PciDevice device() {
    return device;
  }

  Path socket() {
    return directory.resolve("device.sock");
  }

  DeviceName name() {
    return new DeviceName(VfioUserBackend.SCHEME, socket().toString());
  }

  /** As a client, which is closed at the end at the latest. */
  PciDevice open() {
    PciDevice opened = new VfioUserBackend().open(name());
    clients.add(opened);
    return opened;
  }

  @Override
  public void close() {
    clients.forEach(PciDevice::close);
    export.close();
    device.close();
    bus.close();
    try {
      Files.delete(directory);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
