package org.gatun.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.specs.edu.EduRegisters;
import org.gatun.specs.nvme.NvmeRegisters;
import org.junit.jupiter.api.Test;

/** Register accesses over a socket allocate nothing on the thread that makes them: exactly. */
class WireAllocationTest {
  private static final int ACCESSES = 5_000;
  private static final int ATTEMPTS = 200;

  private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  @Test
  void trappedReads() {
    try (Served served = new Served("edu")) {
      Mmio registers = served.open().bar(EduRegisters.BAR).orElseThrow().map(0, 0x1000);
      assertThat(registers.isDirect()).isFalse();
      assertAllocatesNothing(() -> registers.read32(EduRegisters.IDENTIFICATION));
    }
  }

  /** All of the device's registers are reached by messages, so its writes are posted. */
  @Test
  void postedWrites() {
    try (Served served = new Served("edu")) {
      Mmio registers = served.open().bar(EduRegisters.BAR).orElseThrow().map(0, 0x1000);
      assertThat(registers.isDirect()).isFalse();
      assertAllocatesNothing(() -> registers.write32(EduRegisters.LIVENESS, 1));
      assertThat(registers.read32(EduRegisters.LIVENESS)).isEqualTo(~1);
    }
  }

  @Test
  void sharedDoorbells() {
    try (Served served = new Served("nvme,size=1M,doorbells=shared")) {
      PciDevice device = served.open();
      Mmio doorbells =
          device.bar(NvmeRegisters.BAR).orElseThrow().map(NvmeRegisters.DOORBELLS, 0x1000);
      assertThat(doorbells.isDirect()).isTrue();
      assertAllocatesNothing(() -> doorbells.write32(0, 0));
    }
  }

  /**
   * Until it is compiled an access may allocate, and nobody says when that will be: so one batch of
   * many must be clean.
   */
  private void assertAllocatesNothing(Runnable access) {
    long least = Long.MAX_VALUE;
    for (int attempt = 0; attempt < ATTEMPTS && least != 0; attempt++) {
      long before = threads.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < ACCESSES; i++) {
        access.run();
      }
      least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
    }
    assertThat(least).as("bytes for %d accesses", ACCESSES).isZero();
  }
}
