package org.gatun.broker.service;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import org.gatun.broker.Broker;
import org.gatun.broker.GrantState;
import org.gatun.broker.service.varlink.VarlinkException;
import org.gatun.broker.service.varlink.VarlinkInterface;
import org.gatun.broker.service.varlink.VarlinkInterface.Method;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciException;
import org.gatun.pci.spi.EraseMethod;

/**
 * A {@link BrokerService} as Varlink sees it: {@code org.gatun.Broker.varlink} is its definition.
 */
public final class BrokerInterface {
  /** Its name. */
  public static final String NAME = "org.gatun.Broker";

  /** The error of what was refused, or failed; its parameter {@code reason} says why. */
  public static final String REFUSED = NAME + ".Refused";

  private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

  private static final Duration DEFAULT_DEADLINE = Duration.ofSeconds(2);

  /** As long as anybody should wait for a guest. */
  private static final long LONGEST_DEADLINE = 600_000;

  private final BrokerService service;

  private BrokerInterface(BrokerService service) {
    this.service = service;
  }

  /** What a server of it answers. */
  public static VarlinkInterface of(BrokerService service) {
    BrokerInterface methods = new BrokerInterface(service);
    return new VarlinkInterface(
        NAME,
        definition(),
        Map.of(
            "ListDevices", (Method.Single) methods::listDevices,
            "ListGuests", (Method.Single) methods::listGuests,
            "Grant", (Method.Single) methods::grant,
            "Revoke", (Method.Single) methods::revoke,
            "Erase", (Method.Single) methods::erase,
            "Clear", (Method.Single) methods::clear,
            "StartGuest", (Method.Single) methods::startGuest,
            "StopGuest", (Method.Single) methods::stopGuest,
            "Watch", (Method.Stream) methods::watch));
  }

  /** An event, as {@code Watch} tells it. */
  public static ObjectNode json(BrokerEvent event) {
    ObjectNode json = JSON.objectNode().put("event", event.name());
    switch (event) {
      case BrokerEvent.Seized(DeviceName device) -> json.put("device", device.toString());
      case BrokerEvent.Released(DeviceName device) -> json.put("device", device.toString());
      case BrokerEvent.Quarantined(DeviceName device, String reason) ->
          json.put("device", device.toString()).put("reason", reason);
      case BrokerEvent.Erasing(DeviceName device, EraseMethod method) ->
          json.put("device", device.toString()).put("method", method.text());
      case BrokerEvent.Erased(DeviceName device, EraseMethod method) ->
          json.put("device", device.toString()).put("method", method.text());
      case BrokerEvent.NotErased(DeviceName device, EraseMethod method, String reason) ->
          json.put("device", device.toString()).put("method", method.text()).put("reason", reason);
      case BrokerEvent.Cleared(DeviceName device) -> json.put("device", device.toString());
      case BrokerEvent.Refused(String guest, DeviceName device, String reason) ->
          json.put("guest", guest).put("device", device.toString()).put("reason", reason);
      case BrokerEvent.Started(String guest, DeviceName device, long process) ->
          json.put("guest", guest).put("device", device.toString()).put("process", process);
      case BrokerEvent.Ended(
              String guest,
              DeviceName device,
              long process,
              int status,
              String reason,
              List<String> lastLines) -> {
        json.put("guest", guest)
            .put("device", device.toString())
            .put("process", process)
            .put("status", status)
            .put("reason", reason);
        ArrayNode lines = json.putArray("lastLines");
        lastLines.forEach(lines::add);
      }
      case BrokerEvent.Kept(String guest, long process, Path folder) ->
          json.put("guest", guest).put("process", process).put("folder", folder.toString());
      case BrokerEvent.Granted(String guest, GrantState from, GrantState to, var devices) -> {
        json.put("guest", guest).put("from", from.toString()).put("to", to.toString());
        ArrayNode names = json.putArray("devices");
        devices.forEach(device -> names.add(device.toString()));
      }
    }
    return json.put("text", event.toString());
  }

  private ObjectNode listDevices(JsonNode unused) {
    ObjectNode reply = JSON.objectNode();
    ArrayNode devices = reply.putArray("devices");
    for (Broker.DeviceStatus device : service.devices()) {
      ObjectNode item = devices.addObject().put("name", device.name().toString());
      device.guest().ifPresent(guest -> item.put("guest", guest));
      device.quarantine().ifPresent(reason -> item.put("quarantine", reason));
      service.lastGuest(device.name()).ifPresent(guest -> item.put("lastGuest", guest));
    }
    return reply;
  }

