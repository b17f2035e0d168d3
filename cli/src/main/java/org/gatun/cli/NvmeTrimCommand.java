package org.gatun.cli;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.gatun.driver.nvme.NvmeNamespace;
import org.gatun.specs.nvme.IdentifyNamespace;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code gatun nvme trim}. */
@Command(
    name = "trim",
    mixinStandardHelpOptions = true,
    description = {
      "Tells an NVMe disk that what is in a range is not needed any more (deallocates it). It is"
          + " lost: what the range reads as is up to the disk.",
      "This is no erasure: the data may still be on the media. 'gatun nvme format --secure' erases."
    })
final class NvmeTrimCommand implements Callable<Integer> {
  @Mixin private final NvmeDiskOption diskOption = new NvmeDiskOption();

  @Option(
      names = "--length",
      paramLabel = "SIZE",
      description = "How many bytes; default: to the end.")
  private Optional<ByteSize> length;

  @Option(names = "--yes", description = "Yes, what is in the range may be lost.")
  private boolean yes;

  @Mixin private final Output output = new Output();
  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    if (!yes) {
      throw new IllegalArgumentException(
          "this loses %s from offset %s on %s: say --yes if it may; nothing was trimmed"
              .formatted(
                  length.map(bytes -> bytes.bytes() + " bytes").orElse("all"),
                  diskOption.offset.bytes(),
                  diskOption));
    }
    diskOption.open(
        spec,
        (_, disk) -> {
          NvmeNamespace namespace = disk.namespace();
          DiskRange range = DiskRange.of(namespace, diskOption.offset, length.orElse(null));
          disk.deallocate(range.offset(), range.length());
          report(namespace, range);
        });
    return ExitCode.OK;
  }

  private void report(NvmeNamespace namespace, DiskRange range) {
    String reads = readsAs(namespace.identity());
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("namespace", Integer.toUnsignedLong(namespace.id()));
    json.put("offset", range.offset());
    json.put("length", range.length());
    json.put("readsAs", reads);
    output.print(
        json,
        out ->
            out.printf(
                "%d bytes trimmed at offset %d; a trimmed block reads as %s%n",
                range.length(), range.offset(), reads));
  }

  /** DLFEAT, bits 2:0 (NVM 4.1.5.1). */
  private static String readsAs(IdentifyNamespace namespace) {
    return switch (namespace.dlfeat() & 0x7) {
      case 1 -> "zeros";
      case 2 -> "ones";
      default -> "anything";
    };
  }
}
