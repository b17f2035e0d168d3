package org.gatun.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeDisk;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code gatun nvme read}. */
@Command(
    name = "read",
    mixinStandardHelpOptions = true,
    description = "Reads from an NVMe disk into a file, or to standard output.")
final class NvmeReadCommand implements Callable<Integer> {
  @Mixin private final DeviceOption device = new DeviceOption();
  @Mixin private final NamespaceOption namespace = new NamespaceOption();
  @Mixin private final CompletionOption completion = new CompletionOption();

  @Option(
      names = "--offset",
      paramLabel = "SIZE",
      defaultValue = "0",
      description = "Where to start, in bytes; default: ${DEFAULT-VALUE}.")
  private ByteSize offset;

  @Option(
      names = "--length",
      paramLabel = "SIZE",
      description = "How many bytes; default: to the end.")
  private Optional<ByteSize> length;

  @Option(
      names = "--output",
      paramLabel = "FILE",
      required = true,
      description = "Where to write; - is standard output. A file is replaced when all is read.")
  private String target;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    NvmeOptions options = NvmeOptions.defaults().withCompletion(completion.how);
    try (PciDevice opened = device.open();
        NvmeController controller = NvmeController.open(opened, options);
        NvmeDisk disk = controller.openDisk(namespace.id)) {
      DiskRange range = DiskRange.of(disk.namespace(), offset, length.orElse(null));
      try (OutputFile file = new OutputFile(target);
          Progress progress = new Progress(spec.commandLine().getErr(), "read", range.length())) {
        copy(opened, disk, range, file, progress);
        file.complete();
      }
      PrintWriter err = spec.commandLine().getErr();
      err.printf("%d bytes read at offset %d%n", range.length(), range.offset());
    }
    return ExitCode.OK;
  }

  private static void copy(
      PciDevice device, NvmeDisk disk, DiskRange range, OutputFile file, Progress progress)
      throws IOException {
    try (DmaBuffer buffer = device.dma().allocate(DiskRange.CHUNK, 4096)) {
      ByteBuffer bytes = buffer.segment().asByteBuffer();
      for (DiskRange chunk : range.chunks()) {
        disk.read(chunk.offset(), buffer, 0, chunk.length());
        file.write(bytes.clear().limit((int) chunk.length()));
        progress.step(chunk.length());
      }
    }
  }
}
