package org.gatun.broker.guest;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/** What of the platform a guest in this process may name. {@code allowed-api.txt} is the table. */
final class AllowedApi {
  /** All members: such a class can be extended, too. */
  private static final Set<String> ALL = Set.of("*");

  private final Map<String, Set<String>> classes = new HashMap<>();
  private final Map<String, Set<String>> packages = new HashMap<>();

  private AllowedApi() {}

  /** The table. */
  static AllowedApi read() {
    AllowedApi api = new AllowedApi();
    try (InputStream in =
            Objects.requireNonNull(AllowedApi.class.getResourceAsStream("allowed-api.txt"));
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
      lines
          .lines()
          .map(String::strip)
          .filter(line -> !line.isEmpty() && !line.startsWith("#"))
          .forEach(api::add);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return api;
  }

  private void add(String line) {
    List<String> words = List.of(line.split("\\s+"));
    String name = words.getFirst();
    Set<String> members = Set.copyOf(words.subList(1, words.size()));
    if (name.endsWith(".*")) {
      packages.put(name.substring(0, name.length() - 2), members);
    } else {
      classes.put(name, members);
    }
  }

  /**
   * Whether it may be named at all.
   *
   * @param type its binary name, such as {@code java.util.Map$Entry}
   */
  boolean allows(String type) {
    return members(type) != null;
  }

  /** Whether it may be extended, or implemented. */
  boolean allowsExtending(String type) {
    return ALL.equals(members(type));
  }

  /** Whether a method or a field of it may be used. */
  boolean allows(String type, String member) {
    Set<String> members = members(type);
    return members != null && (members.equals(ALL) || members.contains(member));
  }

  private @org.jspecify.annotations.Nullable Set<String> members(String type) {
    Set<String> own = classes.get(type);
    if (own != null) {
      return own.contains("-") ? null : own;
    }
    int dot = type.lastIndexOf('.');
    Set<String> except = packages.get(type.substring(0, Math.max(dot, 0)));
    if (except == null) {
      return null;
    }
    String outermost = type.substring(dot + 1).split("\\$", 2)[0];
    return except.contains("-" + outermost) ? null : ALL;
  }
}
