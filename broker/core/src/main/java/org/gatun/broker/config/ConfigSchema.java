package org.gatun.broker.config;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.DeviceRequest.BarPart;
import org.gatun.broker.Quota;
import org.gatun.broker.config.ConfigFileException.Problem;
import org.gatun.broker.config.DevicePolicy.Match;
import org.gatun.broker.config.Node.Entry;
import org.gatun.broker.config.Node.Place;
import org.gatun.broker.policy.ConfigPolicy;
import org.gatun.broker.policy.Quirk;
import org.gatun.pci.DeviceName;
import org.gatun.pci.spi.Hazard;
import org.jspecify.annotations.Nullable;

/**
 * What the fields of a policy file mean. All problems are gathered, so that one run shows them; a
 * value that is wrong counts as left out meanwhile. One file, one thread.
 */
final class ConfigSchema {
  private static final Pattern GUEST = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");
  private static final Pattern ID = Pattern.compile("([0-9a-fA-F]{4}):([0-9a-fA-F]{4})");
  private static final Pattern NUMBER =
      Pattern.compile("0x([0-9a-fA-F]{1,15})|(0|[1-9][0-9]{0,17})([KMGT]?)");
  private static final Pattern SECONDS = Pattern.compile("([2-9]|[1-9][0-9]{1,3})s");
  private static final Pattern PROCESSORS = Pattern.compile("[0-9]{1,4}(\\.[0-9]{1,3})?");
  private static final String UNITS = "KMGT";
  private static final String BAR_INDEXES = "012345";

  /** As many are told: who has more looks again. */
  private static final int PROBLEMS = 100;

  private final String source;
  private final List<Problem> problems = new ArrayList<>();
  private final Set<Match> matches = new HashSet<>();
  private final Set<String> guestNames = new HashSet<>();
  private final Map<DeviceName, String> owners = new HashMap<>();

  ConfigSchema(String source) {
    this.source = source;
  }

  /** A node, and the path to it. */
  private record At(Node node, String path) {}

  /**
   * @throws ConfigFileException if anything is wrong
   */
  BrokerConfig read(Node root) {
    Map<String, At> fields = fields(new At(root, ""), "policies", "guests", "control");
    List<DevicePolicy> policies = items(fields.get("policies"), this::policy);
    List<GuestConfig> guests = items(fields.get("guests"), this::guest);
    Map<String, At> control = fields(fields.get("control"), "users");
    List<String> controllers = items(control.get("users"), user -> checked(user, text -> text));
    if (!problems.isEmpty()) {
      problems.sort(Comparator.comparingInt(Problem::line).thenComparingInt(Problem::column));
      throw new ConfigFileException(problems);
    }
    return new BrokerConfig(policies, guests, new LinkedHashSet<>(controllers));
  }

  private Optional<DevicePolicy> policy(At at) {
    Map<String, At> fields =
        fields(
            at,
            "device",
            "id",
            "permissive",
            "allow-interrupt-control",
            "show",
            "quirks",
            "accept",
            "vectors",
            "bars",
            "on-release");
    Optional<Match> match = match(at, fields);
    boolean permissive = flag(fields.get("permissive"));
    boolean interruptControl = flag(fields.get("allow-interrupt-control"));
    List<String> show = items(fields.get("show"), this::capability);
    List<Quirk> quirks = items(fields.get("quirks"), item -> checked(item, Quirk::parse));
    List<Hazard> accepted = items(fields.get("accept"), this::hazard);
    long vectors =
        number(fields.get("vectors"), DeviceRequest.ALL_VECTORS)
            .orElse((long) DeviceRequest.ALL_VECTORS);
    Map<Integer, List<BarPart>> bars = bars(fields.get("bars"));
    Optional<OnRelease> onRelease =
        Optional.ofNullable(fields.get("on-release")).flatMap(f -> checked(f, OnRelease::parse));
    return match.map(
        m ->
            new DevicePolicy(
                m,
                new ConfigPolicy(
                    permissive, interruptControl, new LinkedHashSet<>(show), List.copyOf(quirks)),
                bars,
                (int) vectors,
                new LinkedHashSet<>(accepted),
                onRelease));
  }

