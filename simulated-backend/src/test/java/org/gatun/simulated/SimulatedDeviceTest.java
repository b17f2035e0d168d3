package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.gatun.pci.Bar;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Event;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.Vector;
import org.gatun.pci.config.BarRegister;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.simulated.fault.Effect;
import org.gatun.simulated.fault.Fault;
import org.gatun.simulated.fault.Faults;
import org.gatun.simulated.fault.Point;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@NullMarked
@Timeout(60)
class SimulatedDeviceTest {
  private final SimulatedBus bus = SimulatedBus.realTime();
  private final ProbeModel model = new ProbeModel();
  private final DeviceName name = bus.plug("probe", model);
  private final PciDevice device = bus.open(name);
  private final ProbeModel.Running hardware = model.running();

  @AfterEach
  void close() {
    bus.close();
    assertThat(hardware.closed).isTrue();
  }

  @Test
  void hasOneOwnerAtATime() {
    assertThatThrownBy(() -> bus.open(name))
        .isInstanceOf(DeviceUnavailableException.class)
        .hasMessageContaining("busy");
    assertThatThrownBy(() -> bus.open(DeviceName.parse("simulated:other")))
        .isInstanceOf(DeviceUnavailableException.class)
        .hasMessageContaining("simulated:probe");
    device.close();
    bus.open(name).close();
  }

  @Test
  void isFoundByAScan() {
    bus.plug("edu", new EduModel());
    assertThat(bus.scan())
        .extracting(f -> f.address().orElseThrow() + " " + f.name() + " " + f.id())
        .containsExactly(
            "0000:00:00.0 simulated:probe 1234:5678", "0000:00:01.0 simulated:edu 1234:11e8");
    assertThat(bus.scan()).extracting(FoundDevice::driver).containsOnly(Optional.empty());
    assertThatIllegalArgumentException().isThrownBy(() -> bus.plug("edu", new EduModel()));
  }

  @Test
  void configSpaceIsThatOfADevice() {
    ConfigSpace config = device.config();
    assertThat(Capabilities.walk(config).faults()).isEmpty();
    assertThat(Capabilities.walk(config).list())
        .extracting(Capability::id)
        .containsExactly(Capability.MSI, Capability.MSIX, Capability.PCI_EXPRESS);
    assertThat(device.id().subsystem()).isEqualTo(0xdef0);
    assertThat(device.pciClass().code()).isEqualTo(0x080000);
    assertThat(config.read8(ConfigRegisters.INTERRUPT_PIN)).isEqualTo(1);
    List<BarRegister> before = BarRegister.decode(config);
    assertThat(BarRegister.size(config))
        .extracting(BarRegister::index, BarRegister::wide, BarRegister::size)
        .containsExactly(tuple(0, false, 0x4000L), tuple(2, true, 0x4000L));
    assertThat(BarRegister.decode(config)).isEqualTo(before);
    assertThat(before).allMatch(b -> b.address() != 0 && b.address() % 0x4000 == 0);
  }

  @Test
  void onlyWhatHardwareLetsWriteCanBeWritten() {
    ConfigSpace config = device.config();
    int writable = 0;
    for (int offset = 0; offset < config.size(); offset += 4) {
      int before = config.read32(offset);
      config.write32(offset, ~before);
      writable += Integer.bitCount(config.read32(offset) ^ before);
      config.write32(offset, before);
      assertThat(config.read32(offset)).as("offset %x", offset).isEqualTo(before);
    }
    // Command 11, cache line 8, latency timer 8, BAR 0 18, BAR 2 50, interrupt line 8,
    // MSI 4 + 30 + 32 + 16, MSI-X 2, Link Control 7, Device Control 2 11, Link Control 2 16. Device
    // Control is as before: its bit 15 is a reset.
    assertThat(writable).isEqualTo(11 + 8 + 8 + 18 + 50 + 8 + 82 + 2 + 7 + 11 + 16);
    assertThat(config.read16(ConfigRegisters.VENDOR_ID)).isEqualTo(0x1234);
  }

