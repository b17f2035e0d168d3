package org.gatun.broker.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.gatun.broker.Broker;
import org.gatun.broker.GrantRefusedException;
import org.gatun.broker.config.BrokerConfig;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeDisk;
import org.gatun.driver.nvme.NvmeEraser;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.TimeSource;
import org.gatun.pci.spi.DeviceEraser;
import org.gatun.pci.spi.DeviceMatch;
import org.gatun.pci.spi.EraseMethod;
import org.gatun.simulated.SimulatedBus;
import org.gatun.vfiouser.VfioUserBackend;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a guest leaves on a device, and who gets that. */
@Timeout(120)
class OnReleaseTest {
  private static final long PATTERN = 0x6761_7475_6e21_0001L;

  private final SimulatedBus bus = SimulatedBus.realTime();
  private final DeviceName edu = bus.plug("edu");
  private final DeviceName nvme = bus.plug("nvme,size=1M");
  private final HeardEvents events = new HeardEvents();
  private List<DeviceEraser> erasers = List.of(new NvmeEraser());

  @TempDir private Path folder;

  @AfterEach
  void close() {
    bus.close();
  }

  private static String onRelease(String step) {
    return "policies: [{id: '1b36:0010', on-release: %s}]%n".formatted(step);
  }

  /** What has no guest with a device, has two guests without. */
  private BrokerService start(String policy) throws IOException {
    return start(policy, "run");
  }

  private BrokerService start(String policy, String runtime) throws IOException {
    String guests = policy.contains("guests:") ? "" : "guests: [{name: one}, {name: two}]";
    return events.start(
        BrokerService.open(
            BrokerConfig.parse("policy", policy + guests),
            new BrokerService.Folders(folder.resolve(runtime), folder.resolve("state")),
            List.of(bus),
            erasers));
  }

  /** What a guest finds in the first block of the disk; then it has its own there. */
  private static long swap(BrokerService service, int guest, long value) {
    Path socket = service.guests().get(guest).directory().resolve("slot-0.0.sock");
    try (PciDevice device =
            new VfioUserBackend().open(new DeviceName(VfioUserBackend.SCHEME, socket.toString()));
        NvmeController controller = NvmeController.open(device, NvmeOptions.defaults());
        NvmeDisk disk = controller.openDisk(1);
        DmaBuffer buffer = device.dma().allocate(4096, 4096)) {
      disk.read(0, buffer, 0, 512);
      long found = buffer.getLongAcquire(0);
      buffer.putLong(0, value);
      disk.write(0, buffer, 0, 512);
      return found;
    }
  }

  private void grantWriteRevoke(BrokerService service) throws IOException {
    service.grant(nvme, "one");
    swap(service, 0, PATTERN);
    service.revoke(nvme, Duration.ZERO);
  }

  private void refusesTwo(BrokerService service) {
    assertThatExceptionOfType(GrantRefusedException.class)
        .isThrownBy(() -> service.grant(nvme, "two"))
        .withMessage(
            "%s: data of guest one may be on it; erase it ('gatun erase %s'), or leave what is on it"
                    .formatted(nvme, nvme)
                + " to the next guest ('gatun erase %s --clear')".formatted(nvme));
    assertThat(service.guests().getLast().devices()).isEmpty();
    assertThat(service.lastGuest(nvme)).contains("one");
  }

  @Test
  void aDiskGoesToTheSameGuestOnly() throws IOException {
    try (BrokerService service = start("")) {
      service.grant(nvme, "one");
      assertThatThrownBy(() -> service.grant(nvme, "two"))
          .hasMessage(nvme + ": guest one has it; revoke it first");
      swap(service, 0, PATTERN);
      service.revoke(nvme, Duration.ZERO);
      refusesTwo(service);
      service.grant(nvme, "one");
      assertThat(swap(service, 0, 1)).isEqualTo(PATTERN);
    }
    assertThat(events).noneMatch(BrokerEvent.Erasing.class::isInstance);
  }

  @Test
  void whatIsNoStorageGoesToAnybody() throws IOException {
    try (BrokerService service = start("")) {
      service.grant(edu, "one");
      service.revoke(edu, Duration.ZERO);
      service.grant(edu, "two");
      assertThat(service.lastGuest(edu)).isEmpty();
    }
  }

  @Test
  void aDiskIsLeftToAnybodyIfThePolicySaysSo() throws IOException {
    try (BrokerService service = start(onRelease("nothing"))) {
      grantWriteRevoke(service);
      service.grant(nvme, "two");
      assertThat(swap(service, 1, 0)).isEqualTo(PATTERN);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"keep", "nothing"})
  void theNextBrokerKnowsAndAnEditedPolicyDoesNotMatter(String next) throws IOException {
    try (BrokerService service = start("")) {
      grantWriteRevoke(service);
    }
    try (BrokerService service = start(onRelease(next))) {
      refusesTwo(service);
      service.grant(nvme, "one");
      assertThat(swap(service, 0, 0)).isEqualTo(PATTERN);
    }
  }

