package org.gatun.driver.edu;

import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DeviceTimeoutException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.pci.Vector;
import org.gatun.pci.config.PciId;
import org.gatun.specs.edu.EduRegisters;
import org.jspecify.annotations.Nullable;

/**
 * QEMU's educational device, driven (QEMU {@code docs/specs/edu.rst}).
 *
 * <p>Used by one thread at a time, except for {@link #close}. Each operation waits until the device
 * is done, and throws
 *
 * <ul>
 *   <li>{@link DeviceTimeoutException} if that takes longer than the options say, or if the thread
 *       is interrupted (its flag stays set). The device may still be at it: the next operation
 *       first waits for that;
 *   <li>{@link DeviceProtocolException} if the device answers what its specification rules out;
 *   <li>{@link DeviceGoneException} if the device is gone, or if this was closed.
 * </ul>
 */
public final class EduDevice implements AutoCloseable {
  /** The most bytes that one DMA transfer moves: all of the device's buffer but its last byte. */
  public static final int MAX_TRANSFER = EduRegisters.DMA_USABLE_SIZE;

  /** The highest bus address that the device can reach: it drives 28 bits. */
  public static final long MAX_BUS_ADDRESS = EduRegisters.DMA_MASK;

  private static final int MAJOR_VERSION = 1;
  private static final int LIVENESS_PATTERN = 0x5aa5_0ff0;
  private static final long REGISTERS_SIZE = EduRegisters.DMA_COMMAND + Long.BYTES;
  private static final Duration POLL_INTERVAL = Duration.ofNanos(50_000);

  private static final int PAGE = 4096;

  /** Where in our memory what goes to the device is, and where what comes back goes. */
  private static final int OUT = 0;

  private static final int BACK = PAGE;

  private final PciDevice device;
  private final DeviceName name;
  private final TimeSource time;
  private final Duration timeout;
  private final Mmio registers;
  private final DmaBuffer memory;

  /** Null when polling. */
  private final @Nullable Vector vector;

  private EduDevice(
      PciDevice device,
      EduOptions options,
      Mmio registers,
      DmaBuffer memory,
      @Nullable Vector vector) {
    this.device = device;
    this.name = device.name();
    this.time = options.time();
    this.timeout = options.timeout();
    this.registers = registers;
    this.memory = memory;
    this.vector = vector;
  }

  /**
   * Identifies the device, and makes it ready: interrupts as the options say, bus master on, bus
   * addresses limited to 28 bits.
   *
   * @param device stays the caller's, who closes it after this
   * @throws IllegalArgumentException if the device lacks the interrupts that the options ask for
   * @throws DeviceProtocolException if it is no edu device, or one of a version that is not known
   * @throws org.gatun.pci.DmaException if there is no DMA memory for it
   * @throws DeviceGoneException if it is closed, or gone
   */
  public static EduDevice open(PciDevice device, EduOptions options) {
    Mmio registers = mapRegisters(device);
    try {
      identify(registers);
      device.dma().limitTo(Long.bitCount(EduRegisters.DMA_MASK));
      DmaBuffer memory = device.dma().allocate(2 * PAGE, PAGE);
      try {
        // A message-signalled interrupt is a DMA write too.
        device.busMaster(true);
        Vector vector = enable(device, options.completion());
        return new EduDevice(device, options, registers, memory, vector);
      } catch (RuntimeException e) {
        quiesce(device);
        memory.close();
        throw e;
      }
    } catch (RuntimeException e) {
      registers.close();
      throw e;
    }
  }

  private static Mmio mapRegisters(PciDevice device) {
    PciId id = device.id();
    if (id.vendor() != EduRegisters.VENDOR_ID || id.device() != EduRegisters.DEVICE_ID) {
      throw new DeviceProtocolException(
          device.name(),
          "this is no edu device: its id is " + id,
          "name a device with the id %04x:%04x"
              .formatted(EduRegisters.VENDOR_ID, EduRegisters.DEVICE_ID),
          null);
    }
    Optional<Bar> bar = device.bar(EduRegisters.BAR);
    if (bar.isEmpty() || bar.get().kind() != Bar.Kind.MEMORY || bar.get().size() < REGISTERS_SIZE) {
      throw new DeviceProtocolException(
          device.name(), "it has no registers: BAR 0 is missing or too small", null, null);
    }
    return bar.get().map(0, REGISTERS_SIZE);
  }

