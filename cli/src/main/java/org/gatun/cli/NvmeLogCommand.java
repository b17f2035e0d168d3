package org.gatun.cli;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.driver.nvme.NvmeStatusException;
import org.gatun.pci.PciException;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.LogPage;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SubmissionEntry;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code gatun nvme log}. */
@Command(
    name = "log",
    mixinStandardHelpOptions = true,
    description = {
      "Shows a log page of an NVMe controller; without --page, which there are, by name.",
      "Pages that have a name are shown in words, where that is known, others byte by byte."
    })
final class NvmeLogCommand implements Callable<Integer> {
  /** Of a page that has no name; each has as many at least. */
  private static final int LENGTH = 512;

  private static final int LONGEST = 64 << 20;

  @Mixin private final DeviceOption device = new DeviceOption();

  @Option(
      names = "--page",
      paramLabel = "PAGE",
      defaultValue = "supported",
      description = "Its name, or its number: smart, 2, 0xc0; default: ${DEFAULT-VALUE}.")
  private String page;

  @Option(
      names = "--namespace",
      paramLabel = "ID",
      description = "The page of a namespace; default: that of the whole controller.")
  private Optional<Dword> namespace = Optional.empty();

  @Option(
      names = "--offset",
      paramLabel = "SIZE",
      description = "Where to start in the page, in bytes; default: at its start.")
  private Optional<ByteSize> offset = Optional.empty();

  @Option(
      names = "--length",
      paramLabel = "SIZE",
      description = "How many bytes; default: all, or 512 of a page that has no name.")
  private Optional<ByteSize> length = Optional.empty();

  @Option(names = "--raw", description = "Show the bytes, not words.")
  private boolean raw;

  @Mixin private final DataOption data = new DataOption();
  @Mixin private final Output output = new Output();
  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    int number = Numbered.parse("log page", NvmeLogPage.values(), page);
    Optional<NvmeLogPage> known = Numbered.find(NvmeLogPage.values(), number);
    boolean bytes = raw || offset.isPresent() || length.isPresent();
    try (HeldDevice held = device.open(spec);
        NvmeController controller = held.openNvme(NvmeOptions.defaults())) {
      IdentifyController identity = controller.identity();
      long size =
          length
              .map(ByteSize::bytes)
              .orElse((long) known.map(p -> p.size(identity)).orElse(LENGTH));
      MemorySegment content = read(controller, number, size);
      if (!data.write(content)) {
        Words words =
            known
                .filter(_ -> !bytes)
                .flatMap(p -> p.words(content, identity))
                .orElseGet(() -> Words.bytes(content, start()));
        output.print(words.json(), words.people());
      }
      return ExitCode.OK;
    }
  }

  private MemorySegment read(NvmeController controller, int number, long size) {
    if (size > LONGEST) {
      throw new IllegalArgumentException(
          "at most %d bytes of a log page are read, not %d".formatted(LONGEST, size));
    }
    int of = namespace.map(Dword::value).orElse(SubmissionEntry.NSID_ALL);
    try {
      return controller.logs().read(number, of, start(), (int) size);
    } catch (NvmeStatusException e) {
      if (e.status().equals(Optional.of(NvmeStatus.INVALID_LOG_PAGE))) {
        throw new PciException(
            controller.name(),
            "the controller has no log page 0x%02x".formatted(number),
            number == LogPage.SUPPORTED_LOG_PAGES
                ? "name one with --page: it does not say which it has"
                : "'gatun nvme log' shows which it has, if it can",
            e);
      }
      throw e;
    }
  }

  private long start() {
    return offset.map(ByteSize::bytes).orElse(0L);
  }
}
