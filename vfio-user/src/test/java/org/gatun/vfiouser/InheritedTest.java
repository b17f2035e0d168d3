package org.gatun.vfiouser;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.time.Duration;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaException;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.Vector;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What differs for a client that has inherited all that it gets. */
class InheritedTest {
  /** Of edu (QEMU, docs/specs/edu.rst). */
  private static final int INTERRUPT_RAISE = 0x60;

  private static final int INTERRUPT_ACKNOWLEDGE = 0x64;

  private static final Duration LONG = Duration.ofSeconds(10);

  private final InheritingClient client = new InheritingClient("edu");
  private final PciDevice device = client.open();

  @AfterEach
  void stopServing() {
    client.close();
  }

  @Test
  void interruptsSignalWhatItHas() {
    device.busMaster(true); // a message is a write of the device's
    Vector vector = device.interrupts().enable(Kind.MSI, 1).getFirst();
    try (Mmio registers = device.bar(0).orElseThrow().map(0, 4096)) {
      for (int i = 0; i < 3; i++) {
        registers.write32(INTERRUPT_RAISE, 1);
        assertThat(vector.await(LONG)).isTrue();
        registers.write32(INTERRUPT_ACKNOWLEDGE, 1);
        device.interrupts().disable();
        vector = device.interrupts().enable(Kind.MSI, 1).getFirst();
      }
    }
  }

  @Test
  void interruptsSignalNothingElse() {
    Vector vector = device.interrupts().enable(Kind.MSI, 1).getFirst();
    try (EventFdProbe own = new EventFdProbe()) {
      assertThatExceptionOfType(IllegalArgumentException.class)
          .isThrownBy(() -> vector.connect(own))
          .withMessageContaining("was not started with it");
    }
  }

  @Test
  void memoryIsWhatItHas() {
    assertThat(device.dma().usableRanges()).hasSize(1);
    try (DmaBuffer first = device.dma().allocate(InheritingClient.SIZE / 2, 4096)) {
      assertThat(first.busAddress()).isEqualTo(device.dma().usableRanges().getFirst().first());
      assertThatExceptionOfType(DmaException.class)
          .isThrownBy(() -> device.dma().allocate(InheritingClient.SIZE, 4096))
          .withMessageContaining("started with");
      first.segment().set(JAVA_BYTE, 0, (byte) 1);
    }
    try (DmaBuffer all = device.dma().allocate(InheritingClient.SIZE, 4096)) {
      assertThat(all.segment().get(JAVA_BYTE, 0)).isZero();
    }
  }
}
