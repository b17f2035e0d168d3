package org.gatun.hostile;

import java.util.Arrays;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;

/**
 * DMA where the guest has no memory, with edu's engine (QEMU's edu.rst), whose registers are
 * written without a driver.
 */
final class DmaAttempt {
  private static final int REGISTERS = 0x100;
  private static final int SOURCE = 0x80;
  private static final int TARGET = 0x88;
  private static final int COUNT = 0x90;
  private static final int COMMAND = 0x98;
  private static final int START = 1;
  private static final int FROM_DEVICE = 2;
  private static final long BUFFER = 0x40000;
  private static final int PAGE = 4096;
  private static final int HALF = PAGE / 2;
  private static final byte ATTACK = 0x3a;

  private final Mmio registers;

  private DmaAttempt(Mmio registers) {
    this.registers = registers;
  }

  /** Reads what is at a bus address, and writes there; says what was read. */
  static String make(PciDevice device, long busAddress) {
    try (Mmio registers = device.bars().getFirst().map(0, REGISTERS);
        DmaBuffer own = device.dma().allocate(2 * PAGE, PAGE)) {
      device.busMaster(true);
      DmaAttempt attempt = new DmaAttempt(registers);
      for (int i = 0; i < PAGE; i++) {
        own.putByte(i, ATTACK);
      }
      attempt.read(own.busAddress());
      attempt.read(busAddress);
      attempt.write(own.busAddress() + PAGE);
      byte[] seen = new byte[HALF];
      own.copyOut(PAGE, seen);
      attempt.read(own.busAddress());
      attempt.write(busAddress);
      return "saw " + describe(seen);
    }
  }

  /** Where its own memory is. */
  static String own(PciDevice device) {
    try (DmaBuffer own = device.dma().allocate(PAGE, PAGE)) {
      return "0x%x".formatted(own.busAddress());
    }
  }

  private static String describe(byte[] seen) {
    byte[] same = new byte[seen.length];
    Arrays.fill(same, seen[0]);
    if (!Arrays.equals(seen, same)) {
      return "something";
    }
    return seen[0] == ATTACK ? "nothing" : "0x%02x".formatted(seen[0]);
  }

  private void read(long busAddress) {
    transfer(busAddress, BUFFER, START);
  }

  private void write(long busAddress) {
    transfer(BUFFER, busAddress, START | FROM_DEVICE);
  }

  private void transfer(long source, long target, int command) {
    registers.write64(SOURCE, source);
    registers.write64(TARGET, target);
    registers.write64(COUNT, HALF);
    registers.write64(COMMAND, command);
    while ((registers.read64(COMMAND) & START) != 0) {
      Thread.onSpinWait();
    }
  }
}
