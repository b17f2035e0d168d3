package org.gatun.testkit;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciDevice.Usage;
import org.gatun.simulated.SimulatedBus;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.opentest4j.AssertionFailedError;

/** A bus, and the devices on it that a test was given. Closing it looks for what they lack. */
final class BusOfTest implements AutoCloseable {
  private final SimulatedBus bus;
  private final ExtensionContext context;
  private final SequencedMap<String, PciDevice> devices = new LinkedHashMap<>();

  BusOfTest(SimulatedBus bus, ExtensionContext context) {
    this.bus = bus;
    this.context = context;
  }

  SimulatedBus bus() {
    return bus;
  }

  synchronized PciDevice device(String text) {
    return devices.computeIfAbsent(text, t -> DeviceRoute.chosen(bus.open(bus.plug(t))));
  }

  /** Closes the devices, newest first, then the bus. */
  @Override
  public synchronized void close() {
    List<String> leaks = new ArrayList<>();
    try (bus) {
      for (PciDevice device : List.copyOf(devices.sequencedValues()).reversed()) {
        Usage usage = device.usage();
        if (!usage.equals(Usage.NONE)) {
          leaks.add(device.name() + ": " + describe(usage));
        }
        device.close();
      }
    }
    // What a failed test left open says nothing new.
    if (!leaks.isEmpty() && context.getExecutionException().isEmpty()) {
      throw new AssertionFailedError(
          "left open after the test: " + String.join("; ", leaks) + ". Close what was opened");
    }
  }

  private static String describe(Usage usage) {
    List<String> parts = new ArrayList<>();
    if (usage.mappings() > 0) {
      parts.add(count(usage.mappings(), "mapping"));
    }
    if (usage.buffers() > 0) {
      parts.add(count(usage.buffers(), "DMA buffer") + " (" + usage.dmaBytes() + " bytes)");
    }
    if (usage.vectors() > 0) {
      parts.add(count(usage.vectors(), "interrupt vector"));
    }
    return String.join(", ", parts);
  }

  private static String count(int number, String what) {
    return number + " " + what + (number == 1 ? "" : "s");
  }
}
