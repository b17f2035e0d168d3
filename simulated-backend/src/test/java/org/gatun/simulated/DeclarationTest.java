package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.gatun.pci.Bar;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.simulated.CapabilityDescription.Register;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.FunctionDescription.InterruptDescription;
import org.gatun.simulated.FunctionDescription.Msix;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;

/** What no function can be is refused when it is described, and the message says which part. */
@NullMarked
class DeclarationTest {
  private static final InterruptDescription NONE = new InterruptDescription(0, 0, Optional.empty());
  private static final Bar.Range TRAPPED = new Bar.Range(0, 0x1000, Bar.Access.TRAPPED);
  private static final Bar.Range DIRECT = new Bar.Range(0x1000, 0x1000, Bar.Access.DIRECT);

  @Test
  void bars() {
    refuses(
        () -> BarDescription.trapped(0, 3000, false), "BAR 0: its size", "power of two, ", "3000");
    refuses(() -> BarDescription.trapped(1, 8, false), "BAR 1: its size", "8");
    refuses(() -> BarDescription.trapped(2, 1L << 32, false), "BAR 2: its size", "not wide");
    refuses(() -> BarDescription.ports(3, 512), "BAR 3: its size", "512");
    refuses(() -> BarDescription.trapped(6, 0x1000, false), "BAR 6: its index");
    refuses(() -> BarDescription.trapped(5, 0x1000, true), "BAR 5: its index");
    refuses(
        () -> new BarDescription(4, Bar.Kind.IO, 16, false, true, List.of(), List.of()),
        "BAR 4: ports are neither wide nor prefetchable");
    refuses(
        () -> new BarDescription(0, 0x2000, false, false, List.of(TRAPPED)),
        "BAR 0: its ranges end at 0x1000, and it at 0x2000");
    refuses(
        () -> new BarDescription(0, 0x2000, false, false, List.of(DIRECT)),
        "BAR 0: of its ranges, the one at 0x1000 is to start at 0x0");
    BarDescription both = new BarDescription(0, 0x2000, false, false, List.of(TRAPPED, DIRECT));
    refuses(
        () -> both.withDoorbells(List.of(new Bar.Doorbell(0x1000, 4, 1))),
        "BAR 0: its doorbell at 0x1000");
  }

  @Test
  void functions() {
    BarDescription wide = BarDescription.trapped(0, 0x1000, true);
    BarDescription second = BarDescription.trapped(1, 0x1000, false);
    refuses(() -> function(List.of(wide, second), NONE), "bars: the register of BAR 1");
    refuses(
        () -> describe(0x060400, List.of(BarDescription.trapped(2, 16, false)), 0, List.of()),
        "BAR 2: a bridge");
    refuses(() -> describe(0x080000, List.of(), 3000, List.of()), "romSize", "3000");
    refuses(() -> describe(0x080000, List.of(), 1024, List.of()), "romSize", "1024");
    refuses(
        () -> describe(0x080000, List.of(), 0, List.of(StandardCapabilities.errorReporting())),
        "capabilities: extended capability 0x1 needs PCI Express");
    refuses(
        () ->
            new FunctionDescription(
                new PciId(1, 1, 1, 1), new PciClass(0), 256, false, List.of(), NONE),
        "revision",
        "256");
  }

  @Test
  void interrupts() {
    refuses(() -> new InterruptDescription(5, 0, Optional.empty()), "pin", "5");
    refuses(() -> new InterruptDescription(0, 3, Optional.empty()), "msiVectors", "3");
    refuses(() -> new InterruptDescription(0, 64, Optional.empty()), "msiVectors", "64");
    refuses(() -> new Msix(0, 0, 0, 0x800), "MSI-X vectors", "0");
    refuses(() -> new Msix(2049, 0, 0, 0x800), "MSI-X vectors", "2049");
    refuses(() -> new Msix(1, 0, 4, 0x800), "MSI-X table", "0x4");
    refuses(() -> new Msix(1, 0, 0, -8), "MSI-X pending bits");
    BarDescription both = new BarDescription(0, 0x2000, false, false, List.of(TRAPPED, DIRECT));
    refuses(() -> withTable(both, new Msix(16, 0, 0xf80, 0)), "MSI-X table: 256 bytes at 0xf80");
    refuses(() -> withTable(both, new Msix(16, 0, 0, 0x1000)), "MSI-X pending bits", "0x1000");
    refuses(() -> withTable(both, new Msix(16, 1, 0, 0x800)), "MSI-X table", "BAR 1");
    refuses(() -> withTable(both, new Msix(16, 0, 0, 0xf8)), "0x0", "0xf8", "overlap");
  }

