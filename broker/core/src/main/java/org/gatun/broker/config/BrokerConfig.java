package org.gatun.broker.config;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.config.DevicePolicy.Match;
import org.gatun.broker.config.Node.Place;
import org.gatun.pci.DeviceName;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;

/**
 * A policy file: devices with their policies, and guests with their devices. {@code docs/policy.md}
 * is its schema.
 *
 * @param policies no two about the same devices
 * @param guests no two with the same name or a device in common
 * @param controllers the users who may control a running broker, besides root and its own
 */
public record BrokerConfig(
    List<DevicePolicy> policies, List<GuestConfig> guests, Set<String> controllers) {
  /** No policy for any device: the built-in rules hold. */
  public static final BrokerConfig EMPTY = new BrokerConfig(List.of(), List.of(), Set.of());

  /** The size of the largest file that is read, in bytes. */
  static final int LARGEST = 1 << 18;

  /** Copies the collections. */
  public BrokerConfig {
    policies = List.copyOf(policies);
    guests = List.copyOf(guests);
    controllers = Set.copyOf(controllers);
  }

  /**
   * Reads a file.
   *
   * @throws ConfigFileException if it is wrong
   * @throws IOException if it can't be read
   */
  public static BrokerConfig read(Path file) throws IOException {
    String source = file.toString();
    byte[] bytes;
    try (InputStream in = Files.newInputStream(file)) {
      bytes = in.readNBytes(LARGEST + 1);
    }
    if (bytes.length > LARGEST) {
      throw YamlReader.wrong(
          source, new Place(1, 1), "the file is larger than " + LARGEST / 1024 + " KiB");
    }
    CharBuffer chars = CharBuffer.allocate(bytes.length);
    CoderResult decoded =
        StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT)
            .onUnmappableCharacter(CodingErrorAction.REPORT)
            .decode(ByteBuffer.wrap(bytes), chars, true);
    String text = chars.flip().toString();
    if (decoded.isError()) {
      throw YamlReader.wrong(
          source, YamlReader.place(text, text.length()), "this is not UTF-8 text");
    }
    return parse(source, text);
  }

  /**
   * Parses the text of a file.
   *
   * @param source what the errors call it
   * @throws ConfigFileException if it is wrong
   */
  public static BrokerConfig parse(String source, String text) {
    Node root =
        YamlReader.read(source, text)
            .orElseThrow(
                () -> YamlReader.wrong(source, new Place(1, 1), "there is nothing in the file"));
    return new ConfigSchema(source).read(root);
  }

  /**
   * The policy for a device: the one that names it, else the one for its id. There may be none.
   *
   * @param id as the device has it
   */
  public Optional<DevicePolicy> policy(DeviceName device, PciId id) {
    return policy(new Match.Named(device)).or(() -> policy(new Match.Id(id.vendor(), id.device())));
  }

  /**
   * What of a device its guest gets; all of it, under the built-in rules, where no policy speaks of
   * it.
   *
   * @param id as the device has it
   */
  public DeviceRequest request(DeviceName device, PciId id) {
    return policy(device, id)
        .map(policy -> policy.request(device))
        .orElseGet(() -> DeviceRequest.of(device));
  }

  /**
   * What becomes of a device when its guest has let go of it.
   *
   * @param id as the device has it
   * @param pciClass likewise
   */
  public OnRelease onRelease(DeviceName device, PciId id, PciClass pciClass) {
    return policy(device, id)
        .flatMap(DevicePolicy::onRelease)
        .orElseGet(() -> OnRelease.byDefault(pciClass));
  }

  /**
   * The same with the names that a broker has for devices, where several mean one.
   *
   * @throws IllegalArgumentException if two policies, or two guests, turn out to have the same
   *     device, or a name makes no sense
   */
  public BrokerConfig named(UnaryOperator<DeviceName> nameOf) {
    Set<Match> matches = new HashSet<>();
    List<DevicePolicy> named = policies.stream().map(policy -> policy.named(nameOf)).toList();
    for (DevicePolicy policy : named) {
      if (!matches.add(policy.match())) {
        throw new IllegalArgumentException("there are two policies for " + policy.match());
      }
    }
    Map<DeviceName, String> owners = new HashMap<>();
    List<GuestConfig> owning = guests.stream().map(guest -> guest.named(nameOf)).toList();
    for (GuestConfig guest : owning) {
      for (DeviceName device : guest.devices()) {
        String other = owners.putIfAbsent(device, guest.name());
        if (other != null) {
          throw new IllegalArgumentException(
              "guest %s: %s goes to guest %s already: a device goes to one"
                  .formatted(guest.name(), device, other));
        }
      }
    }
    return new BrokerConfig(named, owning, controllers);
  }

  private Optional<DevicePolicy> policy(Match match) {
    return policies.stream().filter(p -> p.match().equals(match)).findFirst();
  }
}