  @Test
  void configAccessesOfEachWidthAgree() {
    ConfigSpace config = device.config();
    config.write8(ConfigRegisters.INTERRUPT_LINE, 0x5a);
    assertThat(config.read32(ConfigRegisters.INTERRUPT_LINE)).isEqualTo(0x015a);
    assertThat(config.read16(ConfigRegisters.DEVICE_ID)).isEqualTo(0x5678);
    assertThat(config.read8(ConfigRegisters.DEVICE_ID + 1)).isEqualTo(0x56);
    assertThatIllegalArgumentException().isThrownBy(() -> config.read(1, 2));
    assertThatIllegalArgumentException().isThrownBy(() -> config.read(4096, 1));
  }

  @Test
  void trappedAccessesReachTheModelInEachWidth() {
    Mmio mmio = bar(0).map(8, 0x100);
    mmio.write64(0, 0x1122334455667788L);
    assertThat(hardware.registers[1]).isEqualTo(0x1122334455667788L);
    assertThat(mmio.read64(0)).isEqualTo(0x1122334455667788L);
    assertThat(mmio.read32(4)).isEqualTo(0x11223344);
    assertThat(mmio.read16(2)).isEqualTo(0x5566);
    assertThat(mmio.read8(7)).isEqualTo(0x11);
  }

  @Test
  void withoutMemoryDecodeNobodyAnswers() {
    Mmio mmio = bar(0).map(0, 0x100);
    mmio.write32(0, 5);
    device.config().write16(ConfigRegisters.COMMAND, 0);
    assertThat(mmio.read32(0)).isEqualTo(-1);
    mmio.write32(0, 6);
    device.config().write16(ConfigRegisters.COMMAND, ConfigRegisters.COMMAND_MEMORY);
    assertThat(mmio.read32(0)).isEqualTo(5);
  }

  @Test
  void directRangesAreMemorySharedWithTheModel() {
    Bar bar = bar(2);
    assertThat(bar.prefetchable()).isTrue();
    Mmio one = bar.map(0x1000, 0x3000);
    Mmio two = bar.map(0x1804, 8);
    assertThat(one.isDirect()).isTrue();
    assertThat(bar.map(0, 0x1000).isDirect()).isFalse();

    two.write32(0, 77);
    assertThat(one.read32(0x804)).isEqualTo(77);
    var shared = hardware.context.sharedMemory(2, 0x1000);
    assertThat(shared.get(ValueLayout.JAVA_INT, 0x804)).isEqualTo(77);

    two.close();
    assertThatThrownBy(() -> two.read32(0)).isInstanceOf(DeviceGoneException.class);
    assertThat(one.read32(0x804)).as("the other mapping lives").isEqualTo(77);
    assertThat(device.usage().mappings()).isEqualTo(2);
  }

  @Test
  void refusesMappingsThatAreNotInOneRange() {
    Bar bar = bar(2);
    for (long[] part :
        new long[][] {{0xffc, 8}, {0, 0x4000}, {0x3000, 0x2000}, {-4, 4}, {2, 4}, {0, 2}, {0, 0}}) {
      assertThatIllegalArgumentException().isThrownBy(() -> bar.map(part[0], part[1]));
    }
    assertThatIllegalArgumentException().isThrownBy(bar::ports);
    assertThatIllegalArgumentException().isThrownBy(() -> device.bar(6));
    assertThat(device.bar(1)).isEmpty();
    assertThat(device.bar(3)).as("the high half").isEmpty();
    assertThat(bar.share(bar.ranges().getFirst())).isEmpty();
  }

  @Test
  void msixMasksKeepInterruptsPending() {
    device.busMaster(true);
    Mmio table = bar(0).map(ProbeModel.TABLE, 70 * 16);
    Mmio pending = bar(0).map(ProbeModel.PENDING, 16);
    List<Vector> vectors = device.interrupts().enable(Interrupts.Kind.MSIX, 66);
    Vector last = vectors.get(65);
    assertThat(table.read32(65 * 16 + 12)).isZero();
    assertThat(table.read32(66 * 16 + 12)).as("not enabled").isEqualTo(1);

    last.mask(true);
    hardware.context.signal(65);
    assertThat(last.poll()).isFalse();
    assertThat(pending.read64(8)).isEqualTo(2);
    assertThat(table.read64(65 * 16 + 8)).isEqualTo(1L << 32);
    table.write32(65 * 16 + 12, 0);
    assertThat(last.poll()).isTrue();
    assertThat(pending.read64(8)).isZero();

    hardware.context.signal(-1);
    hardware.context.signal(70);
    hardware.context.signal(66);
    assertThat(vectors).noneMatch(Vector::poll);
    assertThat(device.usage().vectors()).isEqualTo(66);
  }