  private static void identify(Mmio registers) {
    int identification = registers.read32(EduRegisters.IDENTIFICATION);
    if (!EduRegisters.isEdu(identification)) {
      throw new DeviceProtocolException(
          registers.name(),
          "its identification register reads 0x%08x, not 0x....00ed".formatted(identification),
          identification == -1 ? "all ones: nothing answers. Reset the device" : null,
          null);
    }
    if (EduRegisters.majorVersion(identification) != MAJOR_VERSION) {
      throw new DeviceProtocolException(
          registers.name(),
          "it has version " + version(identification) + ", and this driver knows 1.x",
          null,
          null);
    }
    checkLiveness(registers);
  }

  private static @Nullable Vector enable(PciDevice device, Completion completion) {
    Interrupts.Kind kind =
        switch (completion) {
          case POLL -> null;
          case INTX -> Interrupts.Kind.INTX;
          case MSI -> Interrupts.Kind.MSI;
          case MSIX -> Interrupts.Kind.MSIX;
        };
    if (kind == null) {
      return null;
    }
    Interrupts interrupts = device.interrupts();
    if (interrupts.count(kind) == 0) {
      throw new IllegalArgumentException(
          device.name() + ": the device has no " + kind + " interrupts: choose another completion");
    }
    return interrupts.enable(kind, 1).getFirst();
  }

  /** Its name. */
  public DeviceName name() {
    return name;
  }

  /** The device's version: {@code 1.0}. */
  public String version() {
    return version(registers.read32(EduRegisters.IDENTIFICATION));
  }

  /**
   * Checks that the device is there and thinks: it must answer the inverse of what it is told.
   *
   * @throws DeviceProtocolException if it does not
   */
  public void checkLiveness() {
    checkLiveness(registers);
  }

  private static void checkLiveness(Mmio registers) {
    for (int value : new int[] {LIVENESS_PATTERN, ~LIVENESS_PATTERN}) {
      registers.write32(EduRegisters.LIVENESS, value);
      int answer = registers.read32(EduRegisters.LIVENESS);
      if (answer != ~value) {
        throw new DeviceProtocolException(
            registers.name(),
            "its liveness register reads 0x%08x after a write of 0x%08x, not the inverse"
                .formatted(answer, value),
            null,
            null);
      }
    }
  }

  /**
   * Has the device compute n!.
   *
   * @param n 0 or more; the device multiplies that often
   * @return n! modulo 2<sup>32</sup>, unsigned: exact up to 12!
   * @throws IllegalArgumentException if n is negative
   */
  public int factorial(int n) {
    if (n < 0) {
      throw new IllegalArgumentException("there is no factorial of " + n);
    }
    String operation = "the factorial of " + n;
    awaitIdle();
    prepareInterrupt();
    registers.write32(
        EduRegisters.STATUS, vector == null ? 0 : EduRegisters.STATUS_RAISE_INTERRUPT);
    registers.write32(EduRegisters.FACTORIAL, n);
    if (vector != null) {
      awaitInterrupt(vector, EduRegisters.FACTORIAL_INTERRUPT, operation);
    }
    poll(EduRegisters.STATUS, EduRegisters.STATUS_COMPUTING, operation);
    return registers.read32(EduRegisters.FACTORIAL);
  }

