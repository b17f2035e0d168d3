package org.gatun.simulated;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.gatun.pci.DeviceName;

/** Reads a model and its options from the text of a device name: {@code nvme,size=1G}. */
final class ModelText {
  private static final String REPLAY = "replay";
  private static final Pattern NUMBER = Pattern.compile("(\\d{1,18})([A-Za-z]*)");

  private static final Map<String, Long> SIZES =
      Map.of("", 1L, "K", 1L << 10, "M", 1L << 20, "G", 1L << 30, "T", 1L << 40);
  private static final Map<String, Long> TIMES =
      Map.of("ns", 1L, "us", 1_000L, "ms", 1_000_000L, "s", 1_000_000_000L);

  /** An option of the NVMe model, and its values, for people. */
  private record Option(String values, BiConsumer<NvmeModel.Builder, String> set) {}

  private static final Map<String, Option> NVME_OPTIONS = nvmeOptions();

  private ModelText() {}

  /**
   * Reads it.
   *
   * @param serials gives serial numbers to disks in memory that have none
   * @throws IllegalArgumentException if it makes no sense; the message lists what there is
   */
  static DeviceModel parse(DeviceName name, Supplier<String> serials) {
    try {
      String[] parts = name.text().split(",", -1);
      Map<String, String> options = options(parts);
      return switch (parts[0]) {
        case "edu" -> without("edu", options, new EduModel());
        case "nvme" -> nvme(options, serials);
        case "serial" -> serial(options);
        case "virtio-blk" -> virtioDisk(options);
        case "virtio-net" -> virtioNetworkCard(options);
        case "virtio-rng" -> virtioEntropy(options);
        case "specimen" -> without("specimen", options, new SpecimenModel());
        case REPLAY ->
            throw new IllegalArgumentException("a recording is on no bus: open it by its name");
        default ->
            throw new IllegalArgumentException(
                ("there is no simulated model '%s'; there are: edu, nvme, replay, serial,"
                        + " specimen, virtio-blk, virtio-net, virtio-rng")
                    .formatted(parts[0]));
      };
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(name + ": " + e.getMessage(), e);
    }
  }

  /**
   * The recording that a name means, if it means one: {@code replay,file=PATH}.
   *
   * @throws IllegalArgumentException if it makes no sense
   */
  static Optional<Path> recording(DeviceName name) {
    String[] parts = name.text().split(",", -1);
    if (!parts[0].equals(REPLAY)) {
      return Optional.empty();
    }
    try {
      Map<String, String> options = options(parts);
      only(REPLAY, options, "file=PATH");
      return Optional.of(path(options.getOrDefault("file", "")));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(name + ": " + e.getMessage(), e);
    }
  }

  private static Map<String, String> options(String[] parts) {
    Map<String, String> options = new LinkedHashMap<>();
    for (int i = 1; i < parts.length; i++) {
      int equals = parts[i].indexOf('=');
      if (equals <= 0) {
        throw new IllegalArgumentException(
            "'%s' is not an option: write NAME=VALUE".formatted(parts[i]));
      }
      String option = parts[i].substring(0, equals);
      if (options.put(option, parts[i].substring(equals + 1)) != null) {
        throw new IllegalArgumentException("'%s' is given twice".formatted(option));
      }
    }
    return options;
  }

  private static DeviceModel without(String name, Map<String, String> options, DeviceModel model) {
    if (!options.isEmpty()) {
      throw new IllegalArgumentException(name + " has no options: " + options.keySet());
    }
    return model;
  }

  private static DeviceModel serial(Map<String, String> options) {
    only("serial", options, "line=none|loop");
    boolean loop = choice(options.getOrDefault("line", "none"), "none", "loop");
    return new SerialModel(loop ? SerialEnd.loop() : SerialEnd.unconnected());
  }

  private static DeviceModel virtioDisk(Map<String, String> options) {
    only(
        "virtio-blk",
        options,
        "block=512|4096",
        "file=PATH",
        "readonly=no|yes",
        "serial=TEXT (up to 20 characters)",
        "size=BYTES (64M, 1G)");
    VirtioBlockModel model = VirtioBlockModel.DEFAULT;
    for (Map.Entry<String, String> option : options.entrySet()) {
      String value = option.getValue();
      model =
          switch (option.getKey()) {
            case "block" -> model.withBlockSize(count(size(value)));
            case "file" -> model.withFile(path(value));
            case "readonly" -> choice(value, "no", "yes") ? model.asReadOnly() : model;
            case "serial" -> model.withSerial(value);
            default -> model.withSize(size(value));
          };
    }
    return model;
  }

  private static DeviceModel virtioNetworkCard(Map<String, String> options) {
    only("virtio-net", options, "cable=none|loop");
    boolean loop = choice(options.getOrDefault("cable", "none"), "none", "loop");
    return new VirtioNetworkModel(loop ? NetworkEnd.loop() : NetworkEnd.unconnected());
  }

