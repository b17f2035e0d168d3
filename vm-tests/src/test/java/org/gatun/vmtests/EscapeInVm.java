package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.service.process.EscapeSuite;
import org.gatun.broker.service.process.GuestProcess;
import org.gatun.broker.service.process.GuestRun;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.PciAddress;
import org.gatun.vfio.VfioBackend;
import org.gatun.vmtests.VfioDevices.Taken;
import org.gatun.vmtests.inside.KernelLog;
import org.junit.jupiter.api.Test;

/** The escape suite with devices through VFIO, all locks closed: for {@link GuestEscapeTest}. */
@InVm
class EscapeInVm extends EscapeSuite {
  private static final int PAGE = 4096;

  /** Each case is two Java machines that start on an emulated processor. */
  private static final int CASES = 4;

  /** The devices are the suite's, not a test's. */
  private final VfioDevices devices = new VfioDevices();

  private final Map<DeviceName, Taken> taken = new LinkedHashMap<>();

  @Override
  protected GuestRun open(Path temporary) throws Exception {
    return new GuestRun(temporary, new VfioBackend());
  }

  @Override
  protected void closeBackend() {
    taken.values().forEach(Taken::giveBack);
  }

  @Override
  protected DeviceName edu(String whose) {
    Taken device = devices.device(whose).bind();
    taken.put(device.name(), device);
    return device.name();
  }

  @Override
  protected byte[] config(DeviceName device) throws Exception {
    return Files.readAllBytes(taken(device).sysfs().directory().resolve("config"));
  }

  @Override
  protected Refusals watch(DeviceName device) throws Exception {
    KernelLog log = KernelLog.mark();
    PciAddress address = taken(device).address();
    return busAddress -> {
      IommuFaults.await(log, address, DmaDirection.TO_DEVICE, busAddress);
      IommuFaults.await(log, address, DmaDirection.FROM_DEVICE, busAddress);
    };
  }

  private Taken taken(DeviceName device) {
    return Objects.requireNonNull(taken.get(device));
  }

  @Override
  protected List<String> choose(List<String> cases) {
    return cases.subList(0, Math.min(CASES, cases.size()));
  }

  @Test
  void aMappingIsNoWayToTheRestOfABar() throws Exception {
    DeviceRequest onePage =
        DeviceRequest.of(taken.keySet().iterator().next())
            .withBars(Map.of(0, List.of(new DeviceRequest.BarPart(0, PAGE))));
    GuestProcess guest =
        start(
            onePage,
            "map grow vfio-device",
            "map copy vfio-device",
            "map shift vfio-device",
            "map punch vfio-device",
            "map execute vfio-device",
            "bar",
            "stay");
    GuestRun.awaitLine(guest, line -> line.startsWith("[bar]"));
    List<String> lines = guest.lastLines();
    List<String> mapped =
        Files.readAllLines(Path.of("/proc", Long.toString(guest.pid()), "maps")).stream()
            .filter(line -> line.contains("[vfio-device]"))
            .toList();
    guest.end("the test has seen it");
    guests().awaitEnd(guest);
    assertThat(lines.subList(0, 3)).allSatisfy(line -> assertThat(line).endsWith("] result -1"));
    // madvise(2) gives what fallocate(2) does: ENODEV, as there is no file to punch a hole into.
    assertThat(lines.get(3)).isEqualTo("[map punch vfio-device] result -19");
    // Its own registers it may do with as it likes.
    assertThat(lines.get(4)).matches("\\[map execute vfio-device\\] result (0|-13)");
    assertThat(lines.get(5)).startsWith("[bar] refused: java.lang.IllegalArgumentException");
    assertThat(mapped)
        .singleElement()
        .satisfies(
            line -> {
              String[] range = line.substring(0, line.indexOf(' ')).split("-", -1);
              assertThat(Long.parseLong(range[1], 16) - Long.parseLong(range[0], 16))
                  .isEqualTo(PAGE);
            });
  }
}
