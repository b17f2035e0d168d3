package org.gatun.cli;

import java.time.Duration;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.gatun.driver.nvme.NvmeCommand;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.driver.nvme.NvmeResult;
import org.gatun.pci.PciException;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.Cns;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.IdentifyNamespace;
import org.gatun.specs.nvme.LbaFormat;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SubmissionEntry;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code gatun nvme format}. */
@Command(
    name = "format",
    mixinStandardHelpOptions = true,
    description = {
      "Formats a namespace of an NVMe disk: all that is on it is lost. It also makes one usable"
          + " that has metadata, with --block-size.",
      "A format that the disk has begun goes on, whatever happens to this command."
    })
final class NvmeFormatCommand implements Runnable {
  /** The specification gives Format NVM no limit. */
  private static final Duration LIMIT = Duration.ofMinutes(30);

  /** What is done to the data that were there. */
  enum Secure {
    NONE(AdminCommand.SECURE_ERASE_NONE, "the old data may still be on the media"),
    USER_DATA(AdminCommand.SECURE_ERASE_USER_DATA, "the old data are erased"),
    CRYPTO(AdminCommand.SECURE_ERASE_CRYPTO, "the key of the old data is erased");

    private final int code;
    private final String outcome;

    Secure(int code, String outcome) {
      this.code = code;
      this.outcome = outcome;
    }

    /** As it is typed. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
  }

  @Mixin private final DeviceOption device = new DeviceOption();
  @Mixin private final NamespaceOption namespace = new NamespaceOption();

  @Option(
      names = "--all",
      description =
          "All namespaces of the controller; needed with one that formats them all at once.")
  private boolean all;

  @Option(
      names = "--block-size",
      paramLabel = "SIZE",
      description = "Blocks of that size, without metadata; default: the format that it has.")
  private Optional<ByteSize> blockSize;

  @Option(
      names = "--secure",
      paramLabel = "HOW",
      defaultValue = "none",
      description = "Erase what was there: ${COMPLETION-CANDIDATES}; default: ${DEFAULT-VALUE}.")
  private Secure secure;

  @Option(names = "--yes", description = "Yes, all that is on the namespace may be lost.")
  private boolean yes;

  @Mixin private final Output output = new Output();
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    if (!yes) {
      throw new IllegalArgumentException(
          "this loses all that is on %s of %s: say --yes if it may; nothing was formatted"
              .formatted(all ? "all namespaces" : "namespace " + namespace.id, device));
    }
    try (HeldDevice held = device.open(spec);
        NvmeController controller = held.openNvme(NvmeOptions.defaults())) {
      checkWhatItCan(controller);
      IdentifyNamespace before = identify(controller);
      int dword10 =
          blockSize.isPresent()
              ? AdminCommand.formatDword10(index(before, blockSize.get()), secure.code)
              : AdminCommand.formatDword10(before, secure.code);
      int which = all ? SubmissionEntry.NSID_ALL : namespace.id.value();
      execute(controller, NvmeCommand.of(AdminOpcode.FORMAT_NVM, which, dword10).within(LIMIT));
      report(identify(controller));
    }
  }

  private void checkWhatItCan(NvmeController controller) {
    IdentifyController identity = controller.identity();
    if ((identity.oacs() & IdentifyController.OACS_FORMAT_NVM) == 0) {
      throw new PciException(controller.name(), "the controller has no Format NVM", null, null);
    }
    int fna = identity.fna();
    if (secure == Secure.CRYPTO && (fna & IdentifyController.FNA_CRYPTO_ERASE) == 0) {
      throw new PciException(
          controller.name(),
          "the controller has no cryptographic erase",
          "try --secure user-data; nothing was formatted",
          null);
    }
    int atOnce =
        secure == Secure.NONE
            ? IdentifyController.FNA_FORMAT_ALL
            : IdentifyController.FNA_FORMAT_ALL | IdentifyController.FNA_ERASE_ALL;
    if ((fna & atOnce) != 0 && !all && identity.numberOfNamespaces() > 1) {
      throw new IllegalArgumentException(
          "%s formats all its namespaces at once: say --all if it may; nothing was formatted"
              .formatted(controller.name()));
    }
  }

  /** What a namespace is, also if the driver can't use it as it is. */
  private IdentifyNamespace identify(NvmeController controller) {
    NvmeCommand command =
        NvmeCommand.of(
            AdminOpcode.IDENTIFY,
            namespace.id.value(),
            AdminCommand.identifyDword10(Cns.NAMESPACE));
    IdentifyNamespace identity =
        new IdentifyNamespace(
            execute(controller, command.receiving(AdminCommand.IDENTIFY_SIZE)).data());
    if (identity.size() == 0) {
      throw new IllegalArgumentException(
          "%s: namespace %s is not active; nothing was formatted"
              .formatted(controller.name(), namespace.id));
    }
    return identity;
  }

  /** The fastest format of that kind. */
  private int index(IdentifyNamespace identity, ByteSize wanted) {
    return NvmeFormat.of(identity).stream()
        .filter(f -> f.blockSize() == wanted.bytes() && f.metadataSize() == 0)
        .min(Comparator.comparingInt(f -> identity.lbaFormat(f.index()).relativePerformance()))
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "namespace %s can't have blocks of %d bytes without metadata, but: %s; nothing was formatted"
                        .formatted(namespace.id, wanted.bytes(), NvmeFormat.text(identity))))
        .index();
  }

  private NvmeResult execute(NvmeController controller, NvmeCommand command) {
    NvmeResult result = controller.execute(command);
    if (!result.isSuccess()) {
      throw new PciException(
          controller.name(),
          "%s of %s: %s"
              .formatted(
                  AdminOpcode.name(command.opcode()),
                  all && command.opcode() == AdminOpcode.FORMAT_NVM
                      ? "all namespaces"
                      : "namespace " + namespace.id,
                  NvmeStatus.describe(result.status())),
          null,
          null);
    }
    return result;
  }

  private void report(IdentifyNamespace after) {
    LbaFormat format = after.formattedLbaFormat();
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("device", device.toString());
    json.put("namespace", Integer.toUnsignedLong(namespace.id.value()));
    json.put("blocks", after.size());
    json.put("blockSize", format.blockSize());
    json.put("metadataSize", format.metadataSize());
    json.put("secure", secure.toString());
    output.print(
        json,
        out ->
            out.printf(
                "%s formatted: %d blocks of %d bytes%s; %s%n",
                all ? "all namespaces" : "namespace " + namespace.id,
                after.size(),
                format.blockSize(),
                format.metadataSize() == 0
                    ? ""
                    : " with %d of metadata".formatted(format.metadataSize()),
                secure.outcome));
  }
}