  /** PCI Express Base Specification 5.0, 7.5.1.1.3: Bus Master Enable. */
  @Test
  void whatIsPendingWaitsForBusMaster() {
    device.busMaster(true);
    Vector vector = device.interrupts().enable(Interrupts.Kind.MSIX, 1).getFirst();
    vector.mask(true);
    hardware.context.signal(0);
    device.busMaster(false);

    vector.mask(false);
    assertThat(vector.poll()).isFalse();
    hardware.context.link().down();
    device.busMaster(true);
    assertThat(vector.poll()).as("its link is down").isFalse();
    assertThat(bus.iommu().faultCount()).isZero();
  }

  @Test
  void aVectorThatWaitedForBusMasterComesWithIt() {
    device.busMaster(true);
    Vector vector = device.interrupts().enable(Interrupts.Kind.MSIX, 1).getFirst();
    vector.mask(true);
    hardware.context.signal(0);
    device.busMaster(false);
    vector.mask(false);
    device.busMaster(true);

    assertThat(vector.poll()).isTrue();
    assertThat(vector.poll()).isFalse();
  }

  @Test
  void whatItsLastOwnerLeftIsGoneWhenItIsOpened() {
    Faults faults = new Faults();
    ProbeModel model = new ProbeModel();
    DeviceName name = bus.plug("left", faults.on(model));
    PciDevice first = bus.open(name);
    faults.add(Fault.at(Point.RESET, new Effect.Lose()).times(1));
    first.close();
    int resets = model.running().resets.get();

    bus.open(name).close();
    assertThat(model.running().resets).as("by open, and by close").hasValue(resets + 2);
  }

  @Test
  void msiUsesTheLowBitsOfTheVector() {
    device.busMaster(true);
    List<Vector> vectors = device.interrupts().enable(Interrupts.Kind.MSI, 4);
    hardware.context.signal(6);
    assertThat(vectors.get(2).poll()).isTrue();
    device.interrupts().disable();
    vectors = device.interrupts().enable(Interrupts.Kind.MSI, 3);
    hardware.context.signal(1);
    assertThat(vectors.get(1).poll()).isTrue();
  }

