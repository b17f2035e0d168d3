package org.gatun.vfio.sysfs;

import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.gatun.pci.PciAddress;

/**
 * The devices that the IOMMU can't tell apart: they are driven from user space together, or not at
 * all.
 *
 * @param number as in {@code /dev/vfio/NUMBER}
 * @param members by address
 */
public record IommuGroup(int number, List<Member> members) {
  /**
   * One device.
   *
   * @param driver the kernel driver that is bound to it
   * @param bridge whether it has no endpoint's header
   */
  public record Member(PciAddress address, Optional<String> driver, boolean bridge) {
    /**
     * Whether its driver keeps the whole group from being used: all do that may do DMA on the
     * kernel's behalf. The port driver and pci-stub don't.
     */
    public boolean blocks() {
      return driver
          .filter(d -> !d.equals("pcieport") && !d.equals("pci-stub") && !isVfioDriver(d))
          .isPresent();
    }

    @Override
    public String toString() {
      return address + (bridge ? " bridge" : "") + " (" + driver.orElse("no driver") + ")";
    }
  }

  /** Copies the members. */
  public IommuGroup {
    members = List.copyOf(members);
  }

  /** The members whose drivers keep the group from being used. */
  public List<Member> blockers() {
    return members.stream().filter(Member::blocks).toList();
  }

  /** Whether nothing keeps the group from being used. */
  public boolean isViable() {
    return blockers().isEmpty();
  }

  /** Whether that is vfio-pci, or one of its variants for particular devices. */
  public static boolean isVfioDriver(String driver) {
    return driver.startsWith("vfio") || driver.endsWith("vfio-pci") || driver.endsWith("vfio_pci");
  }

  /** All members with their drivers, in one line. */
  @Override
  public String toString() {
    return members.stream()
        .map(Member::toString)
        .collect(Collectors.joining(", ", "IOMMU group " + number + ": ", ""));
  }
}