  private static DeviceModel virtioEntropy(Map<String, String> options) {
    only("virtio-rng", options, "seed=NUMBER");
    return new VirtioEntropyModel(size(options.getOrDefault("seed", "0")));
  }

  /** Refuses options that there are not. */
  private static void only(String model, Map<String, String> options, String... known) {
    for (String option : options.keySet()) {
      if (Arrays.stream(known).noneMatch(k -> k.startsWith(option + "="))) {
        throw new IllegalArgumentException(
            "%s has no option '%s'; there are: %s"
                .formatted(model, option, String.join(", ", known)));
      }
    }
  }

  private static DeviceModel nvme(Map<String, String> options, Supplier<String> serials) {
    NvmeModel.Builder builder = NvmeModel.builder();
    if (!options.containsKey("file")) {
      builder.serial(serials.get());
    }
    options.forEach(
        (key, value) -> {
          Option option = NVME_OPTIONS.get(key);
          if (option == null) {
            throw new IllegalArgumentException(
                "nvme has no option '%s'; there are: %s".formatted(key, nvmeOptionList()));
          }
          try {
            option.set.accept(builder, value);
          } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                "'%s=%s': %s; it is %s=%s"
                    .formatted(key, value, e.getMessage(), key, option.values),
                e);
          }
        });
    return builder.build();
  }

  private static String nvmeOptionList() {
    return NVME_OPTIONS.entrySet().stream()
        .map(e -> e.getKey() + "=" + e.getValue().values)
        .collect(Collectors.joining(", "));
  }

  private static Map<String, Option> nvmeOptions() {
    Map<String, Option> options = new LinkedHashMap<>();
    options.put("file", new Option("PATH", (b, v) -> b.file(path(v))));
    options.put("serial", new Option("TEXT (up to 20 characters)", NvmeModel.Builder::serial));
    options.put("size", new Option("BYTES (512, 4K, 64M, 1G)", (b, v) -> b.size(size(v))));
    options.put("namespaces", new Option("1..1024", (b, v) -> b.namespaces(count(size(v)))));
    options.put("block", new Option("512|4096", (b, v) -> b.blockSize(count(size(v)))));
    options.put("queues", new Option("1..1024", (b, v) -> b.queues(count(size(v)))));
    options.put("vectors", new Option("1..2048", (b, v) -> b.vectors(count(size(v)))));
    options.put("mdts", new Option("BYTES (8K to 256M)", (b, v) -> b.maxTransfer(count(size(v)))));
    options.put("latency", new Option("TIME (10us)", (b, v) -> b.latency(time(v))));
    options.put("format-time", new Option("TIME (2s)", (b, v) -> b.formatTime(time(v))));
    options.put("doorbells", new Option("trapped|shared|shadow", ModelText::doorbells));
    options.put("sgl", new Option("on|off", (b, v) -> b.scatterGather(choice(v, "off", "on"))));
    options.put(
        "fault",
        new Option(
            Arrays.stream(NvmeFault.values())
                .map(NvmeFault::optionName)
                .collect(Collectors.joining("|")),
            (b, v) -> b.fault(NvmeFault.ofOption(v))));
    options.put("fault-after", new Option("COMMANDS", (b, v) -> b.faultAfter(size(v))));
    return options;
  }

  private static void doorbells(NvmeModel.Builder builder, String kind) {
    switch (kind) {
      case "trapped" -> {}
      case "shared" -> builder.sharedDoorbells(true);
      case "shadow" -> builder.shadowDoorbells(true);
      default -> throw new IllegalArgumentException("there is no such choice");
    }
  }

  private static Path path(String text) {
    try {
      if (!text.isEmpty()) {
        return Path.of(text);
      }
    } catch (InvalidPathException e) {
      throw new IllegalArgumentException("that is not a path: " + e.getReason(), e);
    }
    throw new IllegalArgumentException("a path is not empty");
  }

  private static long size(String text) {
    return number(text, SIZES, "size or number");
  }

  private static Duration time(String text) {
    return Duration.ofNanos(number(text, TIMES, "time"));
  }

  private static int count(long number) {
    return (int) Math.min(number, Integer.MAX_VALUE);
  }

  private static boolean choice(String text, String no, String yes) {
    if (text.equals(no) || text.equals(yes)) {
      return text.equals(yes);
    }
    throw new IllegalArgumentException("there is no such choice");
  }

  private static long number(String text, Map<String, Long> units, String what) {
    Matcher matcher = NUMBER.matcher(text);
    if (matcher.matches()) {
      Long unit = units.get(matcher.group(2));
      if (unit != null) {
        try {
          return Math.multiplyExact(Long.parseLong(matcher.group(1)), unit);
        } catch (ArithmeticException e) {
          throw new IllegalArgumentException("that is too large", e);
        }
      }
    }
    throw new IllegalArgumentException("that is not a " + what);
  }
}
