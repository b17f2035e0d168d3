package org.gatun.vfio.sysfs;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Why there is no IOMMU that confines a device: the firmware, a kernel parameter, or the device
 * itself.
 *
 * @param problem for people
 * @param remedy what to do
 */
public record IommuDiagnosis(String problem, String remedy) {
  private static final String NONE = "no IOMMU confines it: ";

  /** Looks for the reason why a device has no IOMMU group. */
  public static IommuDiagnosis of(Sysfs sysfs) {
    Path root = sysfs.root();
    List<String> parameters =
        List.of(HostFiles.fields(HostFiles.text(root.resolve("proc/cmdline")).orElse("")));
    if (!HostFiles.list(root.resolve("sys/kernel/iommu_groups")).isEmpty()) {
      return new IommuDiagnosis(
          NONE + "the machine has one, but it does not cover this device",
          "use another slot, or another device");
    }
    // The tables by which firmware tells of an IOMMU: Intel's, AMD's, ARM's.
    Path tables = root.resolve("sys/firmware/acpi/tables");
    boolean intel = Files.exists(tables.resolve("DMAR"));
    boolean amd = Files.exists(tables.resolve("IVRS"));
    boolean arm = Files.exists(tables.resolve("IORT"));
    if (!intel && !amd && !arm) {
      return new IommuDiagnosis(
          NONE + "the firmware offers none",
          "enable VT-d, AMD-Vi or SMMU in the firmware's setup; in a virtual machine, give it a"
              + " virtual IOMMU");
    }
    for (String off : List.of("iommu=off", "intel_iommu=off", "amd_iommu=off")) {
      if (parameters.contains(off)) {
        return new IommuDiagnosis(
            NONE + "the kernel parameter '" + off + "' turns it off",
            "remove it from the kernel's command line and reboot");
      }
    }
    if (intel && parameters.stream().noneMatch(p -> p.startsWith("intel_iommu=on"))) {
      return new IommuDiagnosis(
          NONE + "the firmware offers one, but the kernel does not use it",
          "add 'intel_iommu=on' to the kernel's command line and reboot");
    }
    return new IommuDiagnosis(
        NONE + "the firmware offers one, but the kernel has not enabled it",
        "look for DMAR, AMD-Vi or SMMU in the kernel's log");
  }
}
