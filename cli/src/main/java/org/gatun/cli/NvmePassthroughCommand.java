package org.gatun.cli;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import org.gatun.driver.nvme.NvmeCommand;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.driver.nvme.NvmeQueuePair;
import org.gatun.driver.nvme.NvmeResult;
import org.gatun.pci.PciException;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.DataTransfer;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeStatus;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code gatun nvme passthrough}. */
@Command(
    name = "passthrough",
    mixinStandardHelpOptions = true,
    description = {
      "Sends a command of any kind to an NVMe controller, and shows what it answers. Numbers are"
          + " decimal or hexadecimal: 6, 0x06.",
      "Identify, Get Log Page, Get Features, Read, Compare, Verify and Flush change nothing; all"
          + " others need --yes, and so do these if they can have data, and neither --read nor"
          + " --write says how many. The driver refuses those that would break it."
    })
final class NvmePassthroughCommand implements Callable<Integer> {
  private static final Set<Integer> HARMLESS_ADMIN =
      Set.of(AdminOpcode.IDENTIFY, AdminOpcode.GET_LOG_PAGE, AdminOpcode.GET_FEATURES);
  private static final Set<Integer> HARMLESS_IO =
      Set.of(NvmOpcode.READ, NvmOpcode.COMPARE, NvmOpcode.VERIFY, NvmOpcode.FLUSH);

  @Mixin private final DeviceOption device = new DeviceOption();

  /** Where the command goes. */
  private static final class Kind {
    @Option(names = "--admin", description = "An Admin command, which is the default.")
    private boolean admin;

    @Option(names = "--io", description = "An I/O command.")
    private boolean io;

    boolean isIo() {
      return io && !admin;
    }
  }

  @ArgGroup private Kind kind = new Kind();

  @Option(names = "--opcode", paramLabel = "N", required = true, description = "The opcode.")
  private Dword opcode;

  @Option(names = "--nsid", paramLabel = "N", description = "The namespace; default: 0, none.")
  private Dword namespace = new Dword(0);

  @Option(names = "--cdw10", paramLabel = "N", description = "Command dword 10; default: 0.")
  private Dword dword10 = new Dword(0);

  @Option(names = "--cdw11", paramLabel = "N", description = "Command dword 11; default: 0.")
  private Dword dword11 = new Dword(0);

  @Option(names = "--cdw12", paramLabel = "N", description = "Command dword 12; default: 0.")
  private Dword dword12 = new Dword(0);

  @Option(names = "--cdw13", paramLabel = "N", description = "Command dword 13; default: 0.")
  private Dword dword13 = new Dword(0);

  @Option(names = "--cdw14", paramLabel = "N", description = "Command dword 14; default: 0.")
  private Dword dword14 = new Dword(0);

  @Option(names = "--cdw15", paramLabel = "N", description = "Command dword 15; default: 0.")
  private Dword dword15 = new Dword(0);

  @Option(
      names = "--read",
      paramLabel = "SIZE",
      description = "How many bytes the controller returns, as the dwords tell it.")
  private Optional<ByteSize> read = Optional.empty();

  @Option(
      names = "--write",
      paramLabel = "FILE",
      description = "The bytes that the controller gets, as many as the dwords tell it.")
  private Optional<Path> write = Optional.empty();

  @Option(
      names = "--timeout",
      paramLabel = "S",
      description = "Seconds until the controller is reset; default: 30.")
  private double timeout = 30;

  @Option(names = "--yes", description = "Yes, send it, whatever it changes.")
  private boolean yes;

  @Mixin private final DataOption data = new DataOption();
  @Mixin private final Output output = new Output();
  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    NvmeCommand command = command();
    if (!yes) {
      checkHarmless(command);
    }
    try (HeldDevice held = device.open(spec);
        NvmeController controller = held.openNvme(NvmeOptions.defaults())) {
      NvmeResult result =
          kind.isIo() ? executeIo(controller, command) : controller.execute(command);
      if (!result.isSuccess()) {
        throw new PciException(
            controller.name(),
            "%s: %s".formatted(name(), NvmeStatus.describe(result.status())),
            null,
            null);
      }
      report(result);
      return ExitCode.OK;
    }
  }

  private void checkHarmless(NvmeCommand command) {
    if (!(kind.isIo() ? HARMLESS_IO : HARMLESS_ADMIN).contains(command.opcode())) {
      throw new IllegalArgumentException(
          "%s may change what is on %s, or the device: say --yes if it may; nothing was sent"
              .formatted(name(), device));
    }
    // Whether it has data is told by its dwords too, as with Get Features (Base 5.15); if it has,
    // the controller finds them where its data pointer says, which is 0 without a buffer.
    DataTransfer way = DataTransfer.of(command.opcode());
    if (way != DataTransfer.NONE && command.dataLength() == 0) {
      throw new IllegalArgumentException(
          "%s has no memory for data, so %s would use what is at bus address 0: say %s, or --yes if it has no data; nothing was sent"
              .formatted(name(), device, way.isToController() ? "--write FILE" : "--read SIZE"));
    }
  }

  private NvmeCommand command() throws IOException {
    if (read.isPresent() && write.isPresent()) {
      throw new ParameterException(
          spec.commandLine(), "--read and --write: data go one way only; nothing was sent");
    }
    if (!(timeout > 0 && timeout <= 86_400)) {
      throw new ParameterException(
          spec.commandLine(), "--timeout is more than 0 and at most 86400; nothing was sent");
    }
    NvmeCommand command =
        NvmeCommand.of(
                opcode.byteValue("an opcode"),
                namespace.value(),
                dword10.value(),
                dword11.value(),
                dword12.value(),
                dword13.value(),
                dword14.value(),
                dword15.value())
            .within(Duration.ofNanos((long) (timeout * 1e9)));
    if (write.isPresent()) {
      return command.sending(MemorySegment.ofArray(Files.readAllBytes(write.get())));
    }
    return read.isPresent() ? command.receiving(length(read.get())) : command;
  }

  private static int length(ByteSize size) {
    if (size.bytes() > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "a command returns less than 2 GiB, not %d bytes; nothing was sent"
              .formatted(size.bytes()));
    }
    return (int) size.bytes();
  }

  private static NvmeResult executeIo(NvmeController controller, NvmeCommand command) {
    try (NvmeQueuePair queue = controller.createQueuePair(1)) {
      return queue.execute(command);
    }
  }

  private String name() {
    return kind.isIo() ? NvmOpcode.name(opcode.value()) : AdminOpcode.name(opcode.value());
  }

  private void report(NvmeResult result) throws IOException {
    if (data.write(result.data())) {
      return;
    }
    Map<String, Object> json =
        Words.line(
            "command", name(),
            "dword0", "0x%08x".formatted(result.dword0()),
            "dword1", "0x%08x".formatted(result.dword1()));
    Words bytes = Words.bytes(result.data(), 0);
    json.put("data", bytes.json());
    output.print(
        json,
        out -> {
          out.printf("dword 0  0x%08x%ndword 1  0x%08x%n", result.dword0(), result.dword1());
          bytes.people().accept(out);
        });
  }
}
