package org.gatun.vfio;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;
import org.gatun.nativeaccess.Errno;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.TimeSource;
import org.gatun.vfio.common.Vfio;
import org.gatun.vfio.sysfs.IommuGroup;
import org.gatun.vfio.sysfs.Sysfs;
import org.jspecify.annotations.Nullable;

/** Why a group can't be opened, and what to do: for each reason that users meet. */
final class OpenFailures {
  private static final Duration MOMENT = Duration.ofMillis(20);

  private final DeviceName device;
  private final IommuGroup group;
  private final Sysfs sysfs;

  OpenFailures(DeviceName device, IommuGroup group, Sysfs sysfs) {
    this.device = device;
    this.group = group;
    this.sysfs = sysfs;
  }

  /** {@code /dev/vfio/vfio} did not open. */
  DeviceUnavailableException container(Path node, LinuxException e) {
    return switch (e.errno()) {
      case ENOENT, ENODEV, ENXIO ->
          failure("VFIO is not loaded", "run 'modprobe vfio-pci' as root", e);
      case EACCES, EPERM ->
          failure(
              "no permission for " + describe(node),
              "it is for all by default: chmod 666 " + node,
              e);
      default -> unexpected(e);
    };
  }

  DeviceUnavailableException version(int version) {
    return failure(
        "the kernel speaks version " + version + " of VFIO, Gatun version " + Vfio.API_VERSION,
        null,
        null);
  }

  DeviceUnavailableException noType1() {
    return failure(
        "the kernel's VFIO has no type 1 IOMMU driver",
        "run 'modprobe vfio_iommu_type1' as root",
        null);
  }

  /** {@code /dev/vfio/NUMBER} did not open. */
  DeviceUnavailableException group(Path node, LinuxException e) {
    return switch (e.errno()) {
      case EACCES ->
          failure(
              "no permission for " + describe(node),
              "run as root, or let your group have it with the udev rule 'SUBSYSTEM==\"vfio\","
                  + " GROUP=\"GROUP\", MODE=\"0660\"'",
              e);
      case EBUSY -> failure(node + " is in use by " + holders(node), "end that first", e);
      case EPERM ->
          failure(
              node + " takes a privileged process: it is a group without IOMMU",
              "see that the IOMMU is on",
              e);
      case ENOENT ->
          failure(
              "there is no " + node,
              "run 'gatun bind " + device.text() + "' as root; in a container, pass the node in",
              e);
      default -> unexpected(e);
    };
  }

  DeviceUnavailableException notViable() {
    List<IommuGroup.Member> blockers = group.blockers();
    return failure(
        "its IOMMU group is not viable; " + group,
        blockers.isEmpty()
            ? "bind all of its endpoints to vfio-pci, or to no driver"
            : blockers.stream()
                .map(m -> "run 'gatun bind " + m.address() + "' as root")
                .collect(Collectors.joining(", ")),
        null);
  }

  /** {@code VFIO_SET_IOMMU} failed. */
  DeviceUnavailableException setIommu(LinuxException e) {
    return e.errno() == Errno.EPERM
        ? failure(
            "the IOMMU does not confine interrupts (no interrupt remapping), so a device could"
                + " forge any",
            "enable interrupt remapping (x2APIC, VT-d) in the firmware's setup",
            e)
        : unexpected(e);
  }

  /** Anything that no user is known to have met. */
  DeviceUnavailableException unexpected(LinuxException e) {
    return failure(String.valueOf(e.getMessage()), "the kernel's log may say why", e);
  }

  /**
   * Whether no process that this one may look at keeps it open. One that is seen with it, and a
   * moment later without, was a child of somebody's that had yet to execute its program.
   */
  boolean isHeldByNobody(Path node) {
    List<Integer> first = pids(node);
    if (first.isEmpty()) {
      return true;
    }
    TimeSource.system().sleep(MOMENT);
    return Collections.disjoint(first, pids(node));
  }

  private List<Integer> pids(Path node) {
    return sysfs.holders(node).stream().map(Sysfs.Holder::pid).toList();
  }

  private String holders(Path node) {
    List<Sysfs.Holder> holders = sysfs.holders(node);
    return holders.isEmpty()
        ? "a process that this user may not see"
        : holders.stream().map(Sysfs.Holder::toString).collect(Collectors.joining(", "));
  }

  private static String describe(Path node) {
    try {
      PosixFileAttributes attributes = Files.readAttributes(node, PosixFileAttributes.class);
      return "%s (owner %s, group %s, %s)"
          .formatted(
              node,
              attributes.owner(),
              attributes.group(),
              PosixFilePermissions.toString(attributes.permissions()));
    } catch (IOException e) {
      return node.toString();
    }
  }

  private DeviceUnavailableException failure(
      String problem, @Nullable String remedy, @Nullable Exception cause) {
    return new DeviceUnavailableException(device, problem, remedy, cause);
  }
}
