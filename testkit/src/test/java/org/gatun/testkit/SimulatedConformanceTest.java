package org.gatun.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.IntStream;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.EduModel;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.SimulatedBus;
import org.junit.jupiter.api.AfterEach;

class SimulatedConformanceTest extends PciConformanceContract {
  private final SimulatedBus bus = SimulatedBus.virtualTime();

  @AfterEach
  void closeBus() {
    bus.close();
  }

  @Override
  protected PciDevice nvme() {
    return bus.open(bus.plug("nvme", new NvmeModel()));
  }

  /** Each slot's pin goes to another one of four lines. */
  @Override
  protected List<PciDevice> edus() {
    List<DeviceName> names =
        IntStream.range(0, 5).mapToObj(i -> bus.plug("edu" + i, new EduModel())).toList();
    assertThat(bus.interruptLine(names.getFirst()).orElseThrow().sharing())
        .contains(names.getLast());
    return List.of(bus.open(names.getFirst()), bus.open(names.getLast()));
  }

  @Override
  protected TimeSource time() {
    return bus.time();
  }
}
