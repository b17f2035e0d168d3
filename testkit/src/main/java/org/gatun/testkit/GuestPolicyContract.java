package org.gatun.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.IntSupplier;
import java.util.function.Predicate;
import org.gatun.pci.Bar;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.config.BarRegister;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSnapshot;
import org.gatun.pci.config.ConfigSpace;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * What a guest may do with config space: one test for each row of the tables of Xen's pciback
 * (Linux {@code drivers/xen/xen-pciback}), with what this project does otherwise on purpose. To be
 * extended for each kind of device that is granted; a row that a device has not is skipped.
 *
 * <p>Each test writes as a guest and looks at the hardware's own registers, past whatever shows a
 * guest something else.
 */
public abstract class GuestPolicyContract {
  /**
   * What a grant says.
   *
   * @param quirks as {@code REGISTER:SIZE:MASK}
   */
  public record Knobs(boolean permissive, boolean allowInterruptControl, List<String> quirks) {
    /** The built-in policy. */
    public static final Knobs STRICT = new Knobs(false, false, List.of());

    /** A permissive grant. */
    public static final Knobs PERMISSIVE = new Knobs(true, false, List.of());

    /** A guest that controls its interrupts through config space. */
    public static final Knobs INTERRUPT_CONTROL = new Knobs(false, true, List.of());
  }

  private static final int COMMAND_SPECIAL = 1 << 3;
  private static final int COMMAND_MWI = 1 << 4;
  private static final int COMMAND_VGA = 1 << 5;
  private static final int COMMAND_FAST_BACK = 1 << 9;
  private static final int DECODE = ConfigRegisters.COMMAND_IO | ConfigRegisters.COMMAND_MEMORY;
  private static final int ROM_ADDRESS = 0xffff_f800;
  private static final int ROM_ENABLE = 1;
  private static final int BIST_CAPABLE = 1 << 7;
  private static final int PME_SUPPORT = 0xf800;
  private static final int PME_ENABLE = 1 << 8;
  private static final int VPD_FLAG = 1 << 15;
  private static final int RANDOM_ROUNDS = 3;

  private static final List<Integer> HIDDEN_EXTENDED =
      List.of(
          Capability.EXTENDED_SRIOV,
          Capability.EXTENDED_ATS,
          Capability.EXTENDED_PRI,
          Capability.EXTENDED_PASID,
          Capability.EXTENDED_RESIZABLE_BAR,
          Capability.EXTENDED_VENDOR_SPECIFIC,
          Capability.EXTENDED_DVSEC);

  private final List<PciDevice> granted = new ArrayList<>();

  /** For subclasses. */
  protected GuestPolicyContract() {}

  /** Grants the device under test; closed by the suite, before it is granted again. */
  protected abstract PciDevice grant(Knobs knobs);

  /** The device's own config space, past the broker and whatever else shows it otherwise. */
  protected abstract ConfigSpace hardware();

  @AfterEach
  final void closeGranted() {
    granted.reversed().forEach(PciDevice::close);
  }

  // Access rules

  @Test
  void readOfWhatNoRuleListsIsTheHardwares() {
    ConfigSpace guest = guest(Knobs.STRICT);
    for (int offset = firstGap(); offset < ConfigRegisters.CONVENTIONAL_SIZE; offset += 4) {
      assertThat(guest.read32(offset)).isEqualTo(hardware().read32(offset));
    }
  }

  @Test
  void writeOfWhatNoRuleListsIsDroppedAndSucceeds() {
    assertThatGapsAreClosed();
  }

  private void assertThatGapsAreClosed() {
    ConfigSpace guest = guest(Knobs.STRICT);
    for (int offset = firstGap(); offset < ConfigRegisters.CONVENTIONAL_SIZE; offset += 4) {
      int before = hardware().read32(offset);
      guest.write32(offset, ~before);
      assertThat(hardware().read32(offset)).as("0x%x", offset).isEqualTo(before);
    }
  }

