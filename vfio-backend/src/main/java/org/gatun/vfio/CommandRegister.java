package org.gatun.vfio;

import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;

/**
 * The command register of a device that the kernel masks INTx of behind our back, by bit 10. So
 * what does not concern that bit is written without its byte. INTx itself takes a write of both
 * bytes: QEMU looks at the line only when the low one is written.
 */
final class CommandRegister {
  private final ConfigSpace config;

  CommandRegister(ConfigSpace config) {
    this.config = config;
  }

  synchronized void busMaster(boolean on) {
    int low = config.read8(ConfigRegisters.COMMAND);
    int changed =
        on ? low | ConfigRegisters.COMMAND_BUS_MASTER : low & ~ConfigRegisters.COMMAND_BUS_MASTER;
    if (changed != low) {
      config.write8(ConfigRegisters.COMMAND, changed);
    }
  }

  synchronized boolean isBusMaster() {
    return (config.read8(ConfigRegisters.COMMAND) & ConfigRegisters.COMMAND_BUS_MASTER) != 0;
  }

  synchronized void maskIntx(boolean on) {
    int command = config.read16(ConfigRegisters.COMMAND);
    config.write16(
        ConfigRegisters.COMMAND,
        on
            ? command | ConfigRegisters.COMMAND_INTX_DISABLE
            : command & ~ConfigRegisters.COMMAND_INTX_DISABLE);
  }

  /**
   * Bus master off, INTx masked, decode on.
   *
   * @param decode bits 0 and 1
   */
  synchronized void settle(int decode) {
    int command = config.read16(ConfigRegisters.COMMAND) & ~ConfigRegisters.COMMAND_BUS_MASTER;
    config.write16(
        ConfigRegisters.COMMAND, command | decode | ConfigRegisters.COMMAND_INTX_DISABLE);
  }
}
