package org.gatun.vfio.common;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.gatun.nativeaccess.Access;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.HeldFds;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.Event;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.PciException;
import org.gatun.pci.Vector;
import org.gatun.pci.config.ConfigSpace;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Interrupts over a kernel that keeps a list. */
class VfioInterruptsTest {
  private static final DeviceName DEVICE = new DeviceName("vfio", "0000:01:00.0");

  private static final Duration GENEROUS = Duration.ofSeconds(60);

  private final FakeIrqs irqs = new FakeIrqs();
  private final VfioInterrupts interrupts = new VfioInterrupts(DEVICE, irqs, new EmptyConfig());

  @AfterEach
  void close() {
    interrupts.close();
  }

  @Test
  void whatFailsAfterTheKernelEnabledInterruptsTurnsThemOffAgain() {
    irqs.beforeUnmask = () -> failingCall();

    assertThatThrownBy(() -> interrupts.enable(Kind.INTX, 1))
        .isInstanceOf(PciException.class)
        .hasMessageStartingWith(DEVICE + ": can't enable 1 INTX vectors: ")
        .hasMessageContaining("ENOENT");

    assertThat(irqs.enabled).isEmpty();
    assertNothingIsLeft(1);
    irqs.beforeUnmask = () -> {};
    assertThat(interrupts.enable(Kind.INTX, 1)).hasSize(1);
  }

  @Test
  void theEventsAreClosedEvenIfTheKernelDoesNotTurnThemOff() {
    irqs.beforeUnmask = () -> failingCall();
    irqs.beforeDisable = () -> failingCall();

    assertThatThrownBy(() -> interrupts.enable(Kind.INTX, 1))
        .isInstanceOf(PciException.class)
        .hasMessageContaining("can't enable");

    assertNothingIsLeft(1);
  }

  @Test
  void whatTheKernelRefusesLeavesNoEventsBehind() {
    irqs.beforeConnect = () -> failingCall();

    assertThatThrownBy(() -> interrupts.enable(Kind.MSIX, 4)).isInstanceOf(PciException.class);

    assertNothingIsLeft(4);
  }

  @Test
  void fewerThanWereAskedForAreNone() {
    irqs.possible = 2;

    assertThatThrownBy(() -> interrupts.enable(Kind.MSI, 4))
        .isInstanceOf(PciException.class)
        .hasMessageContaining("can't enable 4 MSI vectors: the kernel can enable only 2")
        .hasMessageContaining("ask for fewer");

    assertNothingIsLeft(4);
    irqs.possible = 0;
    assertThat(interrupts.enable(Kind.MSI, 2)).hasSize(2);
  }

  @Test
  void disablingTurnsThemOffAndClosesTheEvents() {
    Vector vector = interrupts.enable(Kind.MSIX, 3).getFirst();
    assertThat(irqs.enabled).containsExactly(Vfio.PCI_MSIX_IRQ_INDEX);
    assertThat(irqs.events).hasSize(3).noneMatch(Fd::isClosed);

    interrupts.disable();

    assertThat(irqs.enabled).isEmpty();
    assertNothingIsLeft(3);
    assertThatThrownBy(vector::poll).isInstanceOf(DeviceGoneException.class);
    assertThatThrownBy(() -> vector.mask(true)).isInstanceOf(DeviceGoneException.class);
  }

