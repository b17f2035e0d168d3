package org.example.firstdriver;

import java.time.Duration;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DeviceTimeoutException;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.pci.spi.Backends;

/** Drives edu, the device that QEMU has for teaching: it computes factorials. */
public final class FirstDriver implements AutoCloseable {
  // The registers, in BAR 0: QEMU's documentation, "EDU device".
  private static final long IDENTIFICATION = 0x00;
  private static final long FACTORIAL = 0x08;
  private static final long STATUS = 0x20;
  private static final int COMPUTING = 0x01;

  private final Mmio registers;
  private final TimeSource time;

  /** Attaches to a device. It stays the caller's. */
  public FirstDriver(PciDevice device, TimeSource time) {
    this.time = time;
    registers = device.bar(0).orElseThrow().map(0, 0x80);
    int identification = registers.read32(IDENTIFICATION);
    if ((identification & 0xffff) != 0x00ed) {
      registers.close();
      throw new DeviceProtocolException(
          device.name(),
          "no edu device: it identifies as 0x%x".formatted(identification),
          null,
          null);
    }
  }

  /** Has the device compute n!, modulo 2^32. */
  public int factorial(int n) {
    registers.write32(FACTORIAL, n);
    boolean done =
        time.await(
            () -> (registers.read32(STATUS) & COMPUTING) == 0,
            Duration.ofSeconds(1),
            Duration.ofMillis(1));
    if (!done) {
      throw new DeviceTimeoutException(
          registers.name(), "factorial of " + n + " is not done after 1 s", null, null);
    }
    return registers.read32(FACTORIAL);
  }

  @Override
  public void close() {
    registers.close();
  }

  /** {@code FirstDriver DEVICE N}. */
  public static void main(String[] args) {
    int n = Integer.parseInt(args[1]);
    try (PciDevice device = Backends.open(DeviceName.parse(args[0]));
        FirstDriver driver = new FirstDriver(device, TimeSource.system())) {
      System.out.println(n + "! = " + Integer.toUnsignedString(driver.factorial(n)));
    }
  }
}