  @Test
  void interruptsCoalesceAndOneKindIsEnabledAtATime() {
    device.busMaster(true);
    Vector vector = device.interrupts().enable(Interrupts.Kind.MSI, 1).getFirst();
    hardware.context.signal(0);
    hardware.context.signal(0);
    assertThat(vector.await(Duration.ZERO)).isTrue();
    assertThat(vector.await(Duration.ZERO)).isFalse();
    assertThatIllegalStateException()
        .isThrownBy(() -> device.interrupts().enable(Interrupts.Kind.INTX, 1));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> device.interrupts().enable(Interrupts.Kind.MSIX, 71));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> device.interrupts().enable(Interrupts.Kind.MSI, 0));
    device.interrupts().disable();
    device.interrupts().disable();
    assertThat(device.usage().vectors()).isZero();
    device.interrupts().enable(Interrupts.Kind.INTX, 1);
  }

  @Test
  void aConnectedEventGetsWhatIsPendingAndAllThatComes() {
    device.busMaster(true);
    Vector vector = device.interrupts().enable(Interrupts.Kind.MSI, 1).getFirst();
    AtomicInteger signals = new AtomicInteger();
    hardware.context.signal(0);
    vector.connect(event(signals::incrementAndGet));
    assertThat(signals).hasValue(1);
    hardware.context.signal(0);
    hardware.context.signalEvents();
    assertThat(signals).hasValue(2);
    assertThatIllegalStateException().isThrownBy(vector::poll);
    assertThatIllegalStateException().isThrownBy(() -> vector.await(Duration.ZERO));
  }

  @Test
  void anEventThatFailsKeepsNoOtherFromItsInterrupt() {
    device.busMaster(true);
    List<Vector> vectors = device.interrupts().enable(Interrupts.Kind.MSIX, 2);
    List<String> heard = new ArrayList<>();
    vectors
        .get(0)
        .connect(
            event(
                () -> {
                  heard.add("first");
                  throw new IllegalStateException("for the test");
                }));
    vectors.get(1).connect(event(() -> heard.add("second")));
    hardware.context.signal(0);
    hardware.context.signal(1);
    hardware.context.signalEvents();
    assertThat(heard).containsExactly("first", "second");
  }

  @Test
  void whatIsDisabledBeforeItsEventIsSignalledIsLost() {
    device.busMaster(true);
    AtomicInteger signals = new AtomicInteger();
    device
        .interrupts()
        .enable(Interrupts.Kind.MSI, 1)
        .getFirst()
        .connect(event(signals::incrementAndGet));
    hardware.context.signal(0);
    device.interrupts().disable();
    Vector again = device.interrupts().enable(Interrupts.Kind.MSI, 1).getFirst();
    again.connect(event(signals::incrementAndGet));
    hardware.context.signalEvents();
    assertThat(signals).hasValue(0);
  }

  private static Event event(Runnable action) {
    return new Event() {
      @Override
      public void signal() {
        action.run();
      }

      @Override
      public <T> Optional<T> unwrap(Class<T> exactType) {
        return Optional.empty();
      }
    };
  }

  @Test
  void anInterruptWakesAWaiter() throws InterruptedException {
    device.busMaster(true);
    Vector vector = device.interrupts().enable(Interrupts.Kind.MSI, 1).getFirst();
    AtomicReference<Boolean> woken = new AtomicReference<>(false);
    Thread waiter =
        Thread.ofPlatform().start(() -> woken.set(vector.await(Duration.ofDays(1000 * 365))));
    awaitWaiting(waiter);
    hardware.context.signal(0);
    waiter.join();
    assertThat(woken).hasValue(true);
  }

  @Test
  void aWaiterHearsOfDisableResetAndClose() throws InterruptedException {
    List<Runnable> ends =
        List.of(() -> device.interrupts().disable(), device::reset, device::close);
    for (Runnable end : ends) {
      Vector vector = device.interrupts().enable(Interrupts.Kind.MSIX, 1).getFirst();
      AtomicReference<Throwable> thrown = new AtomicReference<>(new AssertionError());
      Thread waiter =
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      vector.await(Duration.ofHours(1));
                    } catch (RuntimeException e) {
                      thrown.set(e);
                    }
                  });
      awaitWaiting(waiter);
      end.run();
      waiter.join();
      assertThat(thrown.get()).isInstanceOf(DeviceGoneException.class);
      assertThatThrownBy(vector::poll).isInstanceOf(DeviceGoneException.class);
      assertThatThrownBy(() -> vector.mask(true)).isInstanceOf(DeviceGoneException.class);
    }
  }

  @Test
  void anInterruptedWaiterReturnsWithItsFlagSet() {
    Vector vector = device.interrupts().enable(Interrupts.Kind.MSIX, 1).getFirst();
    Thread.currentThread().interrupt();
    assertThat(vector.await(Duration.ofHours(1))).isFalse();
    assertThat(Thread.interrupted()).isTrue();
  }

  @Test
  void aResetKeepsMappingsAndBuffers() {
    Mmio mmio = bar(0).map(0, 0x100);
    DmaBuffer buffer = device.dma().allocate(4096, 4096);
    buffer.putInt(0, 5);
    device.busMaster(true);
    device.interrupts().enable(Interrupts.Kind.MSIX, 2);
    int resets = hardware.resets.get();

    device.reset();

    assertThat(hardware.resets).hasValue(resets + 1);
    assertThat(device.config().read16(ConfigRegisters.COMMAND))
        .isEqualTo(ConfigRegisters.COMMAND_MEMORY);
    assertThat(device.usage()).isEqualTo(new PciDevice.Usage(1, 1, 4096, 0));
    mmio.write32(0, 1);
    assertThat(buffer.getIntAcquire(0)).isEqualTo(5);
    device.busMaster(true);
    assertThat(hardware.port.readLong(buffer.busAddress())).isEqualTo(5);
  }

  @Test
  void closeGivesAllBack() {
    Mmio trapped = bar(0).map(0, 0x100);
    Mmio direct = bar(2).map(0x1000, 0x100);
    DmaBuffer buffer = device.dma().allocate(4096, 4096);
    Vector vector = device.interrupts().enable(Interrupts.Kind.INTX, 1).getFirst();
    Bar bar = bar(0);
    var dma = device.dma();
    var interrupts = device.interrupts();
    ConfigSpace config = device.config();
    device.busMaster(true);
    long address = buffer.busAddress();

    device.close();
    device.close();

    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
    assertThat(device.name()).isEqualTo(name);
    List<ThrowingCallable> uses = new ArrayList<>();
    uses.add(() -> trapped.read32(0));
    uses.add(() -> direct.write32(0, 0));
    uses.add(() -> buffer.getIntAcquire(0));
    uses.add(vector::poll);
    uses.add(() -> bar.map(0, 4));
    uses.add(() -> dma.allocate(1, 1));
    uses.add(() -> interrupts.enable(Interrupts.Kind.INTX, 1));
    uses.add(() -> config.read32(0));
    uses.add(() -> config.write32(4, 0));
    uses.add(device::config);
    uses.add(device::dma);
    uses.add(device::interrupts);
    uses.add(() -> device.bar(0));
    uses.add(() -> device.busMaster(true));
    uses.add(device::reset);
    for (ThrowingCallable use : uses) {
      assertThatThrownBy(use)
          .isInstanceOf(DeviceGoneException.class)
          .hasMessageContaining("simulated:probe");
    }
    try (PciDevice next = bus.open(name)) {
      next.busMaster(true);
      assertThat(hardware.port.readLong(address)).as("the mapping is gone").isZero();
      assertThat(bus.iommu().faults()).hasSize(1);
    }
  }

  @Test
  void closingFromManyThreadsWaitsForTheFirst() throws InterruptedException {
    for (int i = 0; i < 100; i++) {
      device.dma().allocate(4096, 4096);
    }
    AtomicInteger leftOver = new AtomicInteger();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      threads.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    device.close();
                    leftOver.addAndGet(device.usage().buffers());
                  }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(leftOver).hasValue(0);
  }

  @Test
  void unpluggingTellsTheOwner() {
    Mmio mmio = bar(0).map(0, 0x100);
    DmaBuffer buffer = device.dma().allocate(4096, 4096);
    Vector vector = device.interrupts().enable(Interrupts.Kind.MSIX, 1).getFirst();
    List<String> heard = new ArrayList<>();
    device.onDetach(
        new DetachListener() {
          @Override
          public void requested(Duration deadline) {
            heard.add("requested");
          }

          @Override
          public void gone(String cause) {
            heard.add("gone: " + cause);
          }
        });

    bus.unplug(name);

    assertThat(heard).containsExactly("gone: it was unplugged");
    assertThat(hardware.closed).isTrue();
    assertThatThrownBy(() -> mmio.read32(0)).isInstanceOf(DeviceGoneException.class);
    assertThatThrownBy(vector::poll).isInstanceOf(DeviceGoneException.class);
    assertThatThrownBy(device::reset).isInstanceOf(DeviceGoneException.class);
    assertThat(buffer.getIntAcquire(0)).as("memory stays until close").isZero();
    assertThat(bus.scan()).isEmpty();
    device.close();
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
    assertThatIllegalArgumentException().isThrownBy(() -> bus.unplug(name));
  }

  @Test
  void closingTheBusClosesDevices() {
    Mmio mmio = bar(0).map(0, 0x100);
    bus.close();
    bus.close();
    assertThatThrownBy(() -> mmio.read32(0)).isInstanceOf(DeviceGoneException.class);
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
    assertThatIllegalStateException().isThrownBy(() -> bus.plug("more", new EduModel()));
  }

  private Bar bar(int index) {
    return device.bar(index).orElseThrow();
  }

  private static void awaitWaiting(Thread thread) {
    while (thread.getState() != Thread.State.TIMED_WAITING) {
      Thread.onSpinWait();
    }
  }
}
