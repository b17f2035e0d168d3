package org.gatun.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.gatun.driver.nvme.Completion;
import org.gatun.driver.nvme.NvmeNamespace;
import org.gatun.driver.nvme.NvmeOptions;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code gatun nvme copy}. */
@Command(
    name = "copy",
    mixinStandardHelpOptions = true,
    description = {
      "Copies from a namespace to a file, from a file to a namespace, or from one namespace to"
          + " another, with several transfers in flight.",
      "A file is replaced when all is there, with holes where there are zeros. Pipes are for 'gatun"
          + " nvme read' and 'write'."
    })
final class NvmeCopyCommand implements Callable<Integer> {
  @Parameters(
      index = "0",
      paramLabel = "SOURCE",
      description = "A device, like vfio:0000:00:04.0, or a file, like disk.img or ./a:b.")
  private CopyPlace source;

  @Parameters(
      index = "1",
      paramLabel = "TARGET",
      description = "Likewise. What is on a namespace is overwritten, which needs --yes.")
  private CopyPlace target;

  @Option(
      names = "--source-namespace",
      paramLabel = "ID",
      description = "The namespace that is read; default: 1.")
  private Optional<NamespaceId> sourceNamespace;

  @Option(
      names = "--source-offset",
      paramLabel = "SIZE",
      defaultValue = "0",
      description = "Where to start to read, in bytes; default: ${DEFAULT-VALUE}.")
  private ByteSize sourceOffset;

  @Option(
      names = "--target-namespace",
      paramLabel = "ID",
      description = "The namespace that is written; default: 1.")
  private Optional<NamespaceId> targetNamespace;

  @Option(
      names = "--target-offset",
      paramLabel = "SIZE",
      description = "Where to start to write on it, in bytes; default: 0.")
  private Optional<ByteSize> targetOffset;

  @Option(
      names = "--length",
      paramLabel = "SIZE",
      description = "How many bytes; default: to the end of the source.")
  private Optional<ByteSize> length;

  @Option(names = "--verify", description = "Then read both, and compare.")
  private boolean verify;

  @Option(names = "--yes", description = "Yes, overwrite what is on the namespace.")
  private boolean yes;

  @Mixin private final CompletionOption completion = new CompletionOption();
  @Mixin private final Output output = new Output();
  @Spec private CommandSpec spec;

  /** What the command is called with. */
  private record Places(CopyPlace source, CopyPlace target) {}

  /** A part of a namespace that is open. */
  private record DiskPart(CopyDisks.Disk disk, NvmeNamespace namespace, DiskRange range) {
    CopyDiskEnd end(int chunk, Completion completion) {
      return new CopyDiskEnd(
          disk.held(), disk.controller(), namespace, completion, range.offset(), chunk);
    }

    boolean overlaps(DiskPart other) {
      return disk.equals(other.disk)
          && namespace.id() == other.namespace.id()
          && range.offset() < other.range.offset() + other.range.length()
          && other.range.offset() < range.offset() + range.length();
    }
  }

