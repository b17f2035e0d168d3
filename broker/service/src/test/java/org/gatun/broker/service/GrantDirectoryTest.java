package org.gatun.broker.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Stream;
import org.gatun.broker.Broker;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.Grant;
import org.gatun.broker.Quota;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBus;
import org.gatun.vfiouser.VfioUserBackend;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class GrantDirectoryTest {
  private final SimulatedBus bus = SimulatedBus.realTime();
  private final Broker broker = new Broker(List.of(bus));
  private final DeviceName edu = bus.plug("edu");
  private final DeviceName nvme = bus.plug("nvme,size=1M,doorbells=shared");

  @TempDir private Path root;

  private GrantDirectory directory;

  @BeforeEach
  void open() throws IOException {
    broker.seize(edu);
    broker.seize(nvme);
    directory = GrantDirectory.open(guests(), "guest", OptionalInt.empty(), Set.of());
  }

  private Path guests() {
    return root.resolve("guests");
  }

  @AfterEach
  void close() {
    directory.close();
    broker.close();
    bus.close();
  }

  private Grant grant(DeviceName... devices) {
    return broker.grant("guest", Quota.DEFAULT, Stream.of(devices).map(DeviceRequest::of).toList());
  }

  private static PciDevice open(Path socket) {
    return new VfioUserBackend().open(new DeviceName(VfioUserBackend.SCHEME, socket.toString()));
  }

  private List<String> files() throws IOException {
    try (Stream<Path> files = Files.list(directory.path())) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void aGrantedDeviceIsASocketWithItsDescription() throws IOException {
    Grant grant = grant(edu, nvme);
    for (var device : grant.connect()) {
      directory.publish(device, Quota.DEFAULT);
    }

    assertThat(files())
        .containsExactly("slot-0.0.json", "slot-0.0.sock", "slot-1.0.json", "slot-1.0.sock");
    try (PciDevice device = open(directory.path().resolve("slot-0.0.sock"))) {
      assertThat(device.config().read32(0)).isEqualTo(0x11e8_1234);
    }
    JsonNode nvmes =
        new ObjectMapper().readTree(directory.path().resolve("slot-1.0.json").toFile());
    assertThat(nvmes.get("device").asText()).isEqualTo(nvme.toString());
    assertThat(nvmes.get("class").asText()).isEqualTo("010802");
    assertThat(nvmes.at("/bars/0/kind").asText()).isEqualTo("memory");
    assertThat(nvmes.at("/bars/0/ranges").findValuesAsText("mapped")).contains("true", "false");
    assertThat(nvmes.at("/quota/dma-bytes").asLong()).isEqualTo(Quota.DEFAULT.dmaBytes());
    assertThat(nvmes.at("/usable-bus-addresses/0/0").asText()).startsWith("0x");
  }

  @Test
  void theGuestCanLookAndNotTouch() throws IOException {
    directory.publish(grant(edu).connect().getFirst(), Quota.DEFAULT);

    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(guests())))
        .isEqualTo("rwx--x--x");
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(directory.path())))
        .isEqualTo("rwxr-x---");
    assertThat(
            PosixFilePermissions.toString(
                Files.getPosixFilePermissions(directory.path().resolve("slot-0.0.json"))))
        .isEqualTo("rw-r--r--");
    assertThat(
            PosixFilePermissions.toString(Files.getPosixFilePermissions(guests().resolve(".new"))))
        .isEqualTo("rwx------");
    try (Stream<Path> staged = Files.list(guests().resolve(".new"))) {
      assertThat(staged).isEmpty();
    }
  }

  @Test
  void whatIsRevokedIsGoneAndWhatIsGrantedAnewIsNew() throws IOException {
    Grant first = grant(edu);
    Path socket = directory.publish(first.connect().getFirst(), Quota.DEFAULT);
    try (PciDevice device = open(socket)) {
      first.revoke(Duration.ZERO);
      while (!files().isEmpty()) {
        Thread.onSpinWait();
      }
      assertThatExceptionOfType(DeviceGoneException.class)
          .isThrownBy(() -> device.config().read32(0));
    }
    assertThatExceptionOfType(DeviceUnavailableException.class).isThrownBy(() -> open(socket));

    directory.publish(grant(edu).connect().getFirst(), Quota.DEFAULT);
    try (PciDevice device = open(socket)) {
      assertThat(device.config().read32(0)).isEqualTo(0x11e8_1234);
    }
  }

  @Test
  void whatAPredecessorLeftIsRemoved() throws IOException {
    Files.writeString(directory.path().resolve("slot-7.0.json"), "{}");
    Files.writeString(directory.path().resolve("slot-7.0.sock"), "");
    try (GrantDirectory next =
        GrantDirectory.open(guests(), "guest", OptionalInt.empty(), Set.of())) {
      assertThat(next.slots()).isEmpty();
      assertThat(files()).isEmpty();
    }
  }

  @Test
  void filesOfOthersAreLeftAlone() throws IOException {
    Path others = Files.writeString(directory.path().resolve("notes.txt"), "mine");
    assertThatThrownBy(() -> GrantDirectory.open(guests(), "guest", OptionalInt.empty(), Set.of()))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("notes.txt");
    assertThat(others).hasContent("mine");
    Files.delete(others);
  }

  @Test
  void namesThatLeadElsewhere() {
    for (String name : List.of("", ".", "..", ".new", "a/b", "../guest")) {
      assertThatThrownBy(() -> GrantDirectory.open(guests(), name, OptionalInt.empty(), Set.of()))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }
}