  @Test
  void wideWriteDropsTheUnlistedBytesEvenIfPermissive() {
    ConfigSpace guest = guest(Knobs.PERMISSIVE);
    int latency = hardware().read8(ConfigRegisters.LATENCY_TIMER);

    guest.write16(ConfigRegisters.CACHE_LINE_SIZE, (~latency & 0xff) << 8 | 0x10);

    assertThat(hardware().read8(ConfigRegisters.LATENCY_TIMER)).isEqualTo(latency);
  }

  @Test
  void readsInAllWidthsAgree() {
    ConfigSpace guest = guest(Knobs.STRICT);
    for (int offset = 0; offset < guest.size(); offset += 4) {
      int whole = guest.read32(offset);
      assertThat(guest.read16(offset)).isEqualTo(whole & 0xffff);
      assertThat(guest.read16(offset + 2)).isEqualTo(whole >>> 16);
      for (int i = 0; i < 4; i++) {
        assertThat(guest.read8(offset + i))
            .as("0x%x", offset + i)
            .isEqualTo(whole >>> (8 * i) & 0xff);
      }
    }
  }

  // Header

  @Test
  void vendorAndDevice() {
    droppedAlways(ConfigRegisters.VENDOR_ID, 2);
    droppedAlways(ConfigRegisters.DEVICE_ID, 2);
  }

  @Test
  void commandDecodeIsAShadow() {
    for (Knobs knobs : List.of(Knobs.STRICT, Knobs.PERMISSIVE)) {
      ConfigSpace guest = guest(knobs);
      int decode = hardware().read16(ConfigRegisters.COMMAND) & DECODE;

      guest.write16(ConfigRegisters.COMMAND, 0);

      assertThat(guest.read16(ConfigRegisters.COMMAND) & DECODE).isZero();
      assertThat(hardware().read16(ConfigRegisters.COMMAND) & DECODE).isEqualTo(decode);

      guest.write16(ConfigRegisters.COMMAND, DECODE);

      assertThat(guest.read16(ConfigRegisters.COMMAND) & DECODE).isEqualTo(DECODE);
      assertThat(hardware().read16(ConfigRegisters.COMMAND) & DECODE).isEqualTo(decode);
      closeGranted();
    }
  }

  @Test
  void commandBusMasterIsReal() {
    ConfigSpace guest = guest(Knobs.STRICT);

    guest.write16(ConfigRegisters.COMMAND, DECODE | ConfigRegisters.COMMAND_BUS_MASTER);
    assertThat(hardwareCommand(ConfigRegisters.COMMAND_BUS_MASTER)).isTrue();
    assertThat(guest.read16(ConfigRegisters.COMMAND) & ConfigRegisters.COMMAND_BUS_MASTER)
        .isNotZero();

    guest.write16(ConfigRegisters.COMMAND, DECODE);
    assertThat(hardwareCommand(ConfigRegisters.COMMAND_BUS_MASTER)).isFalse();
  }

  @Test
  void commandParityAndSerrAreAShadow() {
    int bits = ConfigRegisters.COMMAND_PARITY | ConfigRegisters.COMMAND_SERR;
    for (Knobs knobs : List.of(Knobs.STRICT, Knobs.PERMISSIVE)) {
      ConfigSpace guest = guest(knobs);
      int before = hardware().read16(ConfigRegisters.COMMAND) & bits;

      guest.write16(ConfigRegisters.COMMAND, DECODE | (bits & ~before));

      assertThat(guest.read16(ConfigRegisters.COMMAND) & bits).isEqualTo(bits & ~before);
      assertThat(hardware().read16(ConfigRegisters.COMMAND) & bits).isEqualTo(before);
      closeGranted();
    }
  }

  @Test
  void commandSpecialVgaAndFastBackReachTheHardwareIfPermissive() {
    int bits = COMMAND_SPECIAL | COMMAND_VGA | COMMAND_FAST_BACK;
    ConfigSpace strict = guest(Knobs.STRICT);
    int before = hardware().read16(ConfigRegisters.COMMAND) & bits;
    strict.write16(ConfigRegisters.COMMAND, DECODE | bits);
    assertThat(hardware().read16(ConfigRegisters.COMMAND) & bits).isEqualTo(before);
    assertThat(strict.read16(ConfigRegisters.COMMAND) & bits).as("seen").isEqualTo(before);
    closeGranted();

    int writable = writableBits(ConfigRegisters.COMMAND, bits);
    ConfigSpace permissive = guest(Knobs.PERMISSIVE);
    permissive.write16(ConfigRegisters.COMMAND, DECODE | bits);
    assertThat(hardware().read16(ConfigRegisters.COMMAND) & bits).isEqualTo(writable);
  }

