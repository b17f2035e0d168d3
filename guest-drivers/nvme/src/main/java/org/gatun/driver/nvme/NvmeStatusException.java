package org.gatun.driver.nvme;

import java.util.Optional;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciException;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeStatus;
import org.jspecify.annotations.Nullable;

/** A controller completed a command with an error. */
public final class NvmeStatusException extends PciException {
  private static final long serialVersionUID = 1L;

  private final int opcode;
  private final int status;
  private final int namespaceId;
  private final long lba;

  private NvmeStatusException(
      DeviceName device,
      String problem,
      @Nullable String remedy,
      int opcode,
      int status,
      int namespaceId,
      long lba) {
    super(device, problem, remedy, null);
    this.opcode = opcode;
    this.status = status;
    this.namespaceId = namespaceId;
    this.lba = lba;
  }

  static NvmeStatusException ofAdmin(DeviceName device, int opcode, int status, int namespaceId) {
    String of = namespaceId == 0 ? "" : " of namespace " + Integer.toUnsignedString(namespaceId);
    return new NvmeStatusException(
        device,
        AdminOpcode.name(opcode) + of + ": " + NvmeStatus.describe(status),
        null,
        opcode,
        status,
        namespaceId,
        -1);
  }

  /**
   * @param ended what the driver has done that ended the command, and why; empty if the controller
   *     did
   */
  static NvmeStatusException ofIo(
      DeviceName device,
      int opcode,
      int status,
      int namespaceId,
      long lba,
      Optional<String> ended) {
    return new NvmeStatusException(
        device,
        "%s on namespace %s%s: %s%s"
            .formatted(
                NvmOpcode.name(opcode),
                Integer.toUnsignedString(namespaceId),
                lba < 0 ? "" : " at LBA " + lba,
                NvmeStatus.describe(status),
                ended.map(why -> ": " + why).orElse("")),
        ended.isPresent() ? "try again: the command may have taken effect, or not" : null,
        opcode,
        status,
        namespaceId,
        lba);
  }

  /** The opcode of the command. */
  public int opcode() {
    return opcode;
  }

  /** All 15 bits of the status, for {@link NvmeStatus} to read. */
  public int statusField() {
    return status;
  }

  /** The status by name; empty if it has none. */
  public Optional<NvmeStatus> status() {
    return NvmeStatus.of(status);
  }

  /** The namespace, unsigned; 0 if the command has none. */
  public int namespaceId() {
    return namespaceId;
  }

  /** The first logical block of the command; -1 if it has none. */
  public long lba() {
    return lba;
  }
}
