package org.gatun.broker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Set;
import org.gatun.broker.policy.ConfigAccessDeniedException;
import org.gatun.broker.policy.ConfigPolicy;
import org.gatun.pci.DeviceName;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.spi.Hazard;
import org.gatun.simulated.HardwareConfig;
import org.gatun.simulated.RootPortModel;
import org.gatun.simulated.SpecimenModel;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What a guest may write arrives in the hardware's own registers, and what comes with it does not.
 */
class HardwareEffectsTest {
  private static final ConfigPolicy PERMISSIVE = new ConfigPolicy(true, false, Set.of(), List.of());
  private static final ConfigPolicy INTERRUPT_CONTROL =
      new ConfigPolicy(false, true, Set.of(), List.of());

  private static final int MSI_ENABLE = 1;
  private static final int MSIX_ENABLE = 1 << 15;
  private static final int MSIX_MASK_ALL = 1 << 14;
  private static final int PME_ENABLE = 1 << 8;
  private static final int BIST_CAPABLE = 1 << 7;
  private static final int BIST_START = 1 << 6;

  private final Site site = Site.virtualTime();
  private final DeviceName name = site.seize("device", new SpecimenModel());
  private final HardwareConfig hardware = site.bus.hardware(name);

  @AfterEach
  void close() {
    site.close();
  }

  @Test
  void interruptDisable() {
    ConfigSpace guest = guest(INTERRUPT_CONTROL);
    for (int command : new int[] {ConfigRegisters.COMMAND_INTX_DISABLE, 0}) {
      guest.write16(ConfigRegisters.COMMAND, command);
      assertThat(command() & ConfigRegisters.COMMAND_INTX_DISABLE).isEqualTo(command);
    }
  }

  @Test
  void interruptDisableIsAShadowOtherwise() {
    int before = command() & ConfigRegisters.COMMAND_INTX_DISABLE;
    ConfigSpace guest = guest(PERMISSIVE);
    for (int command : new int[] {ConfigRegisters.COMMAND_INTX_DISABLE, 0}) {
      guest.write16(ConfigRegisters.COMMAND, command);
      assertThat(command() & ConfigRegisters.COMMAND_INTX_DISABLE).isEqualTo(before);
    }
  }

  @Test
  void oneKindOfMessagesAtATime() {
    ConfigSpace guest = guest(INTERRUPT_CONTROL);
    int msi = control(Capability.MSI);
    int msix = control(Capability.MSIX);

    turn(guest, msi, MSI_ENABLE);
    assertThat(hardware.read16(msi) & MSI_ENABLE).isNotZero();
    assertThatThrownBy(() -> turn(guest, msix, MSIX_ENABLE))
        .isInstanceOf(ConfigAccessDeniedException.class);
    assertThat(hardware.read16(msix) & MSIX_ENABLE).isZero();

    turn(guest, msi, MSI_ENABLE);
    assertThat(hardware.read16(msi) & MSI_ENABLE).isZero();
    turn(guest, msix, MSIX_ENABLE | MSIX_MASK_ALL);
    assertThat(hardware.read16(msix) & (MSIX_ENABLE | MSIX_MASK_ALL))
        .isEqualTo(MSIX_ENABLE | MSIX_MASK_ALL);
    assertThatThrownBy(() -> turn(guest, msi, MSI_ENABLE))
        .isInstanceOf(ConfigAccessDeniedException.class);
    assertThat(hardware.read16(msi) & MSI_ENABLE).isZero();
  }

  /** pciback drops them as well: the writer of a listed field has no use for other bytes. */
  @Test
  void aWriteThatTouchesAListedFieldDropsTheUnlistedBytesInAPermissiveGrant() {
    ConfigSpace guest = guest(PERMISSIVE);
    int listed = capability(Capability.ADVANCED_FEATURES) + 4;
    int unlisted = listed + 2;
    int before = hardware.read16(unlisted);
    assertThat(hardware.writable(unlisted, 2)).as("the hardware would take it").isNotZero();

    guest.write32(listed, ~before << 16);
    assertThat(hardware.read16(unlisted)).isEqualTo(before);
    guest.write16(unlisted, ~before & 0xffff);
    assertThat(hardware.read16(unlisted)).isNotEqualTo(before);
  }

  @Test
  void aWriteOfTheCommandRegisterClearsNoStatusInAPermissiveGrant() {
    ConfigSpace guest = guest(PERMISSIVE);
    hardware.raiseAll();
    int status = hardware.read16(ConfigRegisters.STATUS);
    int clearable = status & hardware.writable(ConfigRegisters.STATUS, 2);
    assertThat(clearable).isNotZero();

    guest.write32(ConfigRegisters.COMMAND, -1);
    assertThat(hardware.read16(ConfigRegisters.STATUS)).isEqualTo(status);
    guest.write16(ConfigRegisters.STATUS, clearable);
    assertThat(hardware.read16(ConfigRegisters.STATUS) & clearable).isZero();
  }

