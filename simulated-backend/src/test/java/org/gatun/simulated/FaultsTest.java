package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Event;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.Vector;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.simulated.fault.Chaos;
import org.gatun.simulated.fault.Effect;
import org.gatun.simulated.fault.Fault;
import org.gatun.simulated.fault.Faults;
import org.gatun.simulated.fault.Point;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Each effect at each point where there is it, on a device that does what the test says. */
@NullMarked
class FaultsTest {
  private static final Duration MILLI = Duration.ofMillis(1);
  private static final Duration TRAINING = Duration.ofMillis(10);

  private final Faults faults = new Faults();
  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final ProbeModel model = new ProbeModel();
  private final DeviceName name = bus.plug("probe", faults.on(model));
  private final ProbeModel.Running probe = model.running();
  private final PciDevice device = bus.open(name);
  private final Mmio registers = device.bar(0).orElseThrow().map(0, 0x1000);
  private final MemorySegment local = Arena.ofAuto().allocate(64, 8);

  @AfterEach
  void close() {
    bus.close();
  }

  @Test
  void aRegisterReadsWrongly() {
    registers.write32(8, 0x1234);
    registers.write32(0x10, 0x77);
    faults.add(Fault.at(Point.REGISTER_READ, new Effect.Lose()).matching(Fault.register(0, 8)));
    assertThat(registers.read32(8)).isEqualTo(-1);
    assertThat(registers.read32(0x10)).isEqualTo(0x77);
    faults.clear();
    faults.add(Fault.at(Point.REGISTER_READ, new Effect.Force(0xff00, 0xab00)));
    assertThat(registers.read32(8)).isEqualTo(0xab34);
    faults.clear();
    faults.add(Fault.at(Point.REGISTER_READ, new Effect.Flip(1)).after(2).times(1));
    assertThat(Stream.generate(() -> registers.read32(8)).limit(4))
        .containsExactly(0x1234, 0x1234, 0x1235, 0x1234);
    faults.clear();
    assertThat(registers.read32(8)).isEqualTo(0x1234);
  }

  @Test
  void aWriteIsLostOrChanged() {
    faults.add(Fault.at(Point.REGISTER_WRITE, new Effect.Lose()).matching(0, 0x8));
    registers.write32(0x10, 1);
    registers.write32(0x8, 2);
    assertThat(registers.read32(0x10)).isZero();
    assertThat(registers.read32(0x8)).isEqualTo(2);
    faults.clear();
    faults.add(Fault.at(Point.REGISTER_WRITE, new Effect.Flip(0xf0)));
    registers.write32(0x8, 0x0f);
    assertThat(registers.read32(0x8)).isEqualTo(0xff);
  }

  @Test
  void interruptsAreLostLateManyOrUnasked() {
    device.busMaster(true);
    List<Vector> vectors = device.interrupts().enable(Interrupts.Kind.MSIX, 2);
    List<Integer> events = new ArrayList<>();
    vectors
        .get(1)
        .connect(
            new Event() {
              @Override
              public void signal() {
                events.add(1);
              }

              @Override
              public <T> Optional<T> unwrap(Class<T> exactType) {
                return Optional.empty();
              }
            });
    faults.add(Fault.at(Point.INTERRUPT, new Effect.Lose()).matching(0));
    signal(0);
    assertThat(vectors.getFirst().poll()).isFalse();

    faults.clear();
    faults.add(Fault.at(Point.INTERRUPT, new Effect.Delay(MILLI)));
    signal(0);
    assertThat(vectors.getFirst().poll()).isFalse();
    long before = bus.time().nanoTime();
    assertThat(vectors.getFirst().await(MILLI.multipliedBy(2))).isTrue();
    assertThat(bus.time().nanoTime() - before).isEqualTo(MILLI.toNanos());

    faults.clear();
    faults.add(Fault.at(Point.INTERRUPT, new Effect.Repeat(2)).times(1));
    signal(1);
    signal(1);
    assertThat(events).as("a storm comes together").hasSize(2);

    faults.clear();
    faults.add(Fault.at(Point.REGISTER_WRITE, new Effect.Interrupt(0)).times(1));
    registers.write32(0, 1);
    assertThat(vectors.getFirst().poll()).isTrue();
    registers.write32(0, 1);
    assertThat(vectors.getFirst().poll()).isFalse();
  }

