package org.gatun.cli;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.pci.DeviceName;
import org.gatun.pci.spi.Backends;
import org.gatun.pci.spi.Failures;

/** The disks that a copy has open: each once, also if both ends are on it. */
final class CopyDisks implements AutoCloseable {
  private final Interruption interruption;
  private final NvmeOptions options;
  private final Map<DeviceName, Disk> disks = new ConcurrentHashMap<>();

  /** A disk that is open. */
  record Disk(HeldDevice held, NvmeController controller) {}

  CopyDisks(Interruption interruption, NvmeOptions options) {
    this.interruption = interruption;
    this.options = options;
  }

  /** Opens a disk, unless it is open. */
  Disk disk(DeviceName name) {
    Disk disk = disks.computeIfAbsent(Backends.of(name).nameOf(name), _ -> open(name));
    // Each device that is opened asks for itself; now all are to be let go of.
    interruption.guard(() -> forEach(d -> d.held.abandon()));
    return disk;
  }

  private Disk open(DeviceName name) {
    HeldDevice held = HeldDevice.of(Backends.open(name), interruption);
    try {
      return new Disk(held, held.openNvme(options));
    } catch (RuntimeException e) {
      held.close();
      throw e;
    }
  }

  /**
   * To be called between the steps of a copy.
   *
   * @throws org.gatun.pci.PciException if it has to let go of a disk, saying why
   */
  void check() {
    for (Disk disk : disks.values()) {
      disk.held.check();
    }
  }

  @Override
  public void close() {
    forEach(
        disk -> {
          try (disk.held) {
            disk.controller.close();
          }
        });
  }

  private void forEach(Consumer<Disk> step) {
    Failures failures = new Failures();
    disks.values().forEach(disk -> failures.attempt(() -> step.accept(disk)));
    failures.rethrow();
  }
}
