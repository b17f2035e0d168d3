package org.gatun.broker.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Set;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBackend;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PolicyExplanationTest {
  private static final DeviceName SPECIMEN = DeviceName.parse("simulated:specimen");

  private final PciDevice device = new SimulatedBackend().seize(SPECIMEN);

  @AfterEach
  void close() {
    device.close();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void leavesNothingOut(boolean permissive) {
    ConfigPolicy policy = new ConfigPolicy(permissive, permissive, Set.of(), List.of());
    ConfigLayout layout = ConfigLayout.of(DeviceSnapshot.of(device), policy);
    int next = 0;
    for (ExplainedRange range : PolicyExplanation.of(device, policy)) {
      assertThat(range.offset()).isEqualTo(next);
      next += range.length();
      for (int offset = range.offset(); offset < next; offset++) {
        int shift = range.value().isPresent() ? 8 * (offset - range.offset()) : 0;
        assertThat(range.writeMask() >>> shift & 0xff)
            .as(range.toString())
            .isEqualTo(layout.writeMask(offset));
      }
    }
    assertThat(next).isEqualTo(device.config().size());
  }

  @Test
  void saysWhatAGuestSeesAndWhichRuleSaysSo() {
    List<ExplainedRange> strict = PolicyExplanation.of(device, ConfigPolicy.STRICT);
    assertThat(strict.getFirst())
        .returns("Vendor ID", ExplainedRange::name)
        .returns(0x1234, range -> range.value().getAsInt())
        .returns(0, ExplainedRange::writeMask)
        .returns("dropped", ExplainedRange::write)
        .returns("built-in, header", ExplainedRange::rule);
    assertThat(named(strict, "Status")).returns("dropped", ExplainedRange::write);
    assertThat(strict)
        .filteredOn(range -> range.part().equals("Vendor Specific"))
        .isNotEmpty()
        .allSatisfy(
            range -> {
              if (range.name().startsWith("hidden")) {
                assertThat(range.readMask()).isZero();
                assertThat(range.rule()).contains("'show: [vendor-specific]' would show it");
              }
            });
    assertThat(strict).anyMatch(range -> range.rule().equals("built-in, hidden: unknown"));
    assertThat(strict).anyMatch(range -> range.rule().equals("default deny"));
  }

  @Test
  void whatAGrantChangesIsNamedAsTheRule() {
    ExplainedRange gap =
        PolicyExplanation.of(device, ConfigPolicy.STRICT).stream()
            .filter(range -> range.rule().equals("default deny") && range.length() >= 4)
            .filter(range -> range.offset() % 4 == 0)
            .findFirst()
            .orElseThrow();
    ConfigPolicy loose =
        new ConfigPolicy(
            true, true, Set.of("vendor-specific"), List.of(new Quirk(gap.offset(), 2, 0xf0)));
    List<ExplainedRange> ranges = PolicyExplanation.of(device, loose);
    assertThat(named(ranges, "quirk"))
        .returns(0xf0, ExplainedRange::writeMask)
        .returns("quirks", ExplainedRange::rule)
        .returns("bits of the mask reach the hardware, the rest is dropped", ExplainedRange::write);
    assertThat(named(ranges, "Status"))
        .returns("reaches the hardware", ExplainedRange::write)
        .returns("built-in, header, permissive", ExplainedRange::rule);
    assertThat(named(ranges, "MSI Message Control").rule())
        .isEqualTo("built-in, MSI, allow-interrupt-control");
    assertThat(ranges).anyMatch(range -> range.rule().equals("show: [vendor-specific]"));
    assertThat(ranges).noneMatch(range -> range.rule().equals("default deny"));
  }

  private static ExplainedRange named(List<ExplainedRange> ranges, String name) {
    return ranges.stream().filter(range -> range.name().equals(name)).findFirst().orElseThrow();
  }
}
