package org.gatun.broker.service.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.gatun.broker.DeviceRequest;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaDirection;
import org.gatun.simulated.EduModel;
import org.gatun.simulated.HardwareConfig;
import org.gatun.simulated.IommuFault;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.SpecimenModel;
import org.junit.jupiter.api.Test;

/** The escape suite on the simulated bus. */
class EscapeTest extends EscapeSuite {
  private static final int PAGE = 4096;

  private final SimulatedBus bus = SimulatedBus.realTime();
  private final DeviceName specimen = bus.plug("specimen", new SpecimenModel());

  @Override
  protected GuestRun open(Path temporary) throws Exception {
    GuestRun guests = new GuestRun(temporary, bus);
    guests.seize(specimen);
    return guests;
  }

  @Override
  protected void closeBackend() {
    bus.close();
  }

  @Override
  protected DeviceName edu(String whose) {
    return bus.plug(whose, new EduModel());
  }

  @Override
  protected byte[] config(DeviceName device) {
    HardwareConfig hardware = bus.hardware(device);
    byte[] config = new byte[hardware.size()];
    for (int i = 0; i < config.length; i++) {
      config[i] = (byte) hardware.read8(i);
    }
    return config;
  }

  @Override
  protected Refusals watch(DeviceName device) {
    long before = bus.iommu().faultCount();
    return busAddress -> {
      assertThat(bus.iommu().faultCount()).isGreaterThanOrEqualTo(before + 2 * 7);
      assertThat(bus.iommu().faults())
          .filteredOn(fault -> fault.device().equals(device) && fault.busAddress() == busAddress)
          .extracting(IommuFault::direction)
          .contains(DmaDirection.TO_DEVICE, DmaDirection.FROM_DEVICE);
    };
  }

  @Override
  protected List<String> choose(List<String> cases) {
    return cases;
  }

  @Test
  void aMappingIsNoWayToTheRestOfABar() throws Exception {
    DeviceRequest onePage =
        DeviceRequest.of(specimen)
            .withBars(
                Map.of(
                    SpecimenModel.REGISTERS, List.of(),
                    SpecimenModel.SMALL, List.of(),
                    SpecimenModel.PORTS, List.of(),
                    SpecimenModel.MEMORY, List.of(new DeviceRequest.BarPart(0, PAGE))));
    assertThat(outcomes(onePage, "map grow BAR_2", "map copy BAR_2", "map shift BAR_2"))
        .allSatisfy(outcome -> assertThat(outcome).isEqualTo("result -1"));
    for (int offset = PAGE; offset < SpecimenModel.MEMORY_SIZE; offset += PAGE) {
      assertThat(bus.peek(specimen, SpecimenModel.MEMORY, offset, 8)).isZero();
    }
    // What is its own it may do with as it likes.
    assertThat(outcomes(onePage, "map execute BAR_2", "map punch BAR_2", "map punch gatun_DMA"))
        .containsOnly("result 0");
  }
}