  @Test
  void commandMemoryWriteInvalidateReachesTheHardware() {
    int writable = writableBits(ConfigRegisters.COMMAND, COMMAND_MWI);
    ConfigSpace guest = guest(Knobs.STRICT);

    guest.write16(ConfigRegisters.COMMAND, DECODE | COMMAND_MWI);

    assertThat(hardware().read16(ConfigRegisters.COMMAND) & COMMAND_MWI).isEqualTo(writable);
  }

  @Test
  void commandInterruptDisableIsAShadow() {
    for (Knobs knobs : List.of(Knobs.STRICT, Knobs.PERMISSIVE)) {
      ConfigSpace guest = guest(knobs);
      boolean before = hardwareCommand(ConfigRegisters.COMMAND_INTX_DISABLE);

      guest.write16(
          ConfigRegisters.COMMAND, before ? DECODE : DECODE | ConfigRegisters.COMMAND_INTX_DISABLE);

      assertThat(guest.read16(ConfigRegisters.COMMAND) & ConfigRegisters.COMMAND_INTX_DISABLE)
          .isEqualTo(before ? 0 : ConfigRegisters.COMMAND_INTX_DISABLE);
      assertThat(hardwareCommand(ConfigRegisters.COMMAND_INTX_DISABLE)).isEqualTo(before);
      closeGranted();
    }
  }

  @Test
  void statusRevisionClassTypeAndSubsystem() {
    dropped(Knobs.STRICT, ConfigRegisters.STATUS, 2);
    dropped(Knobs.STRICT, ConfigRegisters.REVISION_ID, 4);
    dropped(Knobs.STRICT, ConfigRegisters.HEADER_TYPE, 1);
    dropped(Knobs.STRICT, ConfigRegisters.SUBSYSTEM_VENDOR_ID, 4);
    droppedAlways(ConfigRegisters.CAPABILITIES_POINTER, 1);
    dropped(Knobs.STRICT, 0x3e, 2);
  }

  @Test
  void cacheLineSizeReachesTheHardware() {
    int writable = writableBits(ConfigRegisters.CACHE_LINE_SIZE, 0x10);
    ConfigSpace guest = guest(Knobs.STRICT);

    guest.write8(ConfigRegisters.CACHE_LINE_SIZE, 0x10);

    assertThat(hardware().read8(ConfigRegisters.CACHE_LINE_SIZE) & 0x10).isEqualTo(writable);
    assertThat(guest.read8(ConfigRegisters.CACHE_LINE_SIZE))
        .isEqualTo(hardware().read8(ConfigRegisters.CACHE_LINE_SIZE));
  }

  @Test
  void latencyTimer() {
    droppedAlways(ConfigRegisters.LATENCY_TIMER, 1);
  }

  @Test
  void bistIsOnlyStarted() {
    ConfigSpace guest = guest(Knobs.STRICT);
    int before = hardware().read8(ConfigRegisters.BIST);
    guest.write8(ConfigRegisters.BIST, (before ^ 0x0f) & ~(1 << 6));

    assertThat(hardware().read8(ConfigRegisters.BIST)).isEqualTo(before);
    assumeTrue((before & BIST_CAPABLE) != 0, "no built-in self test");
    guest.write8(ConfigRegisters.BIST, before | 1 << 6);
    assertThat(hardware().read8(ConfigRegisters.BIST) & 1 << 6).isNotZero();
  }

