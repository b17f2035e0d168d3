package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import org.gatun.pci.Event;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.Mmio;
import org.gatun.pci.Vector;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.spi.SeizedDevice;
import org.gatun.specs.edu.EduRegisters;
import org.gatun.specs.nvme.AdminOpcode;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A driver's event that does not return keeps the thread that signals it, and nobody else. */
@NullMarked
class BlockingEventTest {
  private static final Duration GENEROUS = Duration.ofSeconds(60);

  private final SimulatedBus bus = SimulatedBus.realTime();
  private final BlockingEvent event = new BlockingEvent();
  private final List<Thread> drivers = new ArrayList<>();

  @AfterEach
  void close() throws InterruptedException {
    event.end.countDown();
    for (Thread driver : drivers) {
      driver.join();
    }
    bus.close();
  }

  @Test
  void whichARegisterWriteSignals() {
    SeizedDevice device = seize("specimen", new SpecimenModel());
    Mmio registers = device.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100);
    enable(device, Kind.MSIX).connect(event);

    assertBlockedByNobody(device, () -> registers.write32(SpecimenModel.INTERRUPT, 0));
  }

  @Test
  void whichThePinSignals() {
    SeizedDevice device = seize("specimen", new SpecimenModel());
    Mmio registers = device.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100);
    enable(device, Kind.INTX).connect(event);

    assertBlockedByNobody(device, () -> registers.write32(SpecimenModel.INTERRUPT, 0));
  }

  @Test
  void whichSignalsWhatWasPendingWhenItIsConnected() {
    SeizedDevice device = seize("specimen", new SpecimenModel());
    Vector vector = enable(device, Kind.MSIX);
    raise(device);

    assertBlockedByNobody(device, () -> vector.connect(event));
  }

  @Test
  void whichUnmaskingSignals() {
    SeizedDevice device = seize("specimen", new SpecimenModel());
    Vector vector = enable(device, Kind.MSIX);
    vector.connect(event);
    vector.mask(true);
    raise(device);

    assertBlockedByNobody(device, () -> vector.mask(false));
  }

  @Test
  void whichUnmaskingInTheTableSignals() {
    SeizedDevice device = seize("specimen", new SpecimenModel());
    enable(device, Kind.MSIX).connect(event);
    Mmio entry =
        device.bar(SpecimenModel.REGISTERS).orElseThrow().map(SpecimenModel.MSIX_TABLE, 16);
    entry.write32(12, 1);
    raise(device);

    assertBlockedByNobody(device, () -> entry.write32(12, 0));
  }

  @Test
  void whichUnmaskingInConfigSpaceSignals() {
    SeizedDevice device = seize("specimen", new SpecimenModel());
    enable(device, Kind.MSI).connect(event);
    ConfigSpace config = device.config();
    int mask =
        Capabilities.walk(config).find(Capability.MSI).orElseThrow().offset()
            + SimulatedConfig.MSI_MASK;
    config.write32(mask, 1);
    raise(device);

    assertBlockedByNobody(device, () -> config.write32(mask, 0));
  }

  @Test
  void whichScheduledWorkSignals() {
    SeizedDevice device = seize("edu", new EduModel());
    Mmio registers = device.bar(EduRegisters.BAR).orElseThrow().map(0, EduRegisters.BAR_SIZE);
    enable(device, Kind.MSI).connect(event);
    registers.write32(EduRegisters.STATUS, EduRegisters.STATUS_RAISE_INTERRUPT);

    assertBlockedByNobody(device, () -> registers.write32(EduRegisters.FACTORIAL, 3));
  }

  /** The thread that looks at the doorbells is kept: the bus closes all the same. */
  @Test
  void whichASharedDoorbellSignals() {
    SeizedDevice device = seize("nvme", NvmeModel.builder().sharedDoorbells(true).build());
    RawNvme nvme = new RawNvme(device);
    nvme.enable();
    enable(device, Kind.MSIX).connect(event);

    assertBlockedByNobody(
        device,
        () -> {
          nvme.admin.put(AdminOpcode.ABORT, 0, 0, 0, 0, 0, 0);
          nvme.admin.ring();
        });
    assertTimeoutPreemptively(GENEROUS, bus::close);
  }

  private SeizedDevice seize(String name, DeviceModel model) {
    SeizedDevice device = bus.seize(bus.plug(name, model));
    device.decode(true);
    return device;
  }

  private static Vector enable(SeizedDevice device, Kind kind) {
    device.busMaster(true);
    return device.interrupts().enable(kind, 1).getFirst();
  }

  private static void raise(SeizedDevice device) {
    try (Mmio registers = device.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100)) {
      registers.write32(SpecimenModel.INTERRUPT, 0);
    }
  }

  /** A driver does something, in the course of which its event blocks; the device is taken back. */
  private void assertBlockedByNobody(SeizedDevice device, Runnable driver) {
    drivers.add(Thread.ofPlatform().daemon().start(driver));
    assertTimeoutPreemptively(
        GENEROUS,
        () -> {
          event.signalled.await();
          device.decode(false);
          device.busMaster(false);
          device.interrupts().disable();
          device.reset();
          assertThat(device.usage().vectors()).isZero();
          device.close();
        });
    assertThat(event.end.getCount()).as("the event is still blocked").isEqualTo(1);
  }

  private static final class BlockingEvent implements Event {
    final CountDownLatch signalled = new CountDownLatch(1);
    final CountDownLatch end = new CountDownLatch(1);

    @Override
    public void signal() {
      signalled.countDown();
      boolean interrupted = false;
      while (end.getCount() != 0) {
        try {
          end.await();
        } catch (InterruptedException _) {
          interrupted = true;
        }
      }
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }

    @Override
    public <T> Optional<T> unwrap(Class<T> exactType) {
      return Optional.empty();
    }
  }
}
