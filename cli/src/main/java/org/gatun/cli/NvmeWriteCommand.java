package org.gatun.cli;

import java.io.EOFException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.gatun.driver.nvme.NvmeDisk;
import org.gatun.pci.DmaBuffer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code gatun nvme write}. */
@Command(
    name = "write",
    mixinStandardHelpOptions = true,
    description = "Writes a file, or standard input, to an NVMe disk. What was there is lost.")
final class NvmeWriteCommand implements Callable<Integer> {
  @Mixin private final NvmeDiskOption diskOption = new NvmeDiskOption();

  @Option(
      names = "--length",
      paramLabel = "SIZE",
      description = "How many bytes; default: the whole file. Needed with a pipe or a device.")
  private Optional<ByteSize> length;

  @Option(
      names = "--input",
      paramLabel = "FILE",
      required = true,
      description = "What to write; - is standard input.")
  private String source;

  @Option(names = "--yes", description = "Yes, overwrite what is on the disk.")
  private boolean yes;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    if (!yes) {
      throw new IllegalArgumentException(
          "this overwrites what is on the disk: say --yes if it may; nothing was written");
    }
    ByteSize wanted = new ByteSize(inputLength());
    try (ReadableByteChannel channel = openSource()) {
      diskOption.open(spec, (held, disk) -> write(channel, held, disk, wanted));
    }
    return ExitCode.OK;
  }

  private void write(ReadableByteChannel channel, HeldDevice held, NvmeDisk disk, ByteSize wanted)
      throws IOException {
    DiskRange range = DiskRange.of(disk.namespace(), diskOption.offset, wanted);
    PrintWriter err = spec.commandLine().getErr();
    try (Progress progress = new Progress(err, "write", range.length())) {
      copy(channel, held, disk, range, progress);
      disk.flush();
    }
    err.printf("%d bytes written at offset %d%n", range.length(), range.offset());
  }

  private void copy(
      ReadableByteChannel channel,
      HeldDevice held,
      NvmeDisk disk,
      DiskRange range,
      Progress progress)
      throws IOException {
    try (DmaBuffer buffer = held.device().dma().allocate(DiskRange.CHUNK, 4096)) {
      ByteBuffer bytes = buffer.segment().asByteBuffer();
      for (DiskRange chunk : range.chunks()) {
        held.check();
        bytes.clear().limit((int) chunk.length());
        while (bytes.hasRemaining()) {
          if (channel.read(bytes) < 0) {
            throw new EOFException(
                "%s ended early: %d bytes were written of %d"
                    .formatted(source, chunk.offset() - range.offset(), range.length()));
          }
        }
        disk.write(chunk.offset(), buffer, 0, chunk.length());
        progress.step(chunk.length());
      }
    }
  }

  private long inputLength() throws IOException {
    ByteSize given = length.orElse(null);
    if (source.equals("-") || isWithoutSize(Path.of(source))) {
      if (given == null) {
        throw new IllegalArgumentException(
            "--length is needed with what is no regular file; nothing was written");
      }
      return given.bytes();
    }
    long size = Files.size(Path.of(source));
    if (given != null && given.bytes() > size) {
      throw new IllegalArgumentException(
          "%s has %d bytes, fewer than --length %d; nothing was written"
              .formatted(source, size, given.bytes()));
    }
    return given == null ? size : given.bytes();
  }

  /** A pipe or a device: its size reads as 0, whatever it holds. */
  private static boolean isWithoutSize(Path path) {
    return Files.exists(path) && !Files.isRegularFile(path);
  }

  private ReadableByteChannel openSource() throws IOException {
    return source.equals("-")
        ? Channels.newChannel(System.in)
        : FileChannel.open(Path.of(source), StandardOpenOption.READ);
  }
}
