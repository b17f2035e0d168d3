package org.gatun.broker.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.gatun.broker.Broker;
import org.gatun.broker.GrantRefusedException;
import org.gatun.broker.GrantState;
import org.gatun.broker.config.BrokerConfig;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBus;
import org.gatun.vfiouser.VfioUserBackend;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class BrokerServiceTest {
  private static final int EDU_ID = 0x11e8_1234;

  private final SimulatedBus bus = SimulatedBus.realTime();
  private final DeviceName edu = bus.plug("edu");
  private final DeviceName nvme = bus.plug("nvme,size=1M");
  private final BlockingQueue<BrokerEvent> events = new LinkedBlockingQueue<>();
  private final BrokerConfig config =
      BrokerConfig.parse(
          "policy", "guests: [{name: one, devices: ['%s']}, {name: two}]".formatted(edu));

  @TempDir private Path folder;

  @AfterEach
  void close() {
    bus.close();
  }

  private BrokerService start() throws IOException {
    return start(config);
  }

  private BrokerService start(BrokerConfig policies) throws IOException {
    BrokerService service = BrokerService.open(policies, folders(), List.of(bus));
    service.listen(events::add);
    boolean started = false;
    try {
      service.start();
      started = true;
      return service;
    } finally {
      if (!started) {
        service.close();
      }
    }
  }

  private BrokerService.Folders folders() {
    return new BrokerService.Folders(folder.resolve("run"), folder.resolve("state"));
  }

  private Path socket(String guest, String slot) {
    return folders().guests().resolve(guest).resolve("slot-" + slot + ".sock");
  }

  private static PciDevice open(Path socket) {
    return new VfioUserBackend().open(new DeviceName(VfioUserBackend.SCHEME, socket.toString()));
  }

  private static List<List<DeviceName>> devices(BrokerService service) {
    return service.guests().stream().map(BrokerService.GuestStatus::devices).toList();
  }

  @Test
  void grantsWhatThePolicyFileSays() throws IOException {
    try (BrokerService service = start()) {
      assertThat(devices(service)).containsExactly(List.of(edu), List.of());
      assertThat(service.guests().getFirst().state()).contains(GrantState.CONNECTED);
      try (PciDevice device = open(socket("one", "0.0"))) {
        assertThat(device.config().read32(0)).isEqualTo(EDU_ID);
      }
      assertThat(events.poll()).isEqualTo(new BrokerEvent.Seized(edu));
      assertThat(events.poll())
          .isEqualTo(
              new BrokerEvent.Granted(
                  "one", GrantState.INITIALISING, GrantState.INIT_WAIT, List.of(edu)));
    }
    assertThat(folders().guests().resolve("one")).doesNotExist();
    assertThat(events).endsWith(new BrokerEvent.Released(edu));
  }

  @Test
  void grantsAndRevokesWhileItRunsAndRemembersThat() throws IOException {
    try (BrokerService service = start()) {
      assertThat(service.grant(nvme, "two")).isEqualTo(nvme);
      assertThat(service.revoke(edu, Duration.ZERO)).isEqualTo("one");
      service.grant(edu, "two");
      assertThat(devices(service)).containsExactly(List.of(), List.of(nvme, edu));
      try (PciDevice device = open(socket("two", "1.0"))) {
        assertThat(device.config().read32(0)).isEqualTo(EDU_ID);
      }
    }
    try (BrokerService service = start()) {
      assertThat(devices(service).getFirst()).isEmpty();
      assertThat(devices(service).getLast()).containsExactlyInAnyOrder(nvme, edu);
      service.revoke(edu, Duration.ZERO);
      service.grant(edu, "one");
      service.revoke(nvme, Duration.ZERO);
    }
    try (BrokerService service = start()) {
      assertThat(devices(service)).containsExactly(List.of(edu), List.of());
    }
  }

  @Test
  void aGuestIsStoppedAndStarted() throws IOException {
    try (BrokerService service = start()) {
      service.grant(nvme, "one");
      service.stopGuest("one", Duration.ZERO);
      assertThat(devices(service)).containsExactly(List.of(), List.of());
      service.startGuest("one");
      assertThat(devices(service).getFirst()).containsExactly(edu, nvme);
      service.startGuest("one");
      assertThat(devices(service).getFirst()).containsExactly(edu, nvme);
      service.revoke(edu, Duration.ZERO);
      service.startGuest("one");
      assertThat(devices(service).getFirst()).as("edu was revoked").containsExactly(nvme);
      try (PciDevice device = open(socket("one", "1.0"))) {
        assertThat(device.id().vendor()).isEqualTo(0x1b36);
      }
      assertThatThrownBy(() -> service.startGuest("none"))
          .isInstanceOf(GrantRefusedException.class)
          .hasMessageContaining("there is no guest 'none'");
    }
  }

  @Test
  void whatCannotBeGrantedAgainIsToldAndTheRestIs() throws IOException {
    try (BrokerService service = start()) {
      service.grant(nvme, "two");
    }
    bus.unplug(nvme);
    events.clear();
    try (BrokerService service = start()) {
      assertThat(devices(service)).containsExactly(List.of(edu), List.of());
      assertThat(events)
          .anySatisfy(
              event -> {
                assertThat(event).isInstanceOf(BrokerEvent.Refused.class);
                assertThat(event.toString()).startsWith("guest two: " + nvme);
              });
    }
  }

  @Test
  void aClientThatLetsGoGivesTheDeviceBackBeforeTheDeadline() throws Exception {
    try (BrokerService service = start()) {
      PciDevice device = open(socket("one", "0.0"));
      device.onDetach(
          new DetachListener() {
            @Override
            public void requested(Duration deadline) {
              device.close();
            }

            @Override
            public void gone(String cause) {}
          });
      service.revoke(edu, Duration.ofMinutes(5)); // the test has one

      assertThat(socket("one", "0.0")).doesNotExist();
      assertThat(service.devices())
          .containsExactly(new Broker.DeviceStatus(edu, Optional.empty(), Optional.empty()));
    }
  }

  @Test
  void withoutClientNobodyIsWaitedFor() throws IOException {
    try (BrokerService service = start()) {
      service.revoke(edu, Duration.ofMinutes(5)); // the test has one
      assertThat(service.guests().getFirst().state()).contains(GrantState.CLOSED);
      service.grant(edu, "one");
      try (PciDevice device = open(socket("one", "0.0"))) {
        assertThat(device.config().read32(0)).isEqualTo(EDU_ID);
      }
    }
  }

  @Test
  void anUnpluggedDeviceLeavesItsGuestsFolder() throws IOException {
    try (BrokerService service = start()) {
      service.grant(nvme, "one");
      bus.unplug(edu);
      while (Files.exists(socket("one", "0.0").resolveSibling("slot-0.0.json"))) {
        Thread.onSpinWait();
      }
      assertThat(socket("one", "0.0")).doesNotExist();
      assertThat(socket("one", "1.0")).exists();
      assertThatExceptionOfType(GrantRefusedException.class)
          .isThrownBy(() -> service.revoke(edu, Duration.ZERO));
    }
  }

  @Test
  void whatIsRefusedLeavesAllAsItWas() throws IOException {
    try (BrokerService service = start()) {
      assertThatExceptionOfType(GrantRefusedException.class)
          .isThrownBy(() -> service.grant(nvme, "nobody"))
          .withMessageContaining("there are [one, two]");
      assertThatExceptionOfType(GrantRefusedException.class)
          .isThrownBy(() -> service.grant(edu, "two"))
          .withMessageContaining("one");
      assertThatExceptionOfType(DeviceUnavailableException.class)
          .isThrownBy(() -> service.grant(DeviceName.parse("simulated:nothing"), "two"));
      assertThatExceptionOfType(GrantRefusedException.class)
          .isThrownBy(() -> service.revoke(nvme, Duration.ZERO));
      assertThat(service.devices()).hasSize(1);
      assertThat(devices(service)).containsExactly(List.of(edu), List.of());
    }
    try (BrokerService service = start()) {
      assertThat(devices(service)).containsExactly(List.of(edu), List.of());
    }
  }

  @Test
  void oneServiceForOneFolder() throws IOException {
    BrokerService first = start();
    assertThatThrownBy(this::start).hasMessageContaining("another broker has this folder");
    first.close();
    start().close();
  }

  @Test
  void aStateThatIsNotOursIsNotOverwritten() throws IOException {
    Files.createDirectories(folders().state());
    Path file = Files.writeString(folders().state().resolve("grants.json"), "{\"a\": [1]}");
    assertThatThrownBy(this::start).isInstanceOf(IOException.class).hasMessageContaining("remove");
    assertThat(file).hasContent("{\"a\": [1]}");
  }
}
