package org.gatun.cli;

import java.io.IOException;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeDisk;
import org.gatun.driver.nvme.NvmeOptions;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** The disk that is read or written, and from where on. A mixin. */
final class NvmeDiskOption {
  @Mixin private final DeviceOption device = new DeviceOption();
  @Mixin private final NamespaceOption namespace = new NamespaceOption();
  @Mixin private final CompletionOption completion = new CompletionOption();

  @Option(
      names = "--offset",
      paramLabel = "SIZE",
      defaultValue = "0",
      description = "Where to start, in bytes; default: ${DEFAULT-VALUE}.")
  ByteSize offset;

  /** For people: {@code namespace 1 of simulated:nvme}. */
  @Override
  public String toString() {
    return "namespace %s of %s".formatted(namespace.id, device);
  }

  /** What a command does with a disk. */
  @FunctionalInterface
  interface Work {
    void on(HeldDevice device, NvmeDisk disk) throws IOException;
  }

  /** Opens the disk for a command, does the work, and shuts the disk down. */
  void open(CommandSpec command, Work work) throws IOException {
    NvmeOptions options = NvmeOptions.defaults().withCompletion(completion.how);
    try (HeldDevice held = device.open(command);
        NvmeController controller = held.openNvme(options);
        NvmeDisk disk = controller.openDisk(namespace.id.value())) {
      work.on(held, disk);
    }
  }
}