  /**
   * Moves bytes to the device and back by DMA, and checks that they have arrived unchanged.
   *
   * @param data 1 to {@link #MAX_TRANSFER} bytes
   * @throws DeviceProtocolException if they have changed: the message names the first wrong byte
   * @throws IllegalArgumentException if there are too few or too many
   */
  public void roundTrip(byte[] data) {
    checkTransfer(memory.busAddress(), 0, data.length);
    memory.copyIn(OUT, data);
    verify(memory.busAddress() + OUT, data);
  }

  /**
   * Has the device read memory, and checks what it has read.
   *
   * @param busAddress of the memory
   * @param expected what is there: 1 to {@link #MAX_TRANSFER} bytes
   * @throws DeviceProtocolException if it has read something else: the message names the bus
   *     address, and the first wrong byte
   * @throws IllegalArgumentException if there are too few or too many, or if the device can't reach
   *     the address
   */
  public void verify(long busAddress, byte[] expected) {
    int length = expected.length;
    checkTransfer(busAddress, 0, length);
    // The inverse first into the device and last into our memory: what does not arrive shows, even
    // if the right bytes were there before.
    byte[] inverse = expected.clone();
    for (int i = 0; i < length; i++) {
      inverse[i] = (byte) ~inverse[i];
    }
    memory.copyIn(BACK, inverse);
    dmaRead(memory.busAddress() + BACK, 0, length);
    dmaRead(busAddress, 0, length);
    dmaWrite(memory.busAddress() + BACK, 0, length);
    byte[] actual = new byte[length];
    memory.copyOut(BACK, actual);
    int wrong = Arrays.mismatch(expected, actual);
    if (wrong >= 0) {
      throw protocol(
          ("DMA of %d bytes from bus address 0x%x brought wrong data: the first wrong byte, at"
                  + " offset %d, is 0x%02x and not 0x%02x")
              .formatted(length, busAddress, wrong, actual[wrong], expected[wrong]),
          "look for faults of the IOMMU in the kernel's log: is the address mapped?");
    }
  }

  /**
   * Has the device read memory into its buffer. Whether anything arrived it does not say: see
   * {@link #verify}.
   *
   * @param busAddress of the memory, mapped or not; all of it up to {@link #MAX_BUS_ADDRESS}
   * @param offset in the device's buffer
   * @param length 1 to {@link #MAX_TRANSFER} less the offset
   * @throws IllegalArgumentException if these break their rules
   */
  public void dmaRead(long busAddress, int offset, int length) {
    checkTransfer(busAddress, offset, length);
    transfer(busAddress, EduRegisters.DMA_BUFFER + offset, length, 0, "DMA read of", busAddress);
  }

  /**
   * Has the device write memory from its buffer.
   *
   * @param busAddress of the memory, mapped or not; all of it up to {@link #MAX_BUS_ADDRESS}
   * @param offset in the device's buffer
   * @param length 1 to {@link #MAX_TRANSFER} less the offset
   * @throws IllegalArgumentException if these break their rules
   */
  public void dmaWrite(long busAddress, int offset, int length) {
    checkTransfer(busAddress, offset, length);
    transfer(
        EduRegisters.DMA_BUFFER + offset,
        busAddress,
        length,
        EduRegisters.DMA_TO_MEMORY,
        "DMA write of",
        busAddress);
  }

  private void checkTransfer(long busAddress, int offset, int length) {
    // Out of its buffer, QEMU's device does not report an error: it ends QEMU.
    if (length < 1 || offset < 0 || offset > MAX_TRANSFER - length) {
      throw new IllegalArgumentException(
          "%s: no transfer of %d bytes at offset %d: the device's buffer has %d bytes"
              .formatted(name, length, offset, MAX_TRANSFER));
    }
    if (busAddress < 0 || busAddress > MAX_BUS_ADDRESS - (length - 1)) {
      throw new IllegalArgumentException(
          "%s: the device can't reach %d bytes at bus address 0x%x: it drives 28 bits"
              .formatted(name, length, busAddress));
    }
  }