  @Test
  void barsTellTheirSizeAndNeverMove() {
    for (Knobs knobs : List.of(Knobs.STRICT, Knobs.PERMISSIVE)) {
      PciDevice device = device(knobs);
      ConfigSpace guest = device.config();
      ConfigSnapshot before = ConfigSnapshot.of(hardware());
      for (Bar bar : device.bars()) {
        int offset = ConfigRegisters.BAR0 + 4 * bar.index();
        int shown = guest.read32(offset);
        guest.write32(offset, -1);
        int flags = bar.kind() == Bar.Kind.IO ? 3 : 0xf;
        assertThat(guest.read32(offset) & ~flags).isEqualTo((int) -bar.size());
        assertThat(guest.read32(offset) & flags).isEqualTo(shown & flags);
        guest.write32(offset, 0x1000);
        assertThat(guest.read32(offset)).as("sizing is over").isEqualTo(shown);
        guest.write32(offset, shown);
        assertThat(guest.read32(offset)).isEqualTo(shown);
      }
      for (int offset = ConfigRegisters.BAR0; offset < 0x28; offset += 4) {
        assertThat(hardware().read32(offset))
            .as("hardware's BAR at 0x%x", offset)
            .isEqualTo(before.read32(offset));
      }
      closeGranted();
    }
  }

  @Test
  void highHalvesOfBarsTellTheirSize() {
    PciDevice device = device(Knobs.STRICT);
    List<BarRegister> wide =
        BarRegister.decode(device.config()).stream().filter(BarRegister::wide).toList();
    assumeTrue(!wide.isEmpty(), "no 64-bit BAR");
    for (BarRegister bar : wide) {
      int high = ConfigRegisters.BAR0 + 4 * bar.index() + 4;
      int before = hardware().read32(high);
      device.config().write32(high, -1);
      assertThat(device.config().read32(high))
          .isEqualTo((int) (-device.bar(bar.index()).orElseThrow().size() >>> 32));
      device.config().write32(high, before);
      assertThat(device.config().read32(high)).isEqualTo(before);
      assertThat(hardware().read32(high)).isEqualTo(before);
    }
  }

  @Test
  void unsetBarsReadAsZero() {
    PciDevice device = device(Knobs.STRICT);
    assumeTrue(!isBridge(), "a bridge has windows there");
    for (int index = 0; index < 6; index++) {
      int at = index;
      boolean used =
          BarRegister.decode(hardware()).stream()
              .anyMatch(b -> b.index() == at || (b.wide() && b.index() + 1 == at));
      int offset = ConfigRegisters.BAR0 + 4 * index;
      if (!used) {
        device.config().write32(offset, -1);
        assertThat(device.config().read32(offset)).isZero();
        assertThat(hardware().read32(offset)).isZero();
      }
    }
  }

  @Test
  void sizingNeedsA32BitWrite() {
    PciDevice device = device(Knobs.STRICT);
    assumeTrue(!device.bars().isEmpty(), "no BAR");
    int offset = ConfigRegisters.BAR0 + 4 * device.bars().getFirst().index();
    int shown = device.config().read32(offset);

    device.config().write16(offset, -1);
    device.config().write16(offset + 2, -1);

    assertThat(device.config().read32(offset)).isEqualTo(shown);
    assertThat(hardware().read32(offset)).isEqualTo(shown);
  }

  @Test
  void romTellsItsSizeAndIsNeverEnabled() {
    int register = isBridge() ? ConfigRegisters.BRIDGE_ROM : ConfigRegisters.ROM;
    for (Knobs knobs : List.of(Knobs.STRICT, Knobs.PERMISSIVE)) {
      ConfigSpace guest = guest(knobs);
      int before = hardware().read32(register);

      guest.write32(register, ROM_ADDRESS);
      int size = -(guest.read32(register) & ROM_ADDRESS);
      assertThat(size == 0 || Integer.bitCount(size) == 1).as("size 0x%x", size).isTrue();
      guest.write32(register, (before & ROM_ADDRESS) | ROM_ENABLE);
      guest.write32(register, -1);
      guest.write32(register, before | ROM_ENABLE);

      assertThat(hardware().read32(register)).isEqualTo(before);
      closeGranted();
    }
  }

  @Test
  void interruptLineAndPin() {
    droppedAlways(ConfigRegisters.INTERRUPT_LINE, 1);
    droppedAlways(ConfigRegisters.INTERRUPT_PIN, 1);
  }