  @Test
  void capabilities() {
    Register low = new Register(4, 4, 0, 0, 0);
    refuses(() -> conventional(8, low, new Register(6, 2, 0, 0, 0)), "0x9", "offset 6 overlaps");
    refuses(() -> conventional(8, new Register(8, 2, 0, 0, 0)), "0x9", "offset 8 is not inside 8");
    refuses(() -> conventional(8, new Register(0, 2, 0, 0, 0)), "0x9", "offset 0");
    refuses(() -> conventional(0xc4), "0x9: its length", "196");
    refuses(() -> new Register(2, 3, 0, 0, 0), "offset 2, width 3");
    refuses(() -> new Register(3, 2, 0, 0, 0), "offset 3, width 2");
    refuses(() -> new Register(2, 2, 0, 0x1_0000, 0), "offset 2 has bits past its 2 bytes");
    refuses(() -> new Register(2, 2, 0, 3, 2), "offset 2 is both writable and clearable");
    refuses(() -> new CapabilityDescription(0x9, 1, false, 8, List.of()), "0x9: its version", "1");
    refuses(() -> new CapabilityDescription(0x100, 0, false, 8, List.of()), "id", "0x100");
    refuses(() -> new CapabilityDescription(Capability.MSI, 0, false, 8, List.of()), "MSI");
  }

  /** Where capabilities are depends on all of them: config space is laid out in the slot. */
  @Test
  void capabilitiesPastTheEndOfConfigSpace() {
    List<CapabilityDescription> many = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      many.add(StandardCapabilities.vendorSpecific(0x40));
    }
    List<CapabilityDescription> extended = new ArrayList<>();
    extended.add(StandardCapabilities.expressEndpoint(true));
    for (int i = 0; i < 3; i++) {
      extended.add(StandardCapabilities.vendorSpecificExtended(i, 0x600));
    }
    try (SimulatedBus bus = SimulatedBus.virtualTime()) {
      refuses(
          () -> bus.plug("many", model(describe(0x080000, List.of(), 0, many))),
          "capability 0x9: 64 bytes at 0x100 go past the end");
      refuses(
          () -> bus.plug("extended", model(describe(0x080000, List.of(), 0, extended))),
          "extended capability 0xb: 1536 bytes at 0xd00 go past the end, at 0x1000");
      assertThat(bus.scan()).isEmpty();
    }
  }

  private static DeviceModel model(FunctionDescription description) {
    return new RegisterModel(description, List.of(), _ -> {});
  }

  private static FunctionDescription withTable(BarDescription bar, Msix table) {
    return function(List.of(bar), new InterruptDescription(0, 0, Optional.of(table)));
  }

  private static FunctionDescription function(
      List<BarDescription> bars, InterruptDescription interrupts) {
    return new FunctionDescription(
        new PciId(1, 1, 1, 1), new PciClass(0x080000), 0, true, bars, interrupts);
  }

  private static FunctionDescription describe(
      int code, List<BarDescription> bars, long rom, List<CapabilityDescription> capabilities) {
    return new FunctionDescription(
        new PciId(1, 1, 1, 1), new PciClass(code), 0, bars, rom, NONE, capabilities, Set.of());
  }

  private static CapabilityDescription conventional(int length, Register... registers) {
    return new CapabilityDescription(
        Capability.VENDOR_SPECIFIC, 0, false, length, List.of(registers));
  }

  private static void refuses(Runnable declaration, String... words) {
    assertThatIllegalArgumentException()
        .isThrownBy(declaration::run)
        .satisfies(e -> assertThat(e.getMessage()).contains(words));
  }
}
