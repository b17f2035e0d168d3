package org.gatun.driver.serial;

import java.util.function.Consumer;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PortIo;

/**
 * The registers, until the port is closed. An access is over before that, or is not made: a byte
 * that comes later is the next driver's. Any thread. Each access takes a lock, which is nothing
 * beside the time of a character.
 */
final class Registers {
  private final DeviceName name;
  private final PortIo ports;
  private boolean closed;

  Registers(DeviceName name, PortIo ports) {
    this.name = name;
    this.ports = ports;
  }

  DeviceName name() {
    return name;
  }

  /**
   * Reads 8 bits.
   *
   * @throws DeviceGoneException if this is closed
   */
  synchronized int read(long register) {
    if (closed) {
      throw gone("a read of register " + register);
    }
    return ports.read8(register);
  }

  /**
   * Writes the low 8 bits.
   *
   * @throws DeviceGoneException if this is closed
   */
  synchronized void write(long register, int value) {
    if (closed) {
      throw gone("a write of register " + register);
    }
    ports.write8(register, value);
  }

  /**
   * For what may do without an access.
   *
   * @throws DeviceGoneException if this is closed
   */
  synchronized void checkOpen(String operation) {
    if (closed) {
      throw gone(operation);
    }
  }

  private DeviceGoneException gone(String operation) {
    return new DeviceGoneException(name, operation + " after close", null);
  }

  /** Makes the last accesses, once; a second caller returns when they are over. */
  synchronized void close(Consumer<PortIo> last) {
    if (!closed) {
      closed = true;
      last.accept(ports);
    }
  }
}