  @Test
  void windowsOfABridge() {
    assumeTrue(isBridge(), "no bridge");
    for (int offset = 0x18; offset < 0x34; offset += 4) {
      dropped(Knobs.STRICT, offset, 4);
    }
  }

  // Capabilities

  @Test
  void linksCannotBeWritten() {
    ConfigSpace guest = guest(Knobs.PERMISSIVE);
    Capabilities seen = Capabilities.walk(guest);
    for (Capability capability : seen.list()) {
      int before = hardware().read16(capability.offset());
      guest.write16(capability.offset(), ~before);
      assertThat(hardware().read16(capability.offset())).isEqualTo(before);
    }
    assertThat(Capabilities.walk(guest)).isEqualTo(seen);
    assertThat(seen.faults()).isEmpty();
  }

  @Test
  void whatAGuestMayNotUseIsUnlinkedAndReadsAsZero() {
    List<Capability> real = Capabilities.walk(hardware()).list();
    List<Capability> hidden =
        real.stream()
            .filter(
                c ->
                    c.extended()
                        ? HIDDEN_EXTENDED.contains(c.id())
                        : c.id() == Capability.VENDOR_SPECIFIC)
            .toList();
    assumeTrue(!hidden.isEmpty(), "no capability that is to be hidden");
    ConfigSpace guest = guest(Knobs.PERMISSIVE);
    List<Capability> seen = Capabilities.walk(guest).list();
    for (Capability capability : hidden) {
      assertThat(seen).noneMatch(c -> c.offset() == capability.offset());
      for (int i = capability.extended() ? 4 : 0; i < 8; i += 4) {
        int at = capability.offset() + i;
        int before = hardware().read32(at);
        assertThat(guest.read32(at)).as("0x%x", at).isZero();
        guest.write32(at, -1);
        assertThat(hardware().read32(at)).as("0x%x", at).isEqualTo(before);
      }
    }
  }

  @Test
  void powerManagementCapabilities() {
    Capability pm = capability(Capability.POWER_MANAGEMENT);
    ConfigSpace guest = guest(Knobs.STRICT);

    assertThat(guest.read16(pm.offset() + 2))
        .isEqualTo(hardware().read16(pm.offset() + 2) & ~PME_SUPPORT);
    closeGranted();
    droppedAlways(pm.offset() + 2, 2);
  }

  @Test
  void powerManagementEventIsNeverEnabled() {
    Capability pm = capability(Capability.POWER_MANAGEMENT);
    for (Knobs knobs : List.of(Knobs.STRICT, Knobs.PERMISSIVE)) {
      ConfigSpace guest = guest(knobs);

      guest.write16(pm.offset() + 4, PME_ENABLE);

      assertThat(guest.read16(pm.offset() + 4) & PME_ENABLE).isZero();
      assertThat(hardware().read16(pm.offset() + 4) & PME_ENABLE).isZero();
      closeGranted();
    }
  }

  @Test
  void powerStateReachesTheHardware() {
    Capability pm = capability(Capability.POWER_MANAGEMENT);
    ConfigSpace guest = guest(Knobs.STRICT);

    guest.write16(pm.offset() + 4, 3);
    assertThat(hardware().read16(pm.offset() + 4) & 3).isEqualTo(3);
    guest.write16(pm.offset() + 4, 0);
    assertThat(hardware().read16(pm.offset() + 4) & 3).isZero();
  }

  @Test
  void vitalProductDataIsReadOnly() {
    Capability vpd = capability(Capability.VPD);
    ConfigSpace guest = guest(Knobs.STRICT);

    guest.write16(vpd.offset() + 2, 4);
    assertThat(hardware().read16(vpd.offset() + 2) & ~VPD_FLAG).isEqualTo(4);
    int data = hardware().read32(vpd.offset() + 4);
    guest.write32(vpd.offset() + 4, ~data);
    assertThat(hardware().read32(vpd.offset() + 4)).isEqualTo(data);
    denied(guest, vpd.offset() + 2, 2, VPD_FLAG);
  }

