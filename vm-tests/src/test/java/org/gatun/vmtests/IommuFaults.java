package org.gatun.vmtests;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.PciAddress;
import org.gatun.vmtests.inside.KernelLog;

/** What the kernel logs when Intel's IOMMU refuses an access. */
final class IommuFaults {
  /** The IOMMU interrupts, and a thread of the kernel's logs. */
  private static final Duration LIMIT = Duration.ofSeconds(30);

  private IommuFaults() {}

  /**
   * Waits for the fault of an access, since the mark.
   *
   * @param direction as in a mapping: TO_DEVICE is a read by the device
   */
  static void await(KernelLog log, PciAddress device, DmaDirection direction, long busAddress)
      throws IOException, InterruptedException {
    // DMAR: [DMA Read NO_PASID] Request device [01:00.0] fault addr 0x7d000 [fault reason 0x06] ...
    String line =
        "DMAR: \\[DMA %s.*\\] Request device %s.* fault addr 0x%x[0-9a-f]{3} "
            .formatted(
                direction == DmaDirection.TO_DEVICE ? "Read" : "Write",
                bracketed(device),
                busAddress >>> 12);
    log.await(Pattern.compile(line), LIMIT);
  }

  /**
   * The accesses of a device that were refused since the mark, as far as the kernel logged them.
   */
  static List<String> of(KernelLog log, PciAddress device)
      throws IOException, InterruptedException {
    Pattern request = Pattern.compile("DMAR:.*Request device " + bracketed(device));
    return log.lines().stream().filter(line -> request.matcher(line).find()).toList();
  }

  private static String bracketed(PciAddress device) {
    return "\\[" + Pattern.quote(device.toString().substring("0000:".length())) + "\\]";
  }
}
