package org.gatun.broker.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.gatun.broker.config.BrokerConfig;
import org.gatun.broker.service.varlink.VarlinkClient;
import org.gatun.broker.service.varlink.VarlinkException;
import org.gatun.broker.service.varlink.VarlinkServer;
import org.gatun.pci.DeviceName;
import org.gatun.simulated.SimulatedBus;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(60)
class BrokerInterfaceTest {
  private final SimulatedBus bus = SimulatedBus.realTime();
  private final DeviceName edu = bus.plug("edu");

  @TempDir private Path folder;

  private BrokerService service;
  private VarlinkServer server;
  private VarlinkClient client;

  @BeforeEach
  void start() throws IOException {
    service =
        BrokerService.open(
            BrokerConfig.parse("policy", "guests: [{name: one}]"),
            new BrokerService.Folders(folder, folder),
            List.of(bus));
    service.start();
    server =
        VarlinkServer.listen(
            BrokerInterface.of(service), "test", folder.resolve("control"), Set.of());
    client = VarlinkClient.connect(folder.resolve("control"));
  }

  @AfterEach
  void close() throws IOException {
    client.close();
    server.close();
    service.close();
    bus.close();
  }

  private static ObjectNode parameters() {
    return JsonNodeFactory.instance.objectNode();
  }

  private ObjectNode grant() throws IOException {
    return client.call(
        BrokerInterface.NAME + ".Grant",
        parameters().put("device", edu.toString()).put("guest", "one"));
  }

  @Test
  void grantsAndRevokes() throws IOException {
    assertThat(grant()).isEqualTo(parameters().put("device", edu.toString()));
    JsonNode guest =
        client.call(BrokerInterface.NAME + ".ListGuests", parameters()).at("/guests/0");
    assertThat(guest.at("/name").asText()).isEqualTo("one");
    assertThat(guest.at("/state").asText()).isEqualTo("CONNECTED");
    assertThat(guest.at("/devices/0").asText()).isEqualTo(edu.toString());
    assertThat(Path.of(guest.at("/directory").asText()).resolve("slot-0.0.sock")).exists();

    assertThat(
            client.call(
                BrokerInterface.NAME + ".Revoke",
                parameters().put("device", edu.toString()).put("deadlineMillis", 0)))
        .isEqualTo(parameters().put("guest", "one"));
    JsonNode device =
        client.call(BrokerInterface.NAME + ".ListDevices", parameters()).at("/devices/0");
    assertThat(device).isEqualTo(parameters().put("name", edu.toString()));
  }

  @Test
  void watches() throws Exception {
    BlockingQueue<JsonNode> events = new LinkedBlockingQueue<>();
    try (VarlinkClient watcher = VarlinkClient.connect(folder.resolve("control"))) {
      Thread watching =
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      watcher.watch(
                          BrokerInterface.NAME + ".Watch",
                          parameters(),
                          reply -> {
                            events.add(reply.path("event"));
                            return !reply.at("/event/to").asText().equals("CONNECTED");
                          });
                    } catch (IOException e) {
                      events.add(parameters().put("failed", e.toString()));
                    }
                  });
      // Its call has no answer of its own.
      while (watching.isAlive()) {
        grant();
        service.revoke(edu, Duration.ZERO);
      }
    }
    assertThat(events).allSatisfy(event -> assertThat(event.has("text")).isTrue());
    JsonNode last = List.copyOf(events).getLast();
    assertThat(last.at("/event").asText()).isEqualTo("grant");
    assertThat(last.at("/devices/0").asText()).isEqualTo(edu.toString());
  }

  @ParameterizedTest
  @CsvSource({
    "Grant, '', org.varlink.service.InvalidParameter, device",
    "Grant, device=simulated:edu, org.varlink.service.InvalidParameter, guest",
    "Grant, device=edu guest=one, org.gatun.Broker.Refused, no scheme",
    "Grant, device=vfio:0000:00:00.0 guest=one, org.gatun.Broker.Refused, no backend",
    "Revoke, device=simulated:edu, org.gatun.Broker.Refused, no guest has it",
    "Revoke, device=a:b deadlineMillis=soon, org.varlink.service.InvalidParameter, deadlineMillis",
    "Watch, '', org.varlink.service.ExpectedMore, ExpectedMore",
    "Nothing, '', org.varlink.service.MethodNotFound, org.gatun.Broker.Nothing"
  })
  void whatIsRefused(String method, String fields, String error, String text) throws IOException {
    ObjectNode parameters = parameters();
    for (String field : fields.isEmpty() ? new String[0] : fields.split(" ")) {
      parameters.put(
          field.substring(0, field.indexOf('=')), field.substring(field.indexOf('=') + 1));
    }
    assertThatExceptionOfType(VarlinkException.class)
        .isThrownBy(() -> client.call(BrokerInterface.NAME + "." + method, parameters))
        .withMessageContaining(text)
        .extracting(VarlinkException::error)
        .isEqualTo(error);
    assertThat(grant().path("device").asText()).as("the next call").isEqualTo(edu.toString());
  }

  @Test
  void describesItself() throws IOException {
    assertThat(
            client
                .call(
                    "org.varlink.service.GetInterfaceDescription",
                    parameters().put("interface", BrokerInterface.NAME))
                .path("description")
                .asText())
        .contains("interface org.gatun.Broker", "method Grant(device: string, guest: string)");
    assertThat(client.call("org.varlink.service.GetInfo", parameters()).findValuesAsText("product"))
        .containsExactly(BrokerInterface.NAME);
  }
}