  @Test
  void msiControlIsDenied() {
    Capability msi = capability(Capability.MSI);
    for (Knobs knobs : List.of(Knobs.STRICT, Knobs.PERMISSIVE)) {
      ConfigSpace guest = guest(knobs);
      int control = guest.read16(msi.offset() + 2);

      guest.write16(msi.offset() + 2, control);
      denied(guest, msi.offset() + 2, 2, control | 1);
      closeGranted();
    }
  }

  @Test
  void msiEnableIsTheGuestsIfAllowed() {
    Capability msi = capability(Capability.MSI);
    ConfigSpace guest = guest(Knobs.INTERRUPT_CONTROL);
    int control = guest.read16(msi.offset() + 2);

    guest.write16(msi.offset() + 2, control | 1);
    guest.write16(msi.offset() + 2, control & ~1);
    denied(guest, msi.offset() + 2, 2, control ^ 0x10);
  }

  @Test
  void msixControlIsDenied() {
    Capability msix = capability(Capability.MSIX);
    for (Knobs knobs : List.of(Knobs.STRICT, Knobs.PERMISSIVE)) {
      ConfigSpace guest = guest(knobs);
      int control = guest.read16(msix.offset() + 2);

      guest.write16(msix.offset() + 2, control);
      denied(guest, msix.offset() + 2, 2, control | 1 << 15);
      denied(guest, msix.offset() + 2, 2, control | 1 << 14);
      closeGranted();
    }
  }

  @Test
  void msixEnableAndMaskAreTheGuestsIfAllowed() {
    Capability msix = capability(Capability.MSIX);
    ConfigSpace guest = guest(Knobs.INTERRUPT_CONTROL);
    int control = guest.read16(msix.offset() + 2);

    guest.write16(msix.offset() + 2, control | 1 << 15 | 1 << 14);
    guest.write16(msix.offset() + 2, control & ~(1 << 15 | 1 << 14));
    denied(guest, msix.offset() + 2, 2, control ^ 1);
  }

  @Test
  void interruptDisableIsTheGuestsIfAllowed() {
    ConfigSpace guest = guest(Knobs.INTERRUPT_CONTROL);
    boolean before = guestCommand(guest, ConfigRegisters.COMMAND_INTX_DISABLE);

    guest.write16(
        ConfigRegisters.COMMAND, before ? DECODE : DECODE | ConfigRegisters.COMMAND_INTX_DISABLE);

    assertThat(guestCommand(guest, ConfigRegisters.COMMAND_INTX_DISABLE)).isEqualTo(!before);
  }

  @Test
  void msiAddressDataAndMask() {
    Capability msi = capability(Capability.MSI);
    int control = hardware().read16(msi.offset() + 2);
    int data = (control & 1 << 7) != 0 ? 12 : 8;
    droppedAlways(msi.offset() + 4, 4);
    if (data == 12) {
      droppedAlways(msi.offset() + 8, 4);
    }
    droppedAlways(msi.offset() + data, 2);
    if ((control & 1 << 8) != 0) {
      droppedAlways(msi.offset() + data + 4, 4);
      droppedAlways(msi.offset() + data + 8, 4);
    }
  }

  @Test
  void msixTableAndPendingPointers() {
    Capability msix = capability(Capability.MSIX);
    droppedAlways(msix.offset() + 4, 4);
    droppedAlways(msix.offset() + 8, 4);
  }

  @Test
  void pciExpress() {
    Capability express = capability(Capability.PCI_EXPRESS);
    for (int offset = 2; offset < 0x14; offset += 2) {
      dropped(Knobs.STRICT, express.offset() + offset, 2);
    }
  }

  @Test
  void advancedFeatures() {
    Capability features = capability(Capability.ADVANCED_FEATURES);
    dropped(Knobs.STRICT, features.offset() + 4, 1);
  }

  @Test
  void vendorSpecific() {
    Capability vendor = capability(Capability.VENDOR_SPECIFIC);
    dropped(Knobs.STRICT, vendor.offset() + 4, 4);
  }