  /** As after a kill: the state is on the disk before the guest has the device. */
  @Test
  void theNextBrokerKnowsIfTheLastOneWasKilled() throws IOException {
    String toOne = "guests: [{name: one, devices: ['%s']}, {name: two}]".formatted(nvme);
    String toTwo = "guests: [{name: one}, {name: two, devices: ['%s']}]".formatted(nvme);
    BrokerService killed = start(toOne, "run-1");
    swap(killed, 0, PATTERN);
    Path kept = Files.copy(folder.resolve("state/holders.json"), folder.resolve("kept"));
    killed.close();
    Files.copy(kept, folder.resolve("state/holders.json"), StandardCopyOption.REPLACE_EXISTING);
    events.clear();
    try (BrokerService service = start(toTwo, "run-2")) {
      assertThat(events)
          .contains(new BrokerEvent.Seized(nvme))
          .anySatisfy(
              event ->
                  assertThat(event.toString())
                      .startsWith(
                          "guest two: %s is not granted: %s: data of guest one may be on it"
                              .formatted(nvme, nvme)));
      refusesTwo(service);
      service.erase(nvme, EraseMethod.FORMAT);
      service.startGuest("two");
      assertThat(swap(service, 1, 0)).isZero();
    }
  }

  @ParameterizedTest
  @EnumSource(EraseMethod.class)
  void aDiskIsErasedWhenItsGuestHasLetGo(EraseMethod method) throws Exception {
    try (BrokerService service = start(onRelease(method.text()))) {
      grantWriteRevoke(service);
      assertThat(events.await(BrokerEvent.Erasing.class))
          .isEqualTo(new BrokerEvent.Erasing(nvme, method));
      assertThat(events.await(BrokerEvent.Erased.class))
          .isEqualTo(new BrokerEvent.Erased(nvme, method));
      assertThat(service.lastGuest(nvme)).isEmpty();
      service.grant(nvme, "two");
      assertThat(swap(service, 1, 0)).isZero();
    }
    assertThat(events).as("and at the end").contains(new BrokerEvent.Erased(nvme, method));
    assertThat(events.toString()).doesNotContain("the broker");
  }

  @Test
  void aDiskIsErasedWhenTheBrokerEnds() throws IOException {
    try (BrokerService service = start(onRelease("format"))) {
      service.grant(nvme, "one");
      swap(service, 0, PATTERN);
    }
    assertThat(events).contains(new BrokerEvent.Erased(nvme, EraseMethod.FORMAT));
    try (PciDevice device = bus.open(nvme);
        NvmeController controller = NvmeController.open(device, NvmeOptions.defaults());
        NvmeDisk disk = controller.openDisk(1);
        DmaBuffer buffer = device.dma().allocate(4096, 4096)) {
      disk.read(0, buffer, 0, 512);
      assertThat(buffer.getLongAcquire(0)).isZero();
    }
  }

  /** Erases nothing. */
  private record Stubborn(CountDownLatch go, DeviceMatch match) implements DeviceEraser {
    @Override
    public List<DeviceMatch> matches() {
      return List.of(match);
    }

    @Override
    public Set<EraseMethod> methods() {
      return Set.of(EraseMethod.FORMAT);
    }

    @Override
    public void erase(PciDevice device, EraseMethod method, TimeSource time) {
      try {
        go.await();
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
      throw new PciException(device.name(), "it does not want to", null, null);
    }
  }

  @Test
  void whatIsNotErasedIsKeptAndNobodyElseWaits() throws Exception {
    Stubborn stubborn = new Stubborn(new CountDownLatch(1), new DeviceMatch.ById(0x1b36, 0x0010));
    erasers = List.of(stubborn);
    try (BrokerService service = start(onRelease("format"))) {
      grantWriteRevoke(service);
      events.await(BrokerEvent.Erasing.class);
      for (String guest : List.of("one", "two")) {
        assertThatExceptionOfType(GrantRefusedException.class)
            .isThrownBy(() -> service.grant(nvme, guest))
            .withMessage(nvme + ": it is being erased (format); wait for the end of that");
      }
      assertThatExceptionOfType(GrantRefusedException.class)
          .isThrownBy(() -> service.erase(nvme, EraseMethod.FORMAT))
          .withMessageContaining("it is being erased");
      service.grant(edu, "two"); // others go on
      service.revoke(edu, Duration.ZERO);
      stubborn.go.countDown();
      assertThat(events.await(BrokerEvent.NotErased.class))
          .isEqualTo(
              new BrokerEvent.NotErased(nvme, EraseMethod.FORMAT, nvme + ": it does not want to"));
      service.grant(nvme, "one");
      assertThat(swap(service, 0, PATTERN)).isEqualTo(PATTERN);
      service.revoke(nvme, Duration.ZERO);
      events.await(BrokerEvent.NotErased.class);
      assertThatThrownBy(() -> service.grant(nvme, "two"))
          .isInstanceOf(GrantRefusedException.class);
      assertThat(service.lastGuest(nvme)).contains("one");
    }
    // The next broker has an eraser that works, and comes to it by itself.
    erasers = List.of(new NvmeEraser());
    events.clear();
    forgetDecisions();
    try (BrokerService service =
        start("guests: [{name: one}, {name: two, devices: ['%s']}]".formatted(nvme))) {
      events.await(BrokerEvent.Refused.class);
      events.await(BrokerEvent.Erased.class);
      service.startGuest("two");
      assertThat(swap(service, 1, 0)).isZero();
    }
  }