  @Override
  public Integer call() throws IOException {
    NvmeOptions options = NvmeOptions.defaults().withCompletion(completion.how);
    try (CopyDisks disks = new CopyDisks(Gatun.of(spec).interruption, options)) {
      switch (new Places(source, target)) {
        case Places(CopyPlace.Device from, CopyPlace.Device to) -> diskToDisk(disks, from, to);
        case Places(CopyPlace.Device from, CopyPlace.File to) -> diskToFile(disks, from, to);
        case Places(CopyPlace.File from, CopyPlace.Device to) -> fileToDisk(disks, from, to);
        case Places(CopyPlace.File _, CopyPlace.File _) ->
            throw new ParameterException(
                spec.commandLine(),
                "'%s' and '%s' are files, not devices: cp copies them".formatted(source, target));
      }
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    return ExitCode.OK;
  }

  private void diskToDisk(CopyDisks disks, CopyPlace.Device from, CopyPlace.Device to)
      throws IOException {
    checkYes();
    DiskPart read = source(disks, from);
    DiskPart written = target(disks, to, read.range.length());
    if (read.overlaps(written)) {
      throw new IllegalArgumentException(
          "source and target overlap, on namespace %s of %s; nothing was written"
              .formatted(Integer.toUnsignedString(read.namespace.id()), from));
    }
    int chunk = chunk(read, written);
    try (CopyDiskEnd sourceEnd = read.end(chunk, completion.how);
        CopyDiskEnd targetEnd = written.end(chunk, completion.how)) {
      NvmeCopy copy = new NvmeCopy(sourceEnd, targetEnd, read.range.length(), chunk, disks::check);
      double seconds = copy(copy);
      if (verify) {
        verify(copy);
      }
      report(copy.length(), seconds);
    }
  }

  private void diskToFile(CopyDisks disks, CopyPlace.Device from, CopyPlace.File to)
      throws IOException {
    if (targetNamespace.isPresent() || targetOffset.isPresent()) {
      throw new ParameterException(
          spec.commandLine(), "--target-namespace and --target-offset are for a device");
    }
    if (Files.exists(to.path())) {
      checkRegular(to.path(), "read --output");
    }
    DiskPart read = source(disks, from);
    int chunk = chunk(read);
    try (OutputFile file = new OutputFile(to.path().toString());
        CopyDiskEnd sourceEnd = read.end(chunk, completion.how)) {
      long bytes = read.range.length();
      CopyEnd targetEnd = fileEnd(to, file.channel(), 0, chunk, sourceEnd.memory());
      double seconds = copy(new NvmeCopy(sourceEnd, targetEnd, bytes, chunk, disks::check));
      if (verify) {
        CopyEnd again = fileEnd(to, file.channel(), 0, chunk, memory(chunk));
        verify(new NvmeCopy(sourceEnd, again, bytes, chunk, disks::check));
      }
      file.complete();
      report(bytes, seconds);
    }
  }

  private void fileToDisk(CopyDisks disks, CopyPlace.File from, CopyPlace.Device to)
      throws IOException {
    checkYes();
    if (sourceNamespace.isPresent()) {
      throw new ParameterException(spec.commandLine(), "--source-namespace is for a device");
    }
    try (FileChannel file = FileChannel.open(from.path(), StandardOpenOption.READ)) {
      checkRegular(from.path(), "write --input");
      long bytes = fileLength(from, file.size());
      DiskPart written = target(disks, to, bytes);
      int chunk = chunk(written);
      long offset = sourceOffset.bytes();
      try (CopyDiskEnd targetEnd = written.end(chunk, completion.how)) {
        CopyEnd sourceEnd = fileEnd(from, file, offset, chunk, targetEnd.memory());
        double seconds = copy(new NvmeCopy(sourceEnd, targetEnd, bytes, chunk, disks::check));
        if (verify) {
          CopyEnd again = fileEnd(from, file, offset, chunk, memory(chunk));
          verify(new NvmeCopy(again, targetEnd, bytes, chunk, disks::check));
        }
        report(bytes, seconds);
      }
    }
  }

  private void checkYes() {
    if (!yes) {
      throw new IllegalArgumentException(
          "this overwrites what is on namespace %s of %s: say --yes if it may; nothing was written"
              .formatted(targetNamespace.orElse(NamespaceId.FIRST), target));
    }
  }

  private static void checkRegular(Path file, String instead) {
    if (!Files.isRegularFile(file)) {
      throw new IllegalArgumentException(
          "%s is not a regular file: use 'gatun nvme %s'; nothing was written"
              .formatted(file, instead));
    }
  }

  private long fileLength(CopyPlace.File file, long size) {
    long left = size - sourceOffset.bytes();
    long bytes = length.map(ByteSize::bytes).orElse(left);
    if (left < 0 || bytes > left) {
      throw new IllegalArgumentException(
          "%s has %d bytes: offset %d%s is past its end; nothing was written"
              .formatted(
                  file,
                  size,
                  sourceOffset.bytes(),
                  length.map(l -> " and length " + l.bytes()).orElse("")));
    }
    return bytes;
  }

  private DiskPart source(CopyDisks disks, CopyPlace.Device device) {
    return part(disks, device, sourceNamespace, sourceOffset, length.orElse(null));
  }

  private DiskPart target(CopyDisks disks, CopyPlace.Device device, long bytes) {
    ByteSize offset = targetOffset.orElse(new ByteSize(0));
    return part(disks, device, targetNamespace, offset, new ByteSize(bytes));
  }

  private static DiskPart part(
      CopyDisks disks,
      CopyPlace.Device device,
      Optional<NamespaceId> id,
      ByteSize offset,
      @Nullable ByteSize bytes) {
    CopyDisks.Disk disk = disks.disk(device.name());
    NvmeNamespace namespace = disk.controller().namespace(id.orElse(NamespaceId.FIRST).value());
    try {
      return new DiskPart(disk, namespace, DiskRange.of(namespace, offset, bytes));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(device + ": " + e.getMessage(), e);
    }
  }

  /** A transfer that all of them take: a multiple of each one's block. */
  private static int chunk(DiskPart... parts) {
    int chunk = NvmeCopy.MAX_CHUNK;
    int block = 1;
    for (DiskPart part : parts) {
      NvmeNamespace namespace = part.namespace;
      chunk = (int) Math.min(chunk, (long) namespace.maxTransferBlocks() * namespace.blockSize());
      block = Math.max(block, namespace.blockSize());
    }
    if (chunk < block) {
      throw new IllegalArgumentException(
          "blocks of %d bytes are too long: a transfer has at most %d".formatted(block, chunk));
    }
    return chunk / block * block;
  }

  private static CopyEnd fileEnd(
      CopyPlace.File file, FileChannel channel, long offset, int chunk, MemorySegment memory) {
    return new CopyFileEnd(file.toString(), channel, offset, memory, chunk);
  }

  private static MemorySegment memory(int chunk) {
    return Arena.ofAuto().allocate((long) chunk * NvmeCopy.SLOTS);
  }

  /**
   * @return how many seconds it took
   */
  private double copy(NvmeCopy copy) {
    try (Progress progress = progress("copy", copy)) {
      long start = System.nanoTime();
      copy.copy(progress);
      return (System.nanoTime() - start) / 1e9;
    }
  }

  private void verify(NvmeCopy copy) throws IOException {
    try (Progress progress = progress("verify", copy)) {
      long mismatch = copy.mismatch(progress);
      if (mismatch >= 0) {
        throw new IOException(
            "%s differs from %s at byte %d of the copy; see 'gatun nvme smart', and copy again"
                .formatted(target, source, mismatch));
      }
    }
  }

  private Progress progress(String task, NvmeCopy copy) {
    return new Progress(spec.commandLine().getErr(), task, copy.length());
  }

  private void report(long bytes, double seconds) {
    double mebibytesPerSecond = bytes / seconds / (1 << 20);
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("source", source.toString());
    json.put("target", target.toString());
    json.put("bytes", bytes);
    json.put("seconds", seconds);
    json.put("mebibytesPerSecond", mebibytesPerSecond);
    json.put("verified", verify);
    output.print(
        json,
        out ->
            out.printf(
                "%d bytes copied%s in %.2f s: %.1f MiB/s%n",
                bytes, verify ? " and verified" : "", seconds, mebibytesPerSecond));
  }
}
