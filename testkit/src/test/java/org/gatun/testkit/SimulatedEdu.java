package org.gatun.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.Event;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.IommuFault;
import org.gatun.simulated.SimulatedBus;
import org.junit.jupiter.api.AfterEach;

/** The suite of edu on a bus of some time. */
abstract class SimulatedEdu extends EduDeviceContract {
  private final SimulatedBus bus;

  SimulatedEdu(SimulatedBus bus) {
    this.bus = bus;
    bus.plug("edu");
  }

  @AfterEach
  final void closeBus() {
    bus.close();
  }

  @Override
  protected PciDevice open() {
    return bus.open(bus.scan().getFirst().name());
  }

  @Override
  protected TimeSource time() {
    return bus.time();
  }

  @Override
  protected void refused(long busAddress, DmaDirection direction) {
    IommuFault newest = bus.iommu().faults().getLast();
    assertThat(newest.device()).isEqualTo(device().name());
    assertThat(newest.busAddress()).isEqualTo(busAddress);
    assertThat(newest.direction()).isEqualTo(direction);
  }

  @Override
  protected EventProbe newEvent() {
    Flag flag = new Flag();
    return new EventProbe() {
      @Override
      public Event event() {
        return flag;
      }

      @Override
      public boolean await(Duration limit) {
        return time().await(() -> flag.set.getAndSet(false), limit, Duration.ofMillis(1));
      }

      @Override
      public void close() {}
    };
  }

  private static final class Flag implements Event {
    final AtomicBoolean set = new AtomicBoolean();

    @Override
    public void signal() {
      set.set(true);
    }

    @Override
    public <T> Optional<T> unwrap(Class<T> exactType) {
      return Optional.empty();
    }
  }
}
