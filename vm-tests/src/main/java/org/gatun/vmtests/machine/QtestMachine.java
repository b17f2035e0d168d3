package org.gatun.vmtests.machine;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A q35 machine without processor, firmware and time: each bus access in it is one that the test
 * asks for, over QEMU's qtest protocol (QEMU, docs/devel/testing/qtest.rst). It starts in a
 * fraction of a second, and shows a PCI device as QEMU shows it to guests. 64 MiB of memory from
 * address 0; devices are on the root bus, since nobody numbers buses.
 *
 * <p>For one thread, which also starts it: QEMU ends with that thread. Every answer is awaited for
 * 30 s at most. If there is none, or QEMU ended, the {@link UncheckedIOException} has what QEMU
 * said.
 */
public final class QtestMachine implements AutoCloseable {
  private static final Duration ANSWER_LIMIT = Duration.ofSeconds(30);
  private static final Duration END_LIMIT = Duration.ofSeconds(10);

  // PCI Local Bus Specification 3.0, 3.2.2.3.2: software generation of configuration transactions.
  private static final int CONFIG_ADDRESS = 0xcf8;
  private static final int CONFIG_DATA = 0xcfc;
  private static final int CONFIG_ENABLE = 1 << 31;

  // What q35 leaves to PCI: below the I/O APIC, and above the ports of the chipset.
  private static final long FIRST_MEMORY = 0xc000_0000L;
  private static final long MEMORY_END = 0xfec0_0000L;
  private static final long FIRST_PORT = 0xc000;
  private static final long PORTS_END = 0x1_0000;

  private final Process qemu;
  private final Path messages;
  private final PciLayout layout;
  private final Writer commands;
  // Empty: QEMU has closed its end.
  private final BlockingQueue<Optional<String>> answers = new LinkedBlockingQueue<>();
  private long nextMemory = FIRST_MEMORY;
  private long nextPort = FIRST_PORT;

  /**
   * Starts QEMU, and returns when all devices are there.
   *
   * @param directory for the machine's files
   * @param devices on the root bus
   * @throws IOException if QEMU did not start, with what it said: a device refused, say, or no
   *     server at its socket
   */
  public static QtestMachine start(Host host, Path directory, TestDevice... devices)
      throws IOException {
    QtestMachine machine = new QtestMachine(host, directory, new PciLayout(List.of(devices)));
    try {
      // QEMU answers when it has made all devices.
      machine.port32(CONFIG_ADDRESS);
      return machine;
    } catch (UncheckedIOException e) {
      machine.close();
      throw new IOException("QEMU did not start: " + e.getMessage(), e);
    }
  }

  private QtestMachine(Host host, Path directory, PciLayout layout) throws IOException {
    this.layout = layout;
    Files.createDirectories(directory);
    messages = directory.resolve("qtest.log");
    List<String> command = new ArrayList<>();
    command.addAll(List.of("setpriv", "--pdeathsig", "KILL", "--", host.qemu().toString()));
    command.addAll(List.of("-accel", "qtest", "-qtest", "stdio", "-qtest-log", "none"));
    command.addAll(List.of("-nodefaults", "-no-user-config", "-display", "none"));
    command.addAll(layout.machine("q35", "64M"));
    command.addAll(layout.arguments());
    qemu = new ProcessBuilder(command).redirectError(messages.toFile()).start();
    commands = qemu.outputWriter(StandardCharsets.US_ASCII);
    Thread.ofPlatform().daemon().name("qtest-answers").start(this::readAnswers);
  }

  /** A device by its id. */
  public QtestDevice device(String id) {
    String address = layout.addresses().get(id);
    if (address == null || !address.matches("0000:00:[0-9a-f]{2}\\.0")) {
      throw new IllegalArgumentException(
          "no device " + id + " on the root bus: " + layout.addresses());
    }
    return new QtestDevice(this, Integer.parseInt(address, 8, 10, 16));
  }

  /** Reads memory or a memory BAR. */
  public byte read8(long address) {
    return (byte) value("readb %#x".formatted(address));
  }

  public short read16(long address) {
    return (short) value("readw %#x".formatted(address));
  }

  public int read32(long address) {
    return (int) value("readl %#x".formatted(address));
  }