  /** PCI Local Bus Specification 3.0, 2.2.6: it is a level. */
  @Test
  void aLatePinShowsTheLevelOfThen() {
    ModelContext context = probe.context;
    faults.add(Fault.at(Point.INTERRUPT, new Effect.Delay(MILLI)));
    context.setInterruptLine(true);
    assertThat(isAsserted()).isFalse();
    bus.time().sleep(MILLI);
    assertThat(isAsserted()).isTrue();
    context.setInterruptLine(false);
    assertThat(isAsserted()).isFalse();

    context.setInterruptLine(true);
    context.setInterruptLine(false);
    bus.time().sleep(MILLI);
    assertThat(isAsserted()).as("acknowledged before it arrived").isFalse();

    context.setInterruptLine(true);
    device.reset();
    bus.time().sleep(MILLI);
    assertThat(isAsserted()).as("before a reset").isFalse();

    context.setInterruptLine(true);
    device.reset();
    faults.clear();
    context.setInterruptLine(true);
    assertThat(isAsserted()).isTrue();
  }

  private boolean isAsserted() {
    return bus.interruptLine(name).orElseThrow().isAsserted();
  }

  @Test
  void noMessageOfBeforeAResetArrives() {
    device.busMaster(true);
    device.interrupts().enable(Interrupts.Kind.MSIX, 1);
    faults.add(Fault.at(Point.INTERRUPT, new Effect.Delay(MILLI)));
    signal(0);
    device.reset();
    device.busMaster(true);
    Vector vector = device.interrupts().enable(Interrupts.Kind.MSIX, 1).getFirst();
    bus.time().sleep(MILLI);
    assertThat(vector.poll()).isFalse();
    signal(0);
    bus.time().sleep(MILLI);
    assertThat(vector.poll()).isTrue();
  }

  /** While there are messages, the pin is none of them. */
  @Test
  void aPinThatDoesNotCountDoesNotGoWrong() {
    device.busMaster(true);
    Vector vector = device.interrupts().enable(Interrupts.Kind.MSIX, 1).getFirst();
    faults.add(Fault.at(Point.INTERRUPT, new Effect.Lose()).times(1));
    probe.context.setInterruptLine(true);
    signal(0);
    assertThat(vector.poll()).as("the one that is lost").isFalse();
    device.interrupts().disable();
    assertThat(isAsserted()).isTrue();
  }

  @Test
  void whatComesAfterAgesDoesNotComeNow() {
    bus.time().sleep(MILLI);
    for (Duration ages : List.of(Duration.ofNanos(Long.MAX_VALUE), Duration.ofDays(200_000))) {
      faults.add(Fault.at(Point.INTERRUPT, new Effect.Delay(ages)));
      probe.context.setInterruptLine(true);
      faults.clear();
      faults.add(Fault.at(Point.REGISTER_READ, new Effect.LinkDown(ages)).times(1));
      registers.read32(0);
      bus.time().sleep(MILLI);
      assertThat(isAsserted()).isFalse();
      assertThat(registers.read32(0)).isEqualTo(-1);
    }
  }

  private void signal(int vector) {
    probe.context.signal(vector);
    probe.context.signalEvents();
  }