  private void transfer(
      long source, long destination, int length, int direction, String verb, long busAddress) {
    String operation = "%s %d bytes at bus address 0x%x".formatted(verb, length, busAddress);
    awaitIdle();
    prepareInterrupt();
    registers.write64(EduRegisters.DMA_SOURCE, source);
    registers.write64(EduRegisters.DMA_DESTINATION, destination);
    registers.write64(EduRegisters.DMA_COUNT, length);
    registers.write64(
        EduRegisters.DMA_COMMAND,
        EduRegisters.DMA_RUN | direction | (vector == null ? 0 : EduRegisters.DMA_INTERRUPT));
    if (vector != null) {
      awaitInterrupt(vector, EduRegisters.DMA_DONE_INTERRUPT, operation);
    }
    poll(EduRegisters.DMA_COMMAND, EduRegisters.DMA_RUN, operation);
  }

  /** What timed out before may still run, and the device would ignore what is written now. */
  private void awaitIdle() {
    poll(EduRegisters.STATUS, EduRegisters.STATUS_COMPUTING, "an earlier factorial");
    poll(EduRegisters.DMA_COMMAND, EduRegisters.DMA_RUN, "an earlier DMA transfer");
  }

  private void poll(long register, int busy, String operation) {
    boolean done =
        time.await(() -> (readStatus(register, operation) & busy) == 0, timeout, POLL_INTERVAL);
    if (!done) {
      throw timedOut(operation);
    }
  }

  private int readStatus(long register, String operation) {
    int value = registers.read32(register);
    if (value == -1) {
      throw protocol(
          "register 0x%02x reads all ones during %s".formatted(register, operation),
          "nothing answers: reset the device");
    }
    return value;
  }

  /** Forgets what an operation has left behind that timed out. */
  private void prepareInterrupt() {
    if (vector != null) {
      acknowledge(vector, -1);
      vector.poll();
    }
  }

  private void awaitInterrupt(Vector from, int cause, String operation) {
    long deadline = time.nanoTime() + TimeSource.saturatedNanos(timeout);
    while (true) {
      long left = deadline - time.nanoTime();
      if (left <= 0 || !from.await(Duration.ofNanos(left))) {
        throw timedOut("the interrupt for " + operation);
      }
      int causes = readStatus(EduRegisters.INTERRUPT_STATUS, operation);
      acknowledge(from, causes);
      if ((causes & cause) != 0) {
        return;
      }
      // A device that goes on with other interrupts must not stop time, virtual time either.
      time.sleep(POLL_INTERVAL);
    }
  }

  private void acknowledge(Vector from, int causes) {
    registers.write32(EduRegisters.INTERRUPT_ACKNOWLEDGE, causes);
    // The line is down before it is unmasked: else it fires again.
    registers.readDiscard32(EduRegisters.INTERRUPT_STATUS);
    from.mask(false);
  }

  /**
   * Stops the device's interrupts and DMA, and gives back its memory and registers. Idempotent,
   * from any thread. The {@link PciDevice} stays open.
   */
  @Override
  public void close() {
    // In this order: the device must be quiet before its memory goes.
    quiesce(device);
    memory.close();
    registers.close();
  }

  private static void quiesce(PciDevice device) {
    try {
      device.interrupts().disable();
      device.busMaster(false);
    } catch (DeviceGoneException _) {
      // Closed or unplugged before us: it is quiet.
    }
  }

  @Override
  public String toString() {
    return name + " (edu)";
  }

  private static String version(int identification) {
    return EduRegisters.majorVersion(identification)
        + "."
        + EduRegisters.minorVersion(identification);
  }

  private DeviceProtocolException protocol(String problem, @Nullable String remedy) {
    return new DeviceProtocolException(name, problem, remedy, null);
  }

  private DeviceTimeoutException timedOut(String operation) {
    return Thread.currentThread().isInterrupted()
        ? new DeviceTimeoutException(name, operation + ": the thread was interrupted", null, null)
        : new DeviceTimeoutException(
            name,
            operation + " has not ended after " + timeout.toMillis() + " ms",
            "reset the device, or give it more time",
            null);
  }
}
