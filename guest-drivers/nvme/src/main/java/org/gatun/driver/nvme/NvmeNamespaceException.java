package org.gatun.driver.nvme;

import org.gatun.pci.DeviceName;
import org.gatun.pci.PciException;
import org.jspecify.annotations.Nullable;

/**
 * A namespace is not what it was when it was opened: it has vanished, has shrunk, or was replaced
 * or formatted to other blocks. Nothing was sent to it.
 */
public final class NvmeNamespaceException extends PciException {
  private static final long serialVersionUID = 1L;

  private final int namespaceId;

  NvmeNamespaceException(
      DeviceName device, int namespaceId, String problem, @Nullable String remedy) {
    super(
        device,
        "namespace %s %s".formatted(Integer.toUnsignedString(namespaceId), problem),
        remedy,
        null);
    this.namespaceId = namespaceId;
  }

  /** Its number, unsigned. */
  public int namespaceId() {
    return namespaceId;
  }
}
