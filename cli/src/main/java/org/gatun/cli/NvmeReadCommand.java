package org.gatun.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.gatun.driver.nvme.NvmeDisk;
import org.gatun.pci.DmaBuffer;
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
  @Mixin private final NvmeDiskOption diskOption = new NvmeDiskOption();

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
    diskOption.open(spec, this::read);
    return ExitCode.OK;
  }

  private void read(HeldDevice held, NvmeDisk disk) throws IOException {
    DiskRange range = DiskRange.of(disk.namespace(), diskOption.offset, length.orElse(null));
    PrintWriter err = spec.commandLine().getErr();
    try (OutputFile file = new OutputFile(target);
        Progress progress = new Progress(err, "read", range.length())) {
      copy(held, disk, range, file, progress);
      file.complete();
    }
    err.printf("%d bytes read at offset %d%n", range.length(), range.offset());
  }

  private static void copy(
      HeldDevice held, NvmeDisk disk, DiskRange range, OutputFile file, Progress progress)
      throws IOException {
    try (DmaBuffer buffer = held.device().dma().allocate(DiskRange.CHUNK, 4096)) {
      ByteBuffer bytes = buffer.segment().asByteBuffer();
      for (DiskRange chunk : range.chunks()) {
        held.check();
        disk.read(chunk.offset(), buffer, 0, chunk.length());
        file.write(bytes.clear().limit((int) chunk.length()));
        progress.step(chunk.length());
      }
    }
  }
}
