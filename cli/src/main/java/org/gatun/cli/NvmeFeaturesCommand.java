package org.gatun.cli;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeFeatures;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.driver.nvme.NvmeStatusException;
import org.gatun.pci.PciException;
import org.gatun.specs.nvme.NvmeStatus;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code gatun nvme features}. */
@Command(
    name = "features",
    mixinStandardHelpOptions = true,
    description = {
      "Shows the features of an NVMe controller that have a name, or one of them, or sets one.",
      "What is set without --save lasts until a reset, and whoever opens the device resets it."
    })
final class NvmeFeaturesCommand implements Runnable {
  private static final MemorySegment NO_DATA = MemorySegment.ofArray(new byte[0]);

  /** What to show of a feature. */
  enum Select {
    CURRENT,
    DEFAULT,
    SAVED,
    CAPABILITIES;

    /** As it is typed. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Mixin private final DeviceOption device = new DeviceOption();

  @Option(
      names = "--feature",
      paramLabel = "FEATURE",
      description = "Its name, or its number: write-cache, 6, 0xc0; default: all with a name.")
  private Optional<String> feature = Optional.empty();

  @Option(
      names = "--select",
      paramLabel = "WHICH",
      defaultValue = "current",
      description = "${COMPLETION-CANDIDATES}; default: ${DEFAULT-VALUE}.")
  private Select select;

  @Option(
      names = "--namespace",
      paramLabel = "ID",
      description = "The feature of a namespace; default: that of the controller.")
  private Optional<Dword> namespace = Optional.empty();

  @Option(
      names = "--cdw11",
      paramLabel = "N",
      description = "Which part of the feature to show, as its dword 11 says; default: 0.")
  private Optional<Dword> dword11 = Optional.empty();

  @Option(
      names = "--set",
      paramLabel = "N",
      description = "Set the feature: dword 11 of the command, like 0x157. Needs --yes.")
  private Optional<Dword> value = Optional.empty();

  @Option(names = "--save", description = "Keep what is set across resets.")
  private boolean save;

  @Option(names = "--yes", description = "Yes, change the feature.")
  private boolean yes;

  @Mixin private final Output output = new Output();
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    Optional<Integer> number =
        feature.map(text -> Numbered.parse("feature", NvmeFeature.values(), text));
    check(number.isPresent());
    try (HeldDevice held = device.open(spec);
        NvmeController controller = held.openNvme(NvmeOptions.defaults())) {
      if (value.isPresent()) {
        set(controller, number.orElseThrow(), value.get().value());
        return;
      }
      List<Integer> numbers =
          number
              .map(List::of)
              .orElseGet(
                  () ->
                      Arrays.stream(NvmeFeature.values())
                          .filter(f -> f.isOf(controller.identity()))
                          .map(NvmeFeature::number)
                          .toList());
      Words words = Words.table(numbers.stream().map(n -> line(controller, n)).toList());
      output.print(words.json(), words.people());
    }
  }

  private void check(boolean named) {
    if (!named && (value.isPresent() || dword11.isPresent() || namespace.isPresent())) {
      throw new ParameterException(
          spec.commandLine(), "--set, --cdw11 and --namespace are of one --feature");
    }
    if (value.isEmpty() ? save : select != Select.CURRENT || dword11.isPresent()) {
      throw new ParameterException(
          spec.commandLine(), "--save goes with --set, and --select and --cdw11 without it");
    }
    if (value.isPresent() && !yes) {
      throw new IllegalArgumentException(
          "this changes feature %s of %s: say --yes if it may; nothing was changed"
              .formatted(feature.orElseThrow(), device));
    }
  }

  private Map<String, Object> line(NvmeController controller, int number) {
    NvmeFeatures features = controller.features();
    Map<String, Object> line =
        Words.line("feature", "0x%02x".formatted(number), "name", name(number));
    try {
      if (select == Select.CAPABILITIES) {
        NvmeFeatures.Capabilities can = features.capabilities(number);
        line.put("changeable", can.changeable());
        line.put("saveable", can.saveable());
        line.put("ofNamespaces", can.namespaceSpecific());
        return line;
      }
      NvmeFeatures.Value found =
          features.get(
              number,
              NvmeFeatures.Select.valueOf(select.name()),
              namespaceId(),
              dword11.map(Dword::value).orElse(0));
      line.put("value", text(found));
      line.put("meaning", meaning(number, found));
      return line;
    } catch (NvmeStatusException e) {
      throw explained(controller, number, e);
    }
  }

  private void set(NvmeController controller, int number, int wanted) {
    try {
      controller.features().set(number, namespaceId(), save, List.of(wanted), NO_DATA);
    } catch (NvmeStatusException e) {
      throw explained(controller, number, e);
    }
    NvmeFeatures.Value found = new NvmeFeatures.Value(wanted, NO_DATA);
    Map<String, Object> json =
        Words.line(
            "feature", "0x%02x".formatted(number),
            "name", name(number),
            "value", text(found),
            "meaning", meaning(number, found),
            "saved", save);
    output.print(
        json,
        out ->
            out.printf(
                "feature 0x%02x (%s) was set to %s (%s)%s%n",
                number,
                name(number),
                text(found),
                meaning(number, found),
                save ? " and saved" : " until the next reset"));
  }

  private int namespaceId() {
    return namespace.map(Dword::value).orElse(0);
  }

  private static String name(int number) {
    return Numbered.find(NvmeFeature.values(), number).map(NvmeFeature::toString).orElse("-");
  }

  private static String meaning(int number, NvmeFeatures.Value value) {
    return Numbered.find(NvmeFeature.values(), number).map(f -> f.meaning(value)).orElse("-");
  }

  private static String text(NvmeFeatures.Value value) {
    return value.data().byteSize() == 0
        ? "0x%08x".formatted(value.dword())
        : HexFormat.of().formatHex(value.data().toArray(ValueLayout.JAVA_BYTE));
  }

  private static PciException explained(
      NvmeController controller, int number, NvmeStatusException e) {
    return e.status().equals(Optional.of(NvmeStatus.INVALID_FIELD_IN_COMMAND))
        ? new PciException(
            controller.name(),
            "the controller has no feature 0x%02x, or not that value or part of it"
                .formatted(number),
            "'gatun nvme features' shows which it has",
            e)
        : e;
  }
}
