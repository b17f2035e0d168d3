package org.gatun.testkit;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciDevice.Usage;
import org.gatun.pci.PciException;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.SimulatedBackend;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.fault.Faults;
import org.gatun.simulated.trace.Trace;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.opentest4j.AssertionFailedError;

/** A bus, and the devices on it that a test was given. Closing it looks for what they lack. */
final class BusOfTest implements AutoCloseable {
  /** Devices that are on no bus: see {@link SimulatedBackend}. */
  private static final String REPLAY = "replay,";

  private static final SimulatedBackend BACKEND = new SimulatedBackend();

  private final SimulatedBus bus;
  private final TimeSource time;
  private final @Nullable Trace trace;
  private final ExtensionContext context;
  private final SequencedMap<String, PciDevice> devices = new LinkedHashMap<>();
  private final Map<String, Faults> switches = new HashMap<>();

  /**
   * @param time that of the devices, which need not all be on the bus
   * @param traced how many accesses are kept; 0 for no trace
   */
  BusOfTest(SimulatedBus bus, TimeSource time, int traced, ExtensionContext context) {
    this.bus = bus;
    this.time = time;
    this.trace = traced == 0 ? null : new Trace(traced, time);
    this.context = context;
    if (trace != null) {
      bus.traceDma(trace);
    }
  }

  SimulatedBus bus() {
    return bus;
  }

  /** That of the devices. */
  TimeSource time() {
    return time;
  }

  /** The fault switch of the device with that text. */
  synchronized Faults faults(String text) {
    return switches.computeIfAbsent(text, _ -> new Faults());
  }

  synchronized PciDevice device(String text) {
    return devices.computeIfAbsent(text, this::open);
  }

  private PciDevice open(String text) {
    PciDevice device =
        Hardware.named(text)
            .orElseGet(() -> text.startsWith(REPLAY) ? replayed(text) : simulated(text));
    return trace == null ? device : trace.watch(device);
  }

  private static PciDevice replayed(String text) {
    return BACKEND.open(new DeviceName(BACKEND.scheme(), text));
  }

  private PciDevice simulated(String text) {
    Faults faults = switches.computeIfAbsent(text, _ -> new Faults());
    return DeviceRoute.chosen(bus.open(bus.plug(text, faults)));
  }

  /** For a test that has failed. */
  void tellLastAccesses(ExtensionContext test) {
    if (trace != null) {
      FailureTrace.of(test).tell(trace.snapshot());
    }
  }

  /** Closes the devices, newest first, then the bus. */
  @Override
  public synchronized void close() {
    List<String> leaks = new ArrayList<>();
    List<PciException> failures = new ArrayList<>();
    try (bus) {
      for (PciDevice device : List.copyOf(devices.sequencedValues()).reversed()) {
        Usage usage = device.usage();
        if (!usage.equals(Usage.NONE)) {
          leaks.add(device.name() + ": " + describe(usage));
        }
        try {
          device.close();
        } catch (PciException e) {
          failures.add(e);
        }
      }
    }
    // What a failed test left open, or left out, says nothing new.
    if (context.getExecutionException().isEmpty()) {
      check(leaks, failures);
    }
  }

  private void check(List<String> leaks, List<PciException> failures) {
    AssertionFailedError failure = null;
    if (!failures.isEmpty()) {
      PciException first = failures.getFirst();
      failure = new AssertionFailedError("when it was closed: " + first.getMessage(), first);
    } else if (!leaks.isEmpty()) {
      failure =
          new AssertionFailedError(
              "left open after the test: " + String.join("; ", leaks) + ". Close what was opened");
    }
    if (failure != null) {
      tellLastAccesses(context);
      throw failure;
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