  @Test
  void extendedCapabilities() {
    assumeTrue(hardware().size() > ConfigRegisters.CONVENTIONAL_SIZE, "no extended config space");
    ConfigSpace guest = guest(Knobs.STRICT);
    for (int offset = ConfigRegisters.EXTENDED; offset < hardware().size(); offset += 4) {
      int before = hardware().read32(offset);
      guest.write32(offset, ~before);
      assertThat(hardware().read32(offset)).as("0x%x", offset).isEqualTo(before);
    }
  }

  // Knobs

  @Test
  void permissiveEndsWithTheGrant() {
    guest(Knobs.PERMISSIVE);
    closeGranted();

    assertThatGapsAreClosed();
  }

  @Test
  void permissiveReachesWhatNoRuleLists() {
    Optional<Integer> place = findGap(offset -> writableBits32(offset) != 0);
    assumeTrue(place.isPresent(), "nothing writable between the capabilities");
    int offset = place.get();
    int bits = writableBits32(offset);
    ConfigSpace guest = guest(Knobs.PERMISSIVE);
    int before = hardware().read32(offset);

    guest.write32(offset, before ^ bits);

    assertThat(hardware().read32(offset)).isEqualTo(before ^ bits);
  }

  @Test
  void theMaskOfAQuirkIsEnforced() {
    Optional<Integer> place = findGap(offset -> (writableBits32(offset) & 0xffff) != 0);
    assumeTrue(place.isPresent(), "nothing writable between the capabilities");
    int offset = place.get();
    int mask = Integer.lowestOneBit(writableBits32(offset) & 0xffff);
    ConfigSpace guest =
        guest(new Knobs(false, false, List.of("0x%x:2:0x%x".formatted(offset, mask))));
    int before = hardware().read32(offset);

    guest.write32(offset, ~before);
    assertThat(hardware().read32(offset)).isEqualTo(before ^ mask);
    closeGranted();

    int after = hardware().read32(offset);
    guest(Knobs.STRICT).write32(offset, ~after);
    assertThat(hardware().read32(offset)).as("the quirk ended").isEqualTo(after);
  }

