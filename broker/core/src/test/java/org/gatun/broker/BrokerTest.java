package org.gatun.broker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.gatun.broker.DeviceRequest.BarPart;
import org.gatun.broker.policy.ConfigPolicy;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaException;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.spi.Hazard;
import org.gatun.simulated.EduModel;
import org.gatun.simulated.RootPortModel;
import org.gatun.simulated.SpecimenModel;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class BrokerTest {
  private final Site site = Site.virtualTime();

  @AfterEach
  void close() {
    site.close();
  }

  @Test
  void aGrantGoesThroughTheStatesOfXenbus() {
    DeviceName edu = site.seize("edu", new EduModel());
    DeviceName late = site.seize("late", new EduModel());
    List<GrantState> states = new ArrayList<>();
    site.broker.listen((grant, from, to) -> states.add(to));

    Grant grant = site.grant("guest", edu);
    assertThat(states).containsExactly(GrantState.INIT_WAIT);
    grant.connect();
    site.broker.add(grant, DeviceRequest.of(late));
    grant.connect();
    site.broker.remove(grant, late, Duration.ZERO);
    grant.revoke(Duration.ZERO);
    grant.revoke(Duration.ZERO);

    assertThat(states)
        .containsExactly(
            GrantState.INIT_WAIT,
            GrantState.INITIALISED,
            GrantState.CONNECTED,
            GrantState.RECONFIGURING,
            GrantState.RECONFIGURED,
            GrantState.CONNECTED,
            GrantState.RECONFIGURING,
            GrantState.CONNECTED,
            GrantState.CLOSING,
            GrantState.CLOSED);
    assertThat(site.broker.grants()).isEmpty();
  }

  @ParameterizedTest
  @EnumSource
  void noStateFollowsClosedAndEachOtherLeadsThere(GrantState state) {
    Set<GrantState> reached = Set.of(state);
    for (int i = 0; i < GrantState.values().length; i++) {
      Set<GrantState> more = new java.util.HashSet<>(reached);
      reached.forEach(s -> more.addAll(s.next()));
      reached = more;
    }
    assertThat(reached).contains(GrantState.CLOSED);
    assertThat(GrantState.CLOSED.next()).isEmpty();
  }

  @Test
  void beforeTheGuestComesItsDevicesDoNotAnswer() {
    DeviceName edu = site.seize("edu", new EduModel());
    Grant grant = site.grant("guest", edu);

    assertThat(memoryDecode(edu)).isFalse();
    grant.connect();
    assertThat(memoryDecode(edu)).isTrue();
    assertThatThrownBy(grant::connect).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void aLateDeviceComesAndGoesWhileTheOthersStay() {
    DeviceName first = site.seize("first", new EduModel());
    DeviceName late = site.seize("late", new EduModel());
    Grant grant = site.grant("guest", first);
    PciDevice stays = grant.connect().getFirst();

    site.broker.add(grant, DeviceRequest.of(late));
    assertThat(grant.connect()).extracting(PciDevice::name).containsExactly(first, late);
    PciDevice goes = grant.devices().getLast();
    assertThat(goes.id()).isEqualTo(stays.id());
    site.broker.remove(grant, late, Duration.ZERO);

    assertThatThrownBy(goes::id).isInstanceOf(org.gatun.pci.DeviceGoneException.class);
    assertThat(stays.id().device()).isEqualTo(0x11e8);
    assertThat(grant.devices()).extracting(PciDevice::name).containsExactly(first);
    assertThat(site.grant("other", late).connect()).hasSize(1);
  }

  @Test
  void functionsOfOneDeviceShareASlotAndKeepTheirNumbers() {
    DeviceName alone = site.seize("alone", new EduModel());
    DeviceName function0 = site.bus.plug("f0", new SpecimenModel());
    DeviceName function1 = site.bus.plugBeside(function0, "f1", new SpecimenModel());
    site.broker.seize(function0);
    site.broker.seize(function1);

    Grant grant = site.grant("guest", alone, function0, function1);

    assertThat(grant.devices())
        .extracting(GrantedDevice::slot)
        .containsExactly(0 << 3, 1 << 3, 1 << 3 | 1);
  }

  @Test
  void devicesOfOneGroupGoToOneGuestOrToNone() {
    DeviceName one = site.bus.plug("one", SpecimenModel.withoutAcs());
    DeviceName other = site.bus.plugBeside(one, "other", SpecimenModel.withoutAcs());
    site.broker.seize(one);
    site.broker.seize(other);
    DeviceRequest first = DeviceRequest.of(one).accepting(Hazard.MISSING_ACS);
    DeviceRequest second = DeviceRequest.of(other).accepting(Hazard.MISSING_ACS);
    Grant grant = site.broker.grant("guest", Quota.DEFAULT, List.of(first));

    assertThatThrownBy(() -> site.broker.grant("rival", Quota.DEFAULT, List.of(second)))
        .isInstanceOf(GrantRefusedException.class)
        .hasMessageContainingAll("IOMMU group", one.toString(), other.toString(), "guest");
    assertThat(site.broker.grants()).containsExactly(grant);

    grant.connect();
    site.broker.add(grant, second);
    assertThat(grant.connect()).hasSize(2);
    grant.revoke(Duration.ZERO);
    assertThat(site.broker.grant("rival", Quota.DEFAULT, List.of(second)).connect()).hasSize(1);
  }

  @Test
  void hazardsAreRefusedUnlessAcceptedByName() {
    DeviceName edu = site.bus.plug("edu", EduModel.withoutReset());
    site.bus.pretend(Set.of(Hazard.UNPROTECTED_DMA, Hazard.UNSAFE_INTERRUPTS));
    site.broker.seize(edu);
    DeviceRequest request = DeviceRequest.of(edu);

    assertThatThrownBy(() -> site.broker.grant("guest", Quota.DEFAULT, List.of(request)))
        .isInstanceOf(GrantRefusedException.class)
        .hasMessageContainingAll("unprotected-dma", "unsafe-interrupts", "missing-reset");
    DeviceRequest some = request.accepting(Hazard.MISSING_RESET, Hazard.UNSAFE_INTERRUPTS);
    assertThatThrownBy(() -> site.broker.grant("guest", Quota.DEFAULT, List.of(some)))
        .hasMessageContaining("unprotected-dma")
        .hasMessageNotContaining("missing-reset");
    DeviceRequest all = request.accepting(Hazard.values());
    assertThat(site.broker.grant("guest", Quota.DEFAULT, List.of(all)).connect()).hasSize(1);
  }

  @Test
  void allOrNothing() {
    DeviceName edu = site.seize("edu", new EduModel());
    DeviceName missing = new DeviceName("simulated", "missing");

    assertThatThrownBy(() -> site.grant("guest", edu, missing))
        .isInstanceOf(GrantRefusedException.class)
        .hasMessageContaining("does not have it");

    assertThat(site.broker.grants()).isEmpty();
    assertThat(site.broker.devices().getFirst().guest()).isEmpty();
    assertThat(site.grant("guest", edu).connect()).hasSize(1);
  }

  @Test
  void whatIsNotTheBrokersIsRefused() {
    DeviceName edu = site.seize("edu", new EduModel());

    assertThatThrownBy(() -> site.broker.seize(edu)).isInstanceOf(GrantRefusedException.class);
    assertThatThrownBy(() -> site.broker.seize(new DeviceName("unknown", "x")))
        .isInstanceOf(GrantRefusedException.class)
        .hasMessageContaining("no backend");
    assertThatThrownBy(() -> site.broker.seize(new DeviceName("simulated", "x")))
        .isInstanceOf(DeviceUnavailableException.class);
    Grant grant = site.grant("guest", edu);
    assertThatThrownBy(() -> site.broker.release(edu)).hasMessageContaining("guest");
    assertThatThrownBy(() -> site.grant("rival", edu)).hasMessageContaining("one guest");
    grant.revoke(Duration.ZERO);
    site.broker.release(edu);
    assertThat(site.broker.devices()).isEmpty();
    site.bus.open(edu).close();
  }

  @Test
  void quotasHoldOverAllDevicesOfTheGuest() {
    DeviceName one = site.seize("one", new EduModel());
    DeviceName two = site.seize("two", new EduModel());
    List<PciDevice> devices = new ArrayList<>();
    Grant grant =
        site.broker.grant(
            "guest", new Quota(3 * 4096, 2), List.of(DeviceRequest.of(one), DeviceRequest.of(two)));
    devices.addAll(grant.connect());
    DmaBuffer first = devices.getFirst().dma().allocate(4096, 4096);

    assertThatThrownBy(() -> devices.getLast().dma().allocate(3 * 4096, 4096))
        .isInstanceOf(DmaException.class)
        .hasMessageContainingAll("quota", "4096 of 12288");
    DmaBuffer second = devices.getLast().dma().allocate(1, 4096);
    assertThatThrownBy(() -> devices.getFirst().dma().allocate(4096, 4096))
        .isInstanceOf(DmaException.class)
        .hasMessageContaining("2 DMA mappings");
    first.close();
    first.close();
    devices.getFirst().dma().allocate(4096, 4096).close();
    second.close();
  }

  @Test
  void whatADeviceUsedOfTheQuotaIsFreeWhenItIsTakenBack() {
    DeviceName one = site.seize("one", new EduModel());
    DeviceName two = site.seize("two", new EduModel());
    Grant grant =
        site.broker.grant(
            "guest", new Quota(4096, 1), List.of(DeviceRequest.of(one), DeviceRequest.of(two)));
    List<GrantedDevice> devices = grant.connect();
    DmaBuffer forgotten = devices.getFirst().dma().allocate(4096, 4096);

    site.broker.remove(grant, one, Duration.ZERO);

    DmaBuffer next = devices.getLast().dma().allocate(4096, 4096);
    forgotten.close();
    assertThatThrownBy(() -> devices.getLast().dma().allocate(4096, 4096))
        .isInstanceOf(DmaException.class);
    next.close();
  }

  @Test
  void aDeviceHasOneOwnerUnderAllItsNames() {
    HookedBackend backend = new HookedBackend(site.bus);
    DeviceName edu = site.bus.plug("edu", EduModel.withoutReset());
    DeviceName alias = new DeviceName("simulated", "EDU");
    try (Broker broker = new Broker(List.of(backend))) {
      broker.seize(alias);

      assertThat(broker.devices().getFirst().name()).isEqualTo(edu);
      assertThatThrownBy(() -> broker.seize(edu)).hasMessageContaining("has it already");
      assertThatThrownBy(
              () -> broker.grant("guest", Quota.DEFAULT, List.of(DeviceRequest.of(alias))))
          .isInstanceOf(GrantRefusedException.class)
          .hasMessageContaining(Hazard.MISSING_RESET.text());
      broker.release(alias);
    }
  }

  @Test
  void aLateDeviceIsNotLostWhenAnotherComesOrGoes() {
    DeviceName first = site.seize("first", new EduModel());
    DeviceName second = site.seize("second", new EduModel());
    DeviceName late = site.seize("late", new EduModel());
    Grant grant = site.grant("guest", first, second);
    PciDevice stays = grant.connect().getFirst();
    site.broker.add(grant, DeviceRequest.of(late));

    site.broker.remove(grant, second, Duration.ZERO);
    assertThatThrownBy(() -> site.broker.add(grant, DeviceRequest.of(late)))
        .isInstanceOf(GrantRefusedException.class);

    assertThat(grant.state()).isEqualTo(GrantState.RECONFIGURED);
    assertThat(grant.connect()).extracting(PciDevice::name).containsExactly(first, late);
    assertThat(grant.devices().getLast().id()).isEqualTo(stays.id());
  }

  @Test
  void whatNoGuestHadIsCleanWithoutAReset() {
    DeviceName edu = site.seize("edu", EduModel.withoutReset());
    DeviceName other = site.seize("other", EduModel.withoutReset());
    DeviceRequest accepted = DeviceRequest.of(edu).accepting(Hazard.MISSING_RESET);

    assertThatThrownBy(
            () ->
                site.broker.grant(
                    "guest", Quota.DEFAULT, List.of(accepted, DeviceRequest.of(other))))
        .isInstanceOf(GrantRefusedException.class);

    assertThat(site.broker.devices()).allSatisfy(d -> assertThat(d.quarantine()).isEmpty());
  }

  @Test
  void beforeTheGuestComesNothingOfADeviceCanBeUsed() {
    GrantedDevice device =
        site.grant("guest", site.seize("edu", new EduModel())).devices().getFirst();

    assertThatThrownBy(() -> device.busMaster(true)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(device::dma).isInstanceOf(IllegalStateException.class);
  }

  /** Registers that survive a reset, as sticky ones do. */
  @Test
  void whatAPermissiveGrantChangedIsUndone() {
    HookedBackend backend = new HookedBackend(site.bus);
    DeviceName name = site.bus.plug("specimen", new SpecimenModel());
    int offset =
        Capabilities.walk(site.bus.hardware(name))
                .find(Capability.ADVANCED_FEATURES)
                .orElseThrow()
                .offset()
            + 6;
    try (Broker broker = new Broker(List.of(backend))) {
      broker.seize(name);
      int before = site.bus.hardware(name).read16(offset);
      DeviceRequest request =
          DeviceRequest.of(name).withConfig(new ConfigPolicy(true, false, Set.of(), List.of()));
      Grant grant = broker.grant("guest", Quota.DEFAULT, List.of(request));
      grant.connect().getFirst().config().write16(offset, ~before & 0xffff);
      int written = site.bus.hardware(name).read16(offset);
      assertThat(written).isNotEqualTo(before);
      backend.onSeize(device -> device.config().write16(offset, written));

      grant.revoke(Duration.ZERO);

      assertThat(site.bus.hardware(name).read16(offset)).isEqualTo(before);
      assertThat(broker.devices().getFirst().quarantine()).isEmpty();
    }
  }

  @Test
  void vectorsStayWithinWhatWasGranted() {
    DeviceName device = site.seize("device", new SpecimenModel());
    PciDevice granted =
        site.broker
            .grant("guest", Quota.DEFAULT, List.of(DeviceRequest.of(device).withVectors(2)))
            .connect()
            .getFirst();

    assertThat(granted.interrupts().count(Kind.MSIX)).isEqualTo(2);
    assertThatThrownBy(() -> granted.interrupts().enable(Kind.MSIX, 3))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(granted.interrupts().enable(Kind.MSIX, 2)).hasSize(2);
  }

  @Test
  void onlyPagesThatAreWhollyTheGuestsAreMapped() {
    DeviceName device = site.seize("device", new SpecimenModel());
    PciDevice granted =
        site.broker
            .grant(
                "guest",
                Quota.DEFAULT,
                List.of(
                    DeviceRequest.of(device)
                        .withBars(
                            Map.of(
                                SpecimenModel.REGISTERS,
                                List.of(new BarPart(0x1800, 0x2000)),
                                SpecimenModel.MEMORY,
                                List.of()))))
            .connect()
            .getFirst();

    assertThat(granted.bar(SpecimenModel.MEMORY)).isEmpty();
    Bar bar = granted.bar(SpecimenModel.REGISTERS).orElseThrow();
    assertThat(bar.ranges())
        .containsExactly(
            new Bar.Range(0, 0x2000, Bar.Access.TRAPPED),
            new Bar.Range(0x2000, 0x1000, Bar.Access.DIRECT),
            new Bar.Range(0x3000, 0xd000, Bar.Access.TRAPPED));
    // Less than a page: other things may share it.
    assertThat(granted.bar(SpecimenModel.SMALL).orElseThrow().ranges())
        .containsExactly(new Bar.Range(0, 0x100, Bar.Access.TRAPPED));
    try (Mmio page = bar.map(0x1000, 0x1000)) {
      page.write32(0x800, 0x1234_5678);
      page.write32(0x7fc, 0x1234_5678);
      assertThat(page.read32(0x800)).isEqualTo(0x1234_5678);
      assertThat(page.read32(0x7fc)).isEqualTo(-1);
    }
    assertThat(site.bus.peek(device, SpecimenModel.REGISTERS, 0x1800, 4)).isEqualTo(0x1234_5678);
    assertThat(site.bus.peek(device, SpecimenModel.REGISTERS, 0x17fc, 4)).isZero();
  }

  @Test
  void theMsixTableIsReadAndNotWritten() {
    DeviceName device = site.seize("device", new SpecimenModel());
    Grant grant = site.grant("guest", device);
    PciDevice granted = grant.connect().getFirst();
    granted.interrupts().enable(Kind.MSIX, 2);
    Bar bar = granted.bar(SpecimenModel.REGISTERS).orElseThrow();
    try (Mmio table = bar.map(SpecimenModel.MSIX_TABLE, 0x1000)) {
      long before = site.bus.peek(device, SpecimenModel.REGISTERS, SpecimenModel.MSIX_TABLE, 4);
      table.write32(0, 0xfee0_0000);
      table.write64(0, -1);
      table.write32(12, 1);
      assertThat(site.bus.peek(device, SpecimenModel.REGISTERS, SpecimenModel.MSIX_TABLE, 4))
          .isEqualTo(before);
      assertThat(site.bus.peek(device, SpecimenModel.REGISTERS, SpecimenModel.MSIX_TABLE + 12, 4))
          .isZero();
      assertThat(table.read32(12)).isZero();
    }
    assertThat(grant.counters().deniedAccesses()).isEqualTo(3);
  }

  @Test
  void aBridgeCanBeGranted() {
    DeviceName port = site.seize("port", new RootPortModel());
    Grant grant =
        site.broker.grant(
            "guest",
            Quota.DEFAULT,
            List.of(DeviceRequest.of(port).accepting(Hazard.MISSING_RESET)));

    assertThat(grant.connect().getFirst().pciClass().base()).isEqualTo(6);
  }

  @Test
  void closingTheBrokerRevokesAllAndLetsAllGo() {
    DeviceName edu = site.seize("edu", new EduModel());
    PciDevice granted = site.grant("guest", edu).connect().getFirst();

    site.broker.close();

    assertThatThrownBy(granted::config).isInstanceOf(org.gatun.pci.DeviceGoneException.class);
    site.bus.open(edu).close();
    assertThatThrownBy(() -> site.broker.seize(edu)).hasMessageContaining("closed");
  }

  private boolean memoryDecode(DeviceName device) {
    return (site.bus.hardware(device).read16(ConfigRegisters.COMMAND)
            & ConfigRegisters.COMMAND_MEMORY)
        != 0;
  }
}