  public long read64(long address) {
    return value("readq %#x".formatted(address));
  }

  /** Writes memory or a memory BAR. */
  public void write8(long address, byte value) {
    ask("writeb %#x %#x".formatted(address, value));
  }

  public void write16(long address, short value) {
    ask("writew %#x %#x".formatted(address, value));
  }

  public void write32(long address, int value) {
    ask("writel %#x %#x".formatted(address, value));
  }

  public void write64(long address, long value) {
    ask("writeq %#x %#x".formatted(address, value));
  }

  byte port8(int port) {
    return (byte) value("inb %#x".formatted(port));
  }

  short port16(int port) {
    return (short) value("inw %#x".formatted(port));
  }

  int port32(int port) {
    return (int) value("inl %#x".formatted(port));
  }

  void port8(int port, byte value) {
    ask("outb %#x %#x".formatted(port, value));
  }

  void port16(int port, short value) {
    ask("outw %#x %#x".formatted(port, value));
  }

  void port32(int port, int value) {
    ask("outl %#x %#x".formatted(port, value));
  }

  /**
   * Points the configuration mechanism at a register of a device on bus 0.
   *
   * @return the port where its first byte is
   */
  int selectConfig(int slot, int offset) {
    port32(CONFIG_ADDRESS, CONFIG_ENABLE | (slot << 11) | (offset & 0xfc));
    return CONFIG_DATA + (offset & 3);
  }

  /** Room for a BAR, aligned to its size, which is a power of two. */
  long allocateMemory(long size) {
    long address = aligned(nextMemory, size, MEMORY_END);
    nextMemory = address + size;
    return address;
  }

  long allocatePorts(long size) {
    long address = aligned(nextPort, size, PORTS_END);
    nextPort = address + size;
    return address;
  }

  private static long aligned(long next, long size, long end) {
    long address = (next + size - 1) & -size;
    if (size > end - address) {
      throw new IllegalStateException("no room for a BAR of %#x bytes".formatted(size));
    }
    return address;
  }

  private long value(String command) {
    String answer = ask(command);
    if (!answer.startsWith("0x")) {
      throw failure(command, "answered '" + answer + "'");
    }
    return Long.parseUnsignedLong(answer, 2, answer.length(), 16);
  }

  /** Returns what follows "OK ". */
  private String ask(String command) {
    try {
      commands.write(command + "\n");
      commands.flush();
      Optional<String> answer = answers.poll(ANSWER_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
      if (answer == null) {
        throw failure(command, "did not answer in " + ANSWER_LIMIT.toSeconds() + " s");
      }
      String line = answer.orElseThrow(() -> failure(command, "ended"));
      if (!line.equals("OK") && !line.startsWith("OK ")) {
        throw failure(command, "answered '" + line + "'");
      }
      return line.substring(2).strip();
    } catch (IOException e) {
      throw failure(command, "does not listen (" + e.getMessage() + ")");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw failure(command, "was not awaited: interrupted");
    }
  }

  private UncheckedIOException failure(String command, String what) {
    String said;
    try {
      // What it says at its end is complete when it has ended.
      if (what.startsWith("ended") && qemu.waitFor(END_LIMIT)) {
        what += " with status " + qemu.exitValue();
      }
      said = Files.readString(messages).strip();
    } catch (IOException e) {
      said = "unknown: " + e;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      said = "unknown: interrupted";
    }
    return new UncheckedIOException(
        new IOException("at '" + command + "' QEMU " + what + ". It said: " + said));
  }

  private void readAnswers() {
    try (var lines = qemu.inputReader(StandardCharsets.US_ASCII)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        answers.add(Optional.of(line));
      }
    } catch (IOException closedByUs) {
      // The same as its end.
    } finally {
      answers.add(Optional.empty());
    }
  }

  /** What QEMU has said on standard error until now. */
  public String messages() throws IOException {
    return Files.readString(messages).strip();
  }

  /** Ends QEMU, orderly if it can. On every way out it has ended. Idempotent. */
  @Override
  public void close() {
    qemu.destroy();
    try {
      if (qemu.waitFor(END_LIMIT)) {
        return;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    qemu.destroyForcibly();
    qemu.onExit().join();
  }
}