  @Test
  void aSelfTestIsStartedByWhoChangesNothingElseOfIt() {
    ConfigSpace guest = guest(ConfigPolicy.STRICT);
    hardware.write8(ConfigRegisters.BIST, 0x05);
    int idle = hardware.read8(ConfigRegisters.BIST);
    for (int other : new int[] {idle & 0xf0, idle ^ 0x0f, (idle ^ 0x0f) | BIST_START}) {
      guest.write8(ConfigRegisters.BIST, other);
      assertThat(hardware.read8(ConfigRegisters.BIST)).as("0x%x", other).isEqualTo(idle);
    }

    guest.write8(ConfigRegisters.BIST, idle | BIST_START);
    assertThat(hardware.read8(ConfigRegisters.BIST)).isEqualTo(idle | BIST_START);
    hardware.write8(ConfigRegisters.BIST, 0x05);
    guest.write8(ConfigRegisters.BIST, BIST_START);
    assertThat(hardware.read8(ConfigRegisters.BIST)).isEqualTo(BIST_CAPABLE | BIST_START);
  }

  /** PCI-to-PCI Bridge Architecture Specification 1.2, 3.2: bus numbers, bases, limits, control. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void windowsOfABridgeAreWrittenInAPermissiveGrantOnly(boolean permissive) {
    DeviceName port = site.seize("port", new RootPortModel());
    HardwareConfig bridge = site.bus.hardware(port);
    DeviceRequest request =
        DeviceRequest.of(port)
            .withConfig(permissive ? PERMISSIVE : ConfigPolicy.STRICT)
            .accepting(Hazard.MISSING_RESET);
    ConfigSpace guest =
        site.broker.grant("guest", Quota.DEFAULT, List.of(request)).connect().getFirst().config();
    int seen = 0;
    for (int window = 0x18; window < 0x34; window += 4) {
      int before = bridge.read32(window);
      // The upper half of that one is the secondary status, which a written 1 clears.
      int writable = bridge.writable(window, 4) & (window == 0x1c ? 0xffff : -1);
      guest.write32(window, ~before);
      int changed = before ^ bridge.read32(window);
      assertThat(changed & writable).as("0x%x", window).isEqualTo(permissive ? writable : 0);
      seen += writable == 0 ? 0 : 1;
    }
    assertThat(seen).as("windows that the hardware lets one write").isGreaterThan(3);
  }

  /** As drivers do after a reset that the host knew nothing of. */
  @Test
  void anAddressThatTheDeviceLostComesBackIfTheGuestWritesIt() {
    ConfigSpace guest = guest(ConfigPolicy.STRICT);
    int address = guest.read32(ConfigRegisters.BAR0);
    hardware.write32(ConfigRegisters.BAR0, 0xdead_0000);
    guest.write32(ConfigRegisters.BAR0, 0xbeef_0000);
    assertThat(hardware.read32(ConfigRegisters.BAR0) & 0xffff_0000).isEqualTo(0xdead_0000);

    guest.write32(ConfigRegisters.BAR0, address);

    assertThat(hardware.read32(ConfigRegisters.BAR0)).isEqualTo(address);
  }

  @Test
  void theSizeOfTheRomIsTheHardwares() {
    int saved = hardware.read32(ConfigRegisters.ROM);
    hardware.write32(ConfigRegisters.ROM, 0xffff_f800);
    int size = hardware.read32(ConfigRegisters.ROM) & 0xffff_f800;
    hardware.write32(ConfigRegisters.ROM, saved);
    assertThat(size).isNotZero();
    ConfigSpace guest = guest(ConfigPolicy.STRICT);

    guest.write32(ConfigRegisters.ROM, 0xffff_f800);

    assertThat(guest.read32(ConfigRegisters.ROM)).isEqualTo(size);
    assertThat(hardware.read32(ConfigRegisters.ROM)).isEqualTo(saved);
  }

  @Test
  void thatTheHostMayBeWokenIsNotShown() {
    int control = capability(Capability.POWER_MANAGEMENT) + 4;
    ConfigSpace guest = guest(ConfigPolicy.STRICT);
    hardware.poke(control, 2, hardware.read16(control) | PME_ENABLE);

    assertThat(hardware.read16(control) & PME_ENABLE).isNotZero();
    assertThat(guest.read16(control) & PME_ENABLE).isZero();
  }

  private ConfigSpace guest(ConfigPolicy policy) {
    DeviceRequest request = DeviceRequest.of(name).withConfig(policy);
    return site.broker
        .grant("guest", Quota.DEFAULT, List.of(request))
        .connect()
        .getFirst()
        .config();
  }

  private static void turn(ConfigSpace guest, int control, int bits) {
    guest.write16(control, guest.read16(control) ^ bits);
  }

  private int command() {
    return hardware.read16(ConfigRegisters.COMMAND);
  }

  private int control(int id) {
    return capability(id) + 2;
  }

  private int capability(int id) {
    return Capabilities.walk(hardware).find(id).orElseThrow().offset();
  }
}
