package org.gatun.broker.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.gatun.broker.Broker;
import org.gatun.broker.GrantRefusedException;
import org.gatun.broker.GrantState;
import org.gatun.broker.config.BrokerConfig;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.Interrupts;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.TimeSource;
import org.gatun.pci.spi.EraseMethod;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.PciBackend;
import org.gatun.pci.spi.SeizedDevice;
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
  private final HeardEvents events = new HeardEvents();
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
    return events.start(BrokerService.open(policies, folders(), List.of(bus)));
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

  /** It has two names for each device; the one with a small letter is its own. */
  private PciBackend withAliases() {
    return new PciBackend() {
      @Override
      public String scheme() {
        return bus.scheme();
      }

      @Override
      public List<FoundDevice> scan() {
        return bus.scan();
      }

      @Override
      public DeviceName nameOf(DeviceName name) {
        return named(name, name.text().substring(0, 1).toLowerCase(Locale.ROOT));
      }

      @Override
      public PciDevice open(DeviceName name) {
        return bus.open(nameOf(name));
      }

      @Override
      public SeizedDevice seize(DeviceName name) {
        return bus.seize(nameOf(name));
      }
    };
  }

  private static DeviceName alias(DeviceName device) {
    return named(device, device.text().substring(0, 1).toUpperCase(Locale.ROOT));
  }

  private static DeviceName named(DeviceName device, String firstLetter) {
    return new DeviceName(device.scheme(), firstLetter + device.text().substring(1));
  }

  @Test
  void anotherNameOfADeviceMeansTheSame() throws IOException {
    BrokerConfig aliased =
        BrokerConfig.parse(
            "policy",
            """
            policies: [{device: '%s', vectors: 0}]
            guests: [{name: one, devices: ['%s']}, {name: two}]
            """
                .formatted(alias(edu), alias(edu)));
    List<PciBackend> backends = List.of(withAliases());
    try (BrokerService service = BrokerService.open(aliased, folders(), backends)) {
      service.start();
      assertThat(devices(service)).containsExactly(List.of(edu), List.of());
      assertThat(service.grant(alias(nvme), "two")).isEqualTo(nvme);
      assertThat(service.revoke(alias(edu), Duration.ZERO)).isEqualTo("one");
      service.grant(edu, "two");
      try (PciDevice device = open(socket("two", "1.0"))) {
        assertThat(device.interrupts().count(Interrupts.Kind.MSI))
            .as("by the policy for its other name")
            .isZero();
      }
      service.revoke(edu, Duration.ZERO);
    }
    try (BrokerService service = BrokerService.open(aliased, folders(), backends)) {
      service.start();
      assertThat(devices(service)).containsExactly(List.of(), List.of(nvme));
    }
  }

  @Test
  void twoGuestsCanNotHaveADeviceUnderTwoNames() {
    BrokerConfig aliased =
        BrokerConfig.parse(
            "policy",
            "guests: [{name: one, devices: ['%s']}, {name: two, devices: ['%s']}]"
                .formatted(edu, alias(edu)));
    assertThatThrownBy(() -> BrokerService.open(aliased, folders(), List.of(withAliases())))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(edu + " goes to guest one already");
  }

  @Test
  void anotherBrokerDoesNotGetOneOfItsFolders() throws IOException {
    try (BrokerService _ = start()) {
      for (BrokerService.Folders other :
          List.of(
              new BrokerService.Folders(folders().runtime(), folder.resolve("other")),
              new BrokerService.Folders(folder.resolve("other"), folders().state()))) {
        assertThatThrownBy(() -> BrokerService.open(config, other, List.of(bus)))
            .isInstanceOf(IOException.class)
            .hasMessageContaining("another broker has this folder");
      }
    }
  }

  @Test
  void whatCanNotBeGrantedIsReleasedOnce() throws IOException {
    try (BrokerService service = BrokerService.open(config, folders(), List.of(bus), List.of())) {
      service.listen(events::add);
      service.start();
      assertThatThrownBy(() -> service.erase(nvme, EraseMethod.FORMAT))
          .isInstanceOf(PciException.class);
      assertThat(service.devices()).hasSize(1);
    }
    assertThat(events.stream().filter(new BrokerEvent.Released(nvme)::equals)).hasSize(1);
  }

  @Test
  @Timeout(30)
  void isStoppedWhileADeviceIsGranted() throws Exception {
    AtomicReference<Thread> granting = new AtomicReference<>();
    try (BrokerService service = start()) {
      service.grant(nvme, "two");
      DeviceName other = bus.plug("nvme,size=4M");
      service.listen(
          event -> {
            // Guest two is the first that is closed.
            if (event instanceof BrokerEvent.Granted granted
                && granted.to() == GrantState.CLOSED
                && granting.get() == null) {
              Thread thread =
                  Thread.ofPlatform()
                      .start(
                          () -> {
                            try {
                              service.grant(other, "one");
                            } catch (GrantRefusedException | IOException _) {
                              // It came too late.
                            }
                          });
              granting.set(thread);
              TimeSource.system().sleep(Duration.ofMillis(200));
            }
          });
    }
    granting.get().join();
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
