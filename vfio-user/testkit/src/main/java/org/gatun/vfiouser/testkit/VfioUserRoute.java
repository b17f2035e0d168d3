package org.gatun.vfiouser.testkit;

import java.util.Optional;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.pci.Bar;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.Interrupts;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.testkit.DeviceRoute;
import org.gatun.vfiouser.DeviceExport;
import org.gatun.vfiouser.ExportOptions;
import org.gatun.vfiouser.VfioUserBackend;

/** A device by way of our server and our client, in one process. */
public final class VfioUserRoute implements DeviceRoute {
  /** For {@link java.util.ServiceLoader}. */
  public VfioUserRoute() {}

  @Override
  public String name() {
    return VfioUserBackend.SCHEME;
  }

  @Override
  public PciDevice through(PciDevice device) {
    UnixSocket.Pair pair = UnixSocket.pair();
    DeviceExport export = DeviceExport.serve(device, pair.first(), ExportOptions.DEFAULT);
    return new Served(new VfioUserBackend().open(device.name(), pair.second()), export, device);
  }

  private record Served(PciDevice client, DeviceExport export, PciDevice device)
      implements PciDevice {
    @Override
    public DeviceName name() {
      return client.name();
    }

    @Override
    public ConfigSpace config() {
      return client.config();
    }

    @Override
    public Optional<Bar> bar(int index) {
      return client.bar(index);
    }

    @Override
    public DmaSpace dma() {
      return client.dma();
    }

    @Override
    public Interrupts interrupts() {
      return client.interrupts();
    }

    @Override
    public void busMaster(boolean on) {
      client.busMaster(on);
    }

    @Override
    public void reset() {
      client.reset();
    }

    @Override
    public void onDetach(DetachListener listener) {
      client.onDetach(listener);
    }

    @Override
    public Usage usage() {
      return client.usage();
    }

    @Override
    public void close() {
      client.close();
      export.close();
      device.close();
    }
  }
}