  private ObjectNode listGuests(JsonNode unused) {
    ObjectNode reply = JSON.objectNode();
    ArrayNode guests = reply.putArray("guests");
    for (BrokerService.GuestStatus guest : service.guests()) {
      ObjectNode item =
          guests
              .addObject()
              .put("name", guest.name())
              .put("directory", guest.directory().toString());
      guest.state().ifPresent(state -> item.put("state", state.toString()));
      ArrayNode devices = item.putArray("devices");
      guest.devices().forEach(device -> devices.add(device.toString()));
      guest
          .processes()
          .ifPresent(
              processes -> {
                ArrayNode pids = item.putArray("processes");
                processes.forEach(pid -> pids.add((long) pid));
              });
      item.put("deniedAccesses", guest.counters().deniedAccesses())
          .put("dmaMappings", guest.counters().dmaMappings())
          .put("dmaFaults", guest.counters().dmaFaults());
    }
    return reply;
  }

  private ObjectNode grant(JsonNode parameters) {
    DeviceName device = device(parameters);
    String guest = text(parameters, "guest");
    return attempt(() -> JSON.objectNode().put("device", service.grant(device, guest).toString()));
  }

  private ObjectNode revoke(JsonNode parameters) {
    DeviceName device = device(parameters);
    Duration deadline = deadline(parameters.path("deadlineMillis"));
    return attempt(() -> JSON.objectNode().put("guest", service.revoke(device, deadline)));
  }

  private ObjectNode erase(JsonNode parameters) {
    DeviceName device = device(parameters);
    EraseMethod method = method(parameters.path("method"));
    return attempt(
        () -> {
          service.erase(device, method);
          return JSON.objectNode();
        });
  }

  private ObjectNode clear(JsonNode parameters) {
    DeviceName device = device(parameters);
    return attempt(
        () -> {
          service.clear(device);
          return JSON.objectNode();
        });
  }

  private ObjectNode startGuest(JsonNode parameters) {
    String guest = text(parameters, "guest");
    return attempt(
        () -> {
          service.startGuest(guest);
          return JSON.objectNode();
        });
  }

  private ObjectNode stopGuest(JsonNode parameters) {
    String guest = text(parameters, "guest");
    Duration deadline = deadline(parameters.path("deadlineMillis"));
    return attempt(
        () -> {
          service.stopGuest(guest, deadline);
          return JSON.objectNode();
        });
  }

  private VarlinkInterface.Subscription watch(JsonNode unused, VarlinkInterface.Replies replies) {
    Consumer<BrokerEvent> listener =
        event -> replies.send(JSON.objectNode().set("event", json(event)));
    service.listen(listener);
    return () -> service.unlisten(listener);
  }

  private static Duration deadline(JsonNode millis) {
    if (millis.isMissingNode() || millis.isNull()) {
      return DEFAULT_DEADLINE;
    }
    if (!millis.canConvertToLong()
        || !millis.isIntegralNumber()
        || millis.asLong() < 0
        || millis.asLong() > LONGEST_DEADLINE) {
      throw VarlinkException.invalidParameter("deadlineMillis");
    }
    return Duration.ofMillis(millis.asLong());
  }

  private static EraseMethod method(JsonNode text) {
    if (!text.isTextual()) {
      throw VarlinkException.invalidParameter("method");
    }
    try {
      return EraseMethod.parse(text.asText());
    } catch (IllegalArgumentException e) {
      throw refused(e);
    }
  }

  private static DeviceName device(JsonNode parameters) {
    try {
      return DeviceName.parse(text(parameters, "device"));
    } catch (IllegalArgumentException e) {
      throw refused(e);
    }
  }

  private static String text(JsonNode parameters, String name) {
    JsonNode value = parameters.path(name);
    if (!value.isTextual()) {
      throw VarlinkException.invalidParameter(name);
    }
    return value.asText();
  }

  /** What changes something at the broker. */
  @FunctionalInterface
  private interface Change {
    ObjectNode make() throws IOException;
  }

  private static ObjectNode attempt(Change change) {
    try {
      return change.make();
    } catch (PciException | IllegalArgumentException | IOException e) {
      throw refused(e);
    }
  }

  private static VarlinkException refused(Exception reason) {
    return VarlinkException.of(REFUSED, Map.of("reason", String.valueOf(reason.getMessage())));
  }

  private static String definition() {
    try (InputStream resource =
        Objects.requireNonNull(
            BrokerInterface.class.getResourceAsStream(NAME + ".varlink"), "it is in this module")) {
      return new String(resource.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