  @Test
  void dmaIsRefusedOrChanged() {
    device.busMaster(true);
    DmaBuffer buffer = device.dma().allocate(4096, 4096);
    buffer.putLongRelease(0, 5);
    buffer.putLongRelease(8, 6);
    long address = buffer.busAddress();
    faults.add(Fault.at(Point.DMA_READ, new Effect.Lose()).matching(address));
    assertThat(probe.port.read(address, local, 0, 16)).isFalse();
    assertThat(probe.port.readLong(address, 99)).isEqualTo(99);
    assertThat(bus.iommu().faults())
        .extracting(IommuFault::busAddress)
        .containsExactly(address, address);
    faults.clear();
    faults.add(Fault.at(Point.DMA_READ, new Effect.Flip(2)));
    assertThat(probe.port.read(address, local, 0, 16)).isTrue();
    assertThat(local.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(7);
    assertThat(local.get(ValueLayout.JAVA_LONG, 8)).isEqualTo(6);
    assertThat(probe.port.readLong(address)).isEqualTo(7);
    buffer.putLongRelease(0, 99);
    assertThat(probe.port.readLong(address, 99)).isEqualTo(97);
    local.fill((byte) 0x5a);
    assertThat(probe.port.read(0x7000_0000L, local, 0, 16)).isFalse();
    assertThat(local.get(ValueLayout.JAVA_LONG, 0)).as("refused").isEqualTo(0x5a5a5a5a5a5a5a5aL);
    assertThat(probe.port.readLong(0x7000_0000L, 99)).isEqualTo(99);
    faults.clear();
    faults.add(Fault.at(Point.DMA_WRITE, new Effect.Flip(-1L)).times(1));
    faults.add(Fault.at(Point.DMA_WRITE, new Effect.Lose()));
    assertThat(probe.port.writeLong(address, 0)).as("the first that matches").isTrue();
    assertThat(probe.port.writeLong(address, 1)).as("the first has ended").isFalse();
    assertThat(buffer.getLongAcquire(0)).isEqualTo(-1);
    faults.remove(faults.active().getLast());
    assertThat(probe.port.writeLong(address, 2)).isTrue();
    assertThat(buffer.getLongAcquire(0)).isEqualTo(2);
  }

  @Test
  void theLinkGoesDownInTheMiddleOfAWriteAndComesUpReset() {
    device.busMaster(true);
    DmaBuffer buffer = device.dma().allocate(4096, 4096);
    local.fill((byte) 1);
    int resets = probe.resets.get();
    faults.add(Fault.at(Point.DMA_WRITE, new Effect.LinkDown(MILLI)).times(1));
    assertThat(probe.port.write(buffer.busAddress(), local, 0, 16)).isFalse();
    assertThat(buffer.getLongAcquire(0)).isEqualTo(0x0101010101010101L);
    assertThat(buffer.getLongAcquire(8)).isZero();

    assertThat(registers.read32(0)).isEqualTo(-1);
    assertThat(device.config().read16(ConfigRegisters.VENDOR_ID)).isEqualTo(0xffff);
    device.config().write16(ConfigRegisters.COMMAND, 0);
    assertThat(probe.port.writeLong(buffer.busAddress(), 2)).isFalse();
    assertThat(probe.port.read(buffer.busAddress(), local, 0, 16)).isFalse();

    bus.time().sleep(MILLI);
    assertThat(device.config().read16(ConfigRegisters.VENDOR_ID)).as("trained").isEqualTo(0xffff);
    bus.time().sleep(TRAINING);
    assertThat(device.id().vendor()).isEqualTo(0x1234);
    assertThat(registers.read32(0)).isZero();
    assertThat(probe.resets.get()).isEqualTo(resets + 1);
    assertThat(device.config().read16(ConfigRegisters.COMMAND) & ConfigRegisters.COMMAND_BUS_MASTER)
        .isZero();
  }

  @Test
  void itIsPulledOutInTheMiddleOfAWrite() {
    device.busMaster(true);
    DmaBuffer buffer = device.dma().allocate(4096, 4096);
    List<String> heard = new ArrayList<>();
    device.onDetach(
        new DetachListener() {
          @Override
          public void requested(Duration deadline) {
            heard.add("requested");
          }

          @Override
          public void gone(String cause) {
            heard.add("gone");
          }
        });
    faults.add(Fault.at(Point.DMA_WRITE, new Effect.Remove()));
    assertThat(probe.port.write(buffer.busAddress(), local, 0, 16)).isFalse();
    assertThat(registers.read32(0)).as("before anybody has heard of it").isEqualTo(-1);
    assertThat(heard).isEmpty();

    bus.time().spin();
    assertThat(heard).containsExactly("gone");
    assertThatThrownBy(() -> registers.read32(0)).isInstanceOf(DeviceGoneException.class);
    assertThat(bus.scan()).isEmpty();
    assertThat(probe.closed).isTrue();
    bus.plug("probe", new ProbeModel());
  }

  @Test
  void aResetIsStuck() {
    registers.write32(0, 1);
    int resets = probe.resets.get();
    faults.add(Fault.at(Point.RESET, new Effect.Lose()).times(1));
    device.reset();
    assertThat(probe.resets.get()).isEqualTo(resets);
    device.reset();
    assertThat(probe.resets.get()).isEqualTo(resets + 1);
  }

  @Test
  void whatMakesNoSenseIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Fault.at(Point.RESET, new Effect.Flip(1)))
        .withMessageContaining("not possible at RESET");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Fault.at(Point.DMA_READ, new Effect.Delay(MILLI)));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Fault.at(Point.RESET, new Effect.Lose()).times(0));
    assertThatIllegalArgumentException().isThrownBy(() -> new Effect.Repeat(0));
    assertThatIllegalArgumentException().isThrownBy(() -> new Effect.LinkDown(Duration.ZERO));
    assertThatIllegalArgumentException().isThrownBy(() -> new Effect.Delay(MILLI.negated()));
  }

  @Test
  void chaosIsTheSameForTheSameSeed() {
    assertThat(made(7)).isEqualTo(made(7)).isNotEqualTo(made(8));
    assertThat(made(7)).extracting(Fault::point).contains(Point.values());
    assertThat(made(7).stream().map(f -> (Object) f.effect().getClass()).toList())
        .contains((Object[]) Effect.class.getPermittedSubclasses());
  }

  private static List<Fault> made(long seed) {
    Chaos chaos = new Chaos(seed);
    return Stream.generate(chaos::next).limit(1_000).toList();
  }
}