  @Test
  void anEventThatIsClosedIsNotADeviceThatIsGone() {
    Vector vector = interrupts.enable(Kind.MSIX, 1).getFirst();
    EventFd closed = EventFd.create("closed");
    closed.close();

    assertThatThrownBy(() -> vector.connect(new FdEvent(closed)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(DEVICE + ": vector 0: ");
    assertThat(vector.poll()).isFalse();

    EventFd open = EventFd.create("open");
    vector.connect(new FdEvent(open));
    vector.mask(true);
    open.close();
    assertThatThrownBy(() -> vector.mask(false))
        .isInstanceOf(PciException.class)
        .isNotInstanceOf(DeviceGoneException.class)
        .hasMessageContaining("vector 0");
  }

  @Test
  void anEventThatDoesNotSayWhatItIsHoldsUpNobody() throws InterruptedException {
    Vector vector = interrupts.enable(Kind.MSIX, 1).getFirst();
    BlockingEvent event = new BlockingEvent(true, false);

    assertHeldUpByNobody(event, () -> vector.connect(event));
  }

  @Test
  void anEventThatBlocksWhenItIsConnectedHoldsUpNobody() throws InterruptedException {
    Vector vector = interrupts.enable(Kind.MSIX, 1).getFirst();
    irqs.events.getFirst().write(Long.BYTES, 1);
    BlockingEvent event = new BlockingEvent(false, true);

    assertHeldUpByNobody(event, () -> vector.connect(event));
  }

  @Test
  void anEventThatBlocksWhenItsVectorIsUnmaskedHoldsUpNobody() throws InterruptedException {
    Vector vector = interrupts.enable(Kind.MSIX, 1).getFirst();
    BlockingEvent event = new BlockingEvent(false, true);
    vector.connect(event);
    vector.mask(true);
    irqs.events.getLast().write(Long.BYTES, 1);

    assertHeldUpByNobody(event, () -> vector.mask(false));
  }

  /** A driver does something that does not return; what revocation does returns all the same. */
  private void assertHeldUpByNobody(BlockingEvent event, Runnable use) throws InterruptedException {
    Thread driver =
        Thread.ofPlatform()
            .daemon()
            .start(
                () -> {
                  try {
                    use.run();
                  } catch (DeviceGoneException _) {
                    // Too late.
                  }
                });
    try {
      assertTimeoutPreemptively(
          GENEROUS,
          () -> {
            event.called.await();
            interrupts.disable();
            assertThat(interrupts.enabledCount()).isZero();
            interrupts.close();
          });
      assertThat(event.end.getCount()).as("the event still blocks").isEqualTo(1);
    } finally {
      event.end.countDown();
      driver.join();
      event.eventFd.close();
    }
  }

  private void assertNothingIsLeft(int events) {
    assertThat(irqs.events).hasSize(events).allMatch(Fd::isClosed);
    assertThat(interrupts.enabledCount()).isZero();
  }

  /** Fails as a system call does. */
  private static void failingCall() {
    Fd.open(Path.of("/nowhere"), Access.READ).close();
  }

  private static final class FakeIrqs implements Irqs {
    final Set<Integer> enabled = new HashSet<>();

    /** What was given to be signalled, in order. */
    final List<Fd> events = new ArrayList<>();

    /** What connecting answers. */
    int possible;

    Runnable beforeConnect = () -> {};
    Runnable beforeDisable = () -> {};
    Runnable beforeUnmask = () -> {};

    @Override
    public int count(int index) {
      return index == Vfio.PCI_INTX_IRQ_INDEX ? 1 : 32;
    }

    @Override
    public int connect(int index, int start, List<Fd> given) {
      HeldFds.of(given).close();
      events.addAll(given);
      beforeConnect.run();
      if (possible == 0) {
        enabled.add(index);
      }
      return possible;
    }

    @Override
    public void disable(int index) {
      beforeDisable.run();
      enabled.remove(index);
    }

    @Override
    public void mask(int index, boolean on) {
      if (!on) {
        beforeUnmask.run();
      }
    }
  }

  private record FdEvent(EventFd event) implements Event {
    @Override
    public void signal() {
      event.signal();
    }

    @Override
    public <T> Optional<T> unwrap(Class<T> exactType) {
      return exactType == EventFd.class ? Optional.of(exactType.cast(event)) : Optional.empty();
    }
  }

  /** Blocks until the end of the test, where it is told to. */
  private static final class BlockingEvent implements Event {
    final CountDownLatch called = new CountDownLatch(1);
    final CountDownLatch end = new CountDownLatch(1);
    final EventFd eventFd = EventFd.create("the driver's");
    private final boolean blocksUnwrap;
    private final boolean blocksSignal;

    BlockingEvent(boolean blocksUnwrap, boolean blocksSignal) {
      this.blocksUnwrap = blocksUnwrap;
      this.blocksSignal = blocksSignal;
    }

    @Override
    public void signal() {
      if (blocksSignal) {
        block();
      }
    }

    @Override
    public <T> Optional<T> unwrap(Class<T> exactType) {
      if (blocksUnwrap) {
        block();
      }
      return exactType == EventFd.class ? Optional.of(exactType.cast(eventFd)) : Optional.empty();
    }

    private void block() {
      called.countDown();
      try {
        end.await();
      } catch (InterruptedException _) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static final class EmptyConfig implements ConfigSpace {
    @Override
    public int size() {
      return 64;
    }

    @Override
    public int read(int offset, int width) {
      return 0;
    }

    @Override
    public void write(int offset, int width, int value) {
      throw new UnsupportedOperationException();
    }
  }
}
