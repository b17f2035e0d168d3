package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.function.Consumer;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBus;
import org.gatun.testkit.DeviceRoute;

/** A scripted controller on a bus in virtual time, opened; what the driver leaks fails the test. */
final class Rig implements AutoCloseable {
  final ScriptedNvme model = new ScriptedNvme();
  final SimulatedBus bus = DeviceRoute.newBus();
  final PciDevice device;
  NvmeOptions options =
      NvmeOptions.defaults()
          .withTime(bus.time())
          .withQueueDepth(8)
          .withCommandTimeout(DeviceRoute.patience(Duration.ofMillis(20)));

  Rig() {
    this(model -> {});
  }

  /** With one namespace of 8 MiB in blocks of 512 bytes, unless the preparation adds its own. */
  Rig(Consumer<ScriptedNvme> prepare) {
    prepare.accept(model);
    if (model.namespaces.isEmpty()) {
      model.addNamespace(1, 16384, 9, 0);
    }
    device = DeviceRoute.chosenInStep(bus.open(bus.plug("nvme", model)));
  }

  NvmeController open() {
    return NvmeController.open(device, options);
  }

  DmaBuffer allocate(long size) {
    return device.dma().allocate(size, 4096);
  }

  /** Polls until nothing is in flight. */
  void drain(NvmeQueuePair queue) {
    queue.ring();
    while (queue.inFlight() > 0) {
      if (queue.poll() == 0) {
        bus.time().spin();
      }
    }
  }

  @Override
  public void close() {
    PciDevice.Usage left = device.usage();
    device.close();
    bus.close();
    assertThat(left).isEqualTo(PciDevice.Usage.NONE);
    assertThat(bus.iommu().faults()).isEmpty();
  }
}
