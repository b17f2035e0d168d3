package org.gatun.benchmarks;

import java.io.IOException;
import java.nio.file.Path;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBus;
import org.gatun.vfiouser.DeviceExport;
import org.gatun.vfiouser.ExportOptions;

/** Serves a simulated device, as {@code gatun export} does, until its standard input ends. */
public final class DeviceServer {
  private DeviceServer() {}

  /**
   * {@code DeviceServer MODEL SOCKET}. Prints a line when it serves.
   *
   * @throws IOException if the standard input fails
   */
  public static void main(String[] args) throws IOException {
    try (SimulatedBus bus = SimulatedBus.realTime();
        PciDevice device = bus.open(bus.plug(args[0]));
        DeviceExport export =
            DeviceExport.listen(device, Path.of(args[1]), ExportOptions.DEFAULT)) {
      System.out.println(export);
      while (System.in.read() >= 0) {
        // Nobody has anything to say.
      }
    }
  }
}