  @Test
  void quarantineIsUntilItIsErasedOrCleared() throws Exception {
    try (BrokerService service = start(onRelease("quarantine"))) {
      service.grant(nvme, "one");
      swap(service, 0, PATTERN);
      assertThat(service.devices())
          .containsExactly(new Broker.DeviceStatus(nvme, Optional.of("one"), Optional.empty()));
      assertThatThrownBy(() -> service.clear(nvme))
          .hasMessage(nvme + ": guest one has it; revoke it first");
      service.revoke(nvme, Duration.ZERO);
      assertThat(events.await(BrokerEvent.Quarantined.class))
          .isEqualTo(new BrokerEvent.Quarantined(nvme, "guest one has let go of it"));
      isInQuarantine(service);
    }
    forgetDecisions();
    try (BrokerService service =
        start("guests: [{name: one, devices: ['%s']}, {name: two}]".formatted(nvme))) {
      assertThat(events.await(BrokerEvent.Refused.class).guest()).isEqualTo("one");
      isInQuarantine(service);
      service.clear(nvme);
      events.await(BrokerEvent.Cleared.class);
      service.grant(nvme, "two");
      assertThat(swap(service, 1, 0)).isEqualTo(PATTERN);
      assertThatThrownBy(() -> service.clear(edu)).hasMessageContaining("nothing to clear");
    }
  }

  /** That a device was revoked: the policy file alone says who gets it. */
  private void forgetDecisions() throws IOException {
    Files.delete(folder.resolve("state/grants.json"));
  }

  private void isInQuarantine(BrokerService service) {
    assertThat(service.devices())
        .containsExactly(
            new Broker.DeviceStatus(
                nvme, Optional.empty(), Optional.of("guest one has let go of it")));
    for (String guest : List.of("one", "two")) {
      assertThatExceptionOfType(GrantRefusedException.class)
          .isThrownBy(() -> service.grant(nvme, guest))
          .withMessageContaining("it is in quarantine: guest one has let go of it; erase it");
    }
  }

  @Test
  void anEraseByHandEndsAQuarantineToo() throws IOException {
    try (BrokerService service = start(onRelease("quarantine"))) {
      grantWriteRevoke(service);
      service.erase(nvme, EraseMethod.SANITIZE);
      service.grant(nvme, "two");
      assertThat(swap(service, 1, 0)).isZero();
      assertThatExceptionOfType(GrantRefusedException.class)
          .isThrownBy(() -> service.erase(nvme, EraseMethod.SANITIZE))
          .withMessageContaining("guest two has");
      assertThat(swap(service, 1, 0)).isZero();
    }
  }

  @Test
  void aStepThatNothingCanTakeIsARefusedGrant() throws IOException {
    try (BrokerService service = start("policies: [{id: '1234:11e8', on-release: format}]\n")) {
      assertThatExceptionOfType(GrantRefusedException.class)
          .isThrownBy(() -> service.grant(edu, "one"))
          .withMessageContaining(edu + ": nothing here can format a device like it (1234:11e8");
      assertThat(service.devices()).isEmpty();
      assertThat(service.lastGuest(edu)).isEmpty();
      assertThatExceptionOfType(GrantRefusedException.class)
          .isThrownBy(() -> service.erase(edu, EraseMethod.SANITIZE))
          .withMessageContaining("nothing here can sanitize");
      assertThat(service.devices()).isEmpty();
    }
  }

  @Test
  void whatCouldNotBeGrantedIsNotNoted() throws IOException {
    try (BrokerService service =
        start("policies: [{id: '1b36:0010', bars: {0: [{offset: 0, length: 1G}]}}]\n")) {
      assertThatThrownBy(() -> service.grant(nvme, "one")).hasMessageContaining("not inside BAR 0");
      assertThat(service.lastGuest(nvme)).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"simulated:nvme\": []}",
        "{\"nvme\": {\"guest\": \"one\", \"onRelease\": \"keep\"}}",
        "{\"simulated:nvme\": {\"guest\": \"one\"}}",
        "{\"simulated:nvme\": {\"guest\": \"one\", \"onRelease\": \"burn\"}}",
        "x"
      })
  void aStateThatIsNotOursIsNotTakenForNone(String text) throws IOException {
    Path file =
        Files.writeString(
            Files.createDirectories(folder.resolve("state")).resolve("holders.json"), text);
    assertThatThrownBy(() -> start(""))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("this is not what a broker wrote");
    assertThat(file).hasContent(text);
  }
}