  private Optional<Match> match(At at, Map<String, At> fields) {
    At device = fields.get("device");
    At id = fields.get("id");
    if ((device == null) == (id == null)) {
      if (at.node() instanceof Node.Mapping) {
        wrong(at, "a policy is about a 'device' or about an 'id': one of both is needed");
      }
      return Optional.empty();
    }
    Optional<Match> match =
        device != null
            ? checked(device, DeviceName::parse).map(Match.Named::new)
            : checked(id, ConfigSchema::id);
    if (match.isPresent() && !matches.add(match.get())) {
      wrong(device != null ? device : id, "there is a policy for " + match.get() + " already");
    }
    return match;
  }

  private static Match id(String text) {
    Matcher matcher = ID.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "'" + text + "' is not an id: VENDOR:DEVICE, such as 1b36:0010");
    }
    return new Match.Id(
        Integer.parseInt(matcher.group(1), 16), Integer.parseInt(matcher.group(2), 16));
  }

  private Optional<String> capability(At at) {
    return checked(
        at,
        name -> {
          // It knows the names.
          ConfigPolicy unused = new ConfigPolicy(false, false, Set.of(name), List.of());
          return unused.show().iterator().next();
        });
  }

  private Optional<Hazard> hazard(At at) {
    return checked(
        at,
        text ->
            Arrays.stream(Hazard.values())
                .filter(hazard -> hazard.text().equals(text))
                .findFirst()
                .orElseThrow(
                    () ->
                        new IllegalArgumentException(
                            "'%s' is nothing to accept; there are %s"
                                .formatted(
                                    text,
                                    Arrays.stream(Hazard.values())
                                        .map(Hazard::text)
                                        .collect(Collectors.joining(", "))))));
  }

  private Map<Integer, List<BarPart>> bars(@Nullable At at) {
    Map<Integer, List<BarPart>> bars = new HashMap<>();
    fields(at, BAR_INDEXES.split(""))
        .forEach((index, parts) -> bars.put(Integer.parseInt(index), items(parts, this::barPart)));
    return bars;
  }

  private Optional<BarPart> barPart(At at) {
    Map<String, At> fields = fields(at, "offset", "length");
    Optional<Long> offset = required(at, fields, "offset", f -> number(f, Long.MAX_VALUE));
    Optional<Long> length = required(at, fields, "length", f -> number(f, Long.MAX_VALUE));
    if (offset.isEmpty() || length.isEmpty()) {
      return Optional.empty();
    }
    try {
      return Optional.of(new BarPart(offset.get(), length.get()));
    } catch (IllegalArgumentException e) {
      wrong(at, e.getMessage());
      return Optional.empty();
    }
  }

  private Optional<GuestConfig> guest(At at) {
    Map<String, At> fields = fields(at, "name", "devices", "quota", "uids", "gid", "program");
    Optional<String> name = required(at, fields, "name", this::guestName);
    String owner = name.orElse("another one");
    List<DeviceName> devices = items(fields.get("devices"), item -> guestDevice(owner, item));
    Optional<GuestProgram> program =
        Optional.ofNullable(fields.get("program")).flatMap(this::program);
    Quota quota =
        quota(
            fields.get("quota"),
            fields.containsKey("program") ? GuestProgram.DEFAULT_DMA : Quota.DEFAULT.dmaBytes());
    List<Integer> uids = items(fields.get("uids"), this::userOrGroup);
    OptionalInt gid =
        Optional.ofNullable(fields.get("gid"))
            .flatMap(this::userOrGroup)
            .map(OptionalInt::of)
            .orElse(OptionalInt.empty());
    return name.map(
        n -> new GuestConfig(n, devices, quota, new LinkedHashSet<>(uids), gid, program));
  }

  private Optional<GuestProgram> program(At at) {
    Map<String, At> fields =
        fields(
            at,
            "module-path",
            "module",
            "arguments",
            "root",
            "heap",
            "without",
            "restart",
            "watchdog",
            "limits");
    Optional<List<Path>> modulePath =
        required(at, fields, "module-path", f -> Optional.of(items(f, this::absolute)));
    Optional<String> module = required(at, fields, "module", f -> checked(f, text -> text));
    List<String> arguments = items(fields.get("arguments"), f -> checked(f, text -> text));
    Optional<Path> root = Optional.ofNullable(fields.get("root")).flatMap(this::absolute);
    long heap = number(fields.get("heap"), Long.MAX_VALUE).orElse(GuestProgram.DEFAULT_HEAP);
    List<GuestProgram.Lock> without =
        items(fields.get("without"), f -> checked(f, GuestProgram.Lock::parse));
    GuestProgram.Restart restart =
        Optional.ofNullable(fields.get("restart"))
            .flatMap(f -> checked(f, GuestProgram.Restart::parse))
            .orElse(GuestProgram.Restart.NEVER);
    Optional<Duration> watchdog =
        Optional.ofNullable(fields.get("watchdog")).flatMap(f -> checked(f, ConfigSchema::seconds));
    At limitsAt = fields.get("limits");
    GuestProgram.Limits limits = limits(limitsAt);
    if (modulePath.isEmpty() || module.isEmpty()) {
      return Optional.empty();
    }
    try {
      return Optional.of(
          new GuestProgram(
              modulePath.get(),
              module.get(),
              arguments,
              root,
              heap,
              new LinkedHashSet<>(without),
              new GuestProgram.Supervision(restart, watchdog),
              limits));
    } catch (IllegalArgumentException e) {
      wrong(limitsAt == null ? at : limitsAt, e.getMessage());
      return Optional.empty();
    }
  }

  private GuestProgram.Limits limits(@Nullable At at) {
    Map<String, At> fields = fields(at, "cpu", "memory", "threads");
    OptionalDouble cpu =
        Optional.ofNullable(fields.get("cpu"))
            .flatMap(f -> checked(f, ConfigSchema::processors))
            .map(OptionalDouble::of)
            .orElse(OptionalDouble.empty());
    OptionalLong memory =
        number(fields.get("memory"), Long.MAX_VALUE)
            .map(OptionalLong::of)
            .orElse(OptionalLong.empty());
    OptionalInt threads =
        number(fields.get("threads"), Integer.MAX_VALUE)
            .map(number -> OptionalInt.of(number.intValue()))
            .orElse(OptionalInt.empty());
    try {
      return new GuestProgram.Limits(cpu, memory, threads);
    } catch (IllegalArgumentException e) {
      wrong(Objects.requireNonNull(at), e.getMessage()); // without fields there is nothing wrong
      return GuestProgram.Limits.NONE;
    }
  }

  private static double processors(String text) {
    if (!PROCESSORS.matcher(text).matches()) {
      throw new IllegalArgumentException(
          "'" + text + "' is no number of processors: write it like 0.5 or 2");
    }
    return Double.parseDouble(text);
  }

  /** A path that means the same whoever reads it. */
  private Optional<Path> absolute(At at) {
    return checked(
        at,
        text -> {
          Path path = Path.of(text);
          if (!path.isAbsolute()) {
            throw new IllegalArgumentException("'" + text + "' does not begin with /");
          }
          return path;
        });
  }

  /** Of a user or a group. */
  private Optional<Integer> userOrGroup(At at) {
    return number(at, Integer.MAX_VALUE).map(Long::intValue);
  }

  private Optional<String> guestName(At at) {
    Optional<String> name =
        checked(
            at,
            text -> {
              if (!GUEST.matcher(text).matches()) {
                throw new IllegalArgumentException(
                    "'%s' is no name: up to 64 letters, digits, '.', '_' and '-', a letter or digit first"
                        .formatted(text));
              }
              return text;
            });
    if (name.isPresent() && !guestNames.add(name.get())) {
      wrong(at, "there is a guest '" + name.get() + "' already");
    }
    return name;
  }

  private Optional<DeviceName> guestDevice(String guest, At at) {
    Optional<DeviceName> device = checked(at, DeviceName::parse);
    if (device.isPresent()) {
      String other = owners.putIfAbsent(device.get(), guest);
      if (other != null) {
        wrong(at, device.get() + " goes to guest " + other + " already: a device goes to one");
      }
    }
    return device;
  }

  private Quota quota(@Nullable At at, long dma) {
    Map<String, At> fields = fields(at, "dma", "mappings");
    long bytes = number(fields.get("dma"), Long.MAX_VALUE).orElse(dma);
    long mappings =
        number(fields.get("mappings"), Integer.MAX_VALUE)
            .orElse((long) Quota.DEFAULT.dmaMappings());
    return new Quota(bytes, (int) mappings);
  }

  /** Those fields that are there, in the order of the file. None if there is no such group. */
  private Map<String, At> fields(@Nullable At at, String... known) {
    Map<String, At> fields = new LinkedHashMap<>();
    if (at == null) {
      return fields;
    }
    if (!(at.node() instanceof Node.Mapping mapping)) {
      wrong(at, "a group of fields is wanted (" + String.join(", ", known) + "), not " + kind(at));
      return fields;
    }
    for (Entry entry : mapping.entries()) {
      String name = entry.key().text();
      String path = at.path().isEmpty() ? name : at.path() + "." + name;
      if (List.of(known).contains(name)) {
        fields.put(name, new At(entry.value(), path));
      } else {
        wrong(
            new At(entry.key(), path),
            "there is no such field; there are " + String.join(", ", known));
      }
    }
    return fields;
  }

  /** The items that are right. None if there is no such list. */
  private <T> List<T> items(@Nullable At at, Function<At, Optional<T>> reader) {
    List<T> items = new ArrayList<>();
    if (at == null) {
      return items;
    }
    if (!(at.node() instanceof Node.Sequence list)) {
      wrong(at, "a list is wanted, not " + kind(at));
      return items;
    }
    for (int i = 0; i < list.items().size(); i++) {
      reader
          .apply(new At(list.items().get(i), "%s[%d]".formatted(at.path(), i)))
          .ifPresent(items::add);
    }
    return items;
  }

  private <T> Optional<T> required(
      At group, Map<String, At> fields, String name, Function<At, Optional<T>> reader) {
    At field = fields.get(name);
    if (field == null) {
      if (group.node() instanceof Node.Mapping) {
        wrong(group, "the field '" + name + "' is missing");
      }
      return Optional.empty();
    }
    return reader.apply(field);
  }

  private boolean flag(@Nullable At at) {
    return at != null
        && checked(
                at,
                text ->
                    switch (text) {
                      case "true" -> true;
                      case "false" -> false;
                      default ->
                          throw new IllegalArgumentException(
                              "'" + text + "' is neither true nor false");
                    })
            .orElse(false);
  }

  private Optional<Long> number(@Nullable At at, long largest) {
    return at == null ? Optional.empty() : checked(at, text -> number(text, largest));
  }

  private static Duration seconds(String text) {
    Matcher matcher = SECONDS.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "'" + text + "' is no time: write it in seconds, like 10s, from 2s to 9999s");
    }
    return Duration.ofSeconds(Long.parseLong(matcher.group(1)));
  }

  private static long number(String text, long largest) {
    Matcher matcher = NUMBER.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "'" + text + "' is not a number: write it like 4096, 0x1000, 4K, 512M or 1G");
    }
    if (matcher.group(1) != null) {
      return atMost(Long.parseLong(matcher.group(1), 16), text, largest);
    }
    int unit = matcher.group(3).isEmpty() ? 0 : UNITS.indexOf(matcher.group(3)) + 1;
    long count = Long.parseLong(matcher.group(2));
    // Beyond 64 bits is beyond the largest, too.
    boolean fits = count <= Long.MAX_VALUE >> (10 * unit);
    return atMost(fits ? count << (10 * unit) : -1, text, largest);
  }

  private static long atMost(long value, String text, long largest) {
    if (value < 0 || value > largest) {
      throw new IllegalArgumentException("'" + text + "' is too large: at most " + largest);
    }
    return value;
  }

  /** What a text says, if it is a text and makes sense. */
  private <T> Optional<T> checked(At at, Function<String, T> parser) {
    if (!(at.node() instanceof Node.Scalar scalar) || scalar.text().isEmpty()) {
      wrong(at, "a value is wanted, not " + kind(at));
      return Optional.empty();
    }
    try {
      return Optional.of(parser.apply(scalar.text()));
    } catch (IllegalArgumentException e) {
      wrong(at, e.getMessage());
      return Optional.empty();
    }
  }

  private static String kind(At at) {
    return at.node().kind();
  }

  private void wrong(At at, @Nullable String text) {
    Place place = at.node().place();
    if (problems.size() == PROBLEMS) {
      return;
    }
    problems.add(
        new Problem(source, place.line(), place.column(), at.path(), String.valueOf(text)));
  }
}
