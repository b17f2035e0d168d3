package org.gatun.vfio.common;

import java.util.List;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;

/**
 * The command register of a device whose bit 10, which masks INTx, the kernel may change behind our
 * back. So what does not concern that bit is written without its byte. INTx itself takes a write of
 * both bytes: QEMU looks at the line only when the low one is written.
 */
public final class CommandRegister {
  private final ConfigSpace config;

  /** Bits 0 and 1, as far as there are BARs of their kind. */
  private final int decodeBits;

  private boolean decode = true;

  public CommandRegister(ConfigSpace config, List<VfioBar> bars) {
    this.config = config;
    int bits = 0;
    for (VfioBar bar : bars) {
      bits |=
          switch (bar.kind()) {
            case MEMORY -> ConfigRegisters.COMMAND_MEMORY;
            case IO -> ConfigRegisters.COMMAND_IO;
          };
    }
    this.decodeBits = bits;
  }

  public synchronized void busMaster(boolean on) {
    set(ConfigRegisters.COMMAND_BUS_MASTER, on);
  }

  public synchronized boolean isBusMaster() {
    return (config.read8(ConfigRegisters.COMMAND) & ConfigRegisters.COMMAND_BUS_MASTER) != 0;
  }

  /** Whether the device answers at its BARs, now and after it was settled. */
  public synchronized void decode(boolean on) {
    decode = on;
    set(decodeBits, on);
  }

  public synchronized void maskIntx(boolean on) {
    int command = config.read16(ConfigRegisters.COMMAND);
    config.write16(
        ConfigRegisters.COMMAND,
        on
            ? command | ConfigRegisters.COMMAND_INTX_DISABLE
            : command & ~ConfigRegisters.COMMAND_INTX_DISABLE);
  }

  /** Bus master off, and decode as it was asked for: at first on. */
  public synchronized void settle() {
    set(ConfigRegisters.COMMAND_BUS_MASTER, false);
    set(decodeBits, decode);
  }

  private void set(int bits, boolean on) {
    int low = config.read8(ConfigRegisters.COMMAND);
    config.write8(ConfigRegisters.COMMAND, on ? low | bits : low & ~bits);
  }
}