  @Test
  void aQuirkOnWhatARuleGovernsIsRefused() {
    assertThatThrownBy(() -> grant(new Knobs(false, false, List.of("0x4:2:0xffff"))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("Command");
  }

  // The above, for every register at once

  /**
   * Every offset in every width, with patterns and random values: what the hardware has is as
   * before, but for a few fields. The system property {@code gatun.seed} repeats a run.
   */
  @Test
  void nothingElseIsWritable() {
    long seed = Long.getLong("gatun.seed", ThreadLocalRandom.current().nextInt());
    Random random = new Random(seed);
    ConfigSpace guest = guest(Knobs.STRICT);
    ConfigSnapshot before = ConfigSnapshot.of(hardware());
    for (int pattern : new int[] {-1, 0, 0x5a5a_5a5a, 0xa5a5_a5a5}) {
      writeEverywhere(guest, () -> pattern);
    }
    for (int round = 0; round < RANDOM_ROUNDS; round++) {
      writeEverywhere(guest, random::nextInt);
    }
    List<String> changed = new ArrayList<>();
    ConfigSnapshot after = ConfigSnapshot.of(hardware());
    Capabilities real = Capabilities.walk(before);
    for (int offset = 0; offset < before.size(); offset++) {
      int difference = (before.read8(offset) ^ after.read8(offset)) & ~mayChange(real, offset);
      if (difference != 0) {
        changed.add("0x%x: bits 0x%x".formatted(offset, difference));
      }
    }
    assertThat(changed).as("bits of the hardware that changed, gatun.seed=%d", seed).isEmpty();
  }

  private static void writeEverywhere(ConfigSpace guest, IntSupplier values) {
    for (int width : new int[] {1, 2, 4}) {
      for (int offset = 0; offset < guest.size(); offset += width) {
        try {
          guest.write(offset, width, values.getAsInt());
        } catch (PciException _) {
          // Denied: nothing is written either.
        }
      }
    }
  }

  /**
   * The bits of a byte that a guest may change, by the rows above, or that change by themselves.
   */
  private static int mayChange(Capabilities real, int offset) {
    int powerState = real.find(Capability.POWER_MANAGEMENT).map(c -> c.offset() + 4).orElse(-1);
    int vpdAddress = real.find(Capability.VPD).map(c -> c.offset() + 2).orElse(-1);
    if (offset == ConfigRegisters.COMMAND) {
      return ConfigRegisters.COMMAND_BUS_MASTER | COMMAND_MWI;
    }
    if (offset == ConfigRegisters.CACHE_LINE_SIZE) {
      return 0xff;
    }
    if (offset == ConfigRegisters.BIST) {
      return 1 << 6;
    }
    if (offset == powerState) {
      return 3;
    }
    if (offset == powerState + 1) {
      return 0x9e; // status and data select
    }
    boolean vpd = offset >= vpdAddress && offset < vpdAddress + 6 && vpdAddress >= 0;
    return vpd ? 0xff : 0;
  }

  private PciDevice device(Knobs knobs) {
    PciDevice device = grant(knobs);
    granted.add(device);
    return device;
  }

  private ConfigSpace guest(Knobs knobs) {
    return device(knobs).config();
  }

  private void droppedAlways(int offset, int width) {
    dropped(Knobs.STRICT, offset, width);
    dropped(Knobs.PERMISSIVE, offset, width);
  }

  private void dropped(Knobs knobs, int offset, int width) {
    ConfigSpace guest = guest(knobs);
    int before = hardware().read(offset, width);
    for (int value : new int[] {-1, 0, ~before}) {
      guest.write(offset, width, value);
      assertThat(hardware().read(offset, width))
          .as("%d bytes at 0x%x, after a write of 0x%x", width, offset, value)
          .isEqualTo(before);
    }
    closeGranted();
  }

  private void denied(ConfigSpace guest, int offset, int width, int value) {
    int before = hardware().read(offset, width);
    assertThatThrownBy(() -> guest.write(offset, width, value)).isInstanceOf(PciException.class);
    assertThat(hardware().read(offset, width)).isEqualTo(before);
  }

  private Capability capability(int id) {
    Optional<Capability> found = Capabilities.walk(ConfigSnapshot.of(hardware())).find(id);
    assumeTrue(found.isPresent(), "the device has no such capability");
    return found.get();
  }

  private boolean isBridge() {
    return (hardware().read8(ConfigRegisters.HEADER_TYPE) & ConfigRegisters.HEADER_TYPE_MASK) == 1;
  }

  private boolean hardwareCommand(int bit) {
    return (hardware().read16(ConfigRegisters.COMMAND) & bit) != 0;
  }

  private static boolean guestCommand(ConfigSpace guest, int bit) {
    return (guest.read16(ConfigRegisters.COMMAND) & bit) != 0;
  }

  /** Which of these bits the hardware itself lets anybody set. */
  private int writableBits(int offset, int bits) {
    int before = hardware().read16(offset);
    hardware().write16(offset, before | bits);
    int writable = hardware().read16(offset) & bits;
    hardware().write16(offset, before);
    return writable;
  }

  private int writableBits32(int offset) {
    int before = hardware().read32(offset);
    hardware().write32(offset, ~before);
    int writable = hardware().read32(offset) ^ before;
    hardware().write32(offset, before);
    return writable;
  }

  private Optional<Integer> findGap(Predicate<Integer> wanted) {
    for (int offset = firstGap(); offset < ConfigRegisters.CONVENTIONAL_SIZE; offset += 4) {
      if (wanted.test(offset)) {
        return Optional.of(offset);
      }
    }
    return Optional.empty();
  }

  /** Where the bytes begin that are behind the last capability: no list leads there. */
  private int firstGap() {
    int lastStart =
        Capabilities.walk(ConfigSnapshot.of(hardware())).list().stream()
            .filter(c -> !c.extended())
            .mapToInt(Capability::offset)
            .max()
            .orElse(0);
    // No conventional capability of the standard is longer than PCI Express's (0x3c bytes).
    return Math.max(lastStart + 0x40, ConfigRegisters.HEADER_END);
  }
}
