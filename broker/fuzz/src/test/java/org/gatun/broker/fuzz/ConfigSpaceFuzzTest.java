package org.gatun.broker.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;
import java.util.List;
import java.util.Set;
import org.gatun.broker.policy.ConfigAccessDeniedException;
import org.gatun.broker.policy.ConfigLayout;
import org.gatun.broker.policy.ConfigPolicy;
import org.gatun.broker.policy.DeviceSnapshot;
import org.gatun.broker.policy.GuestConfigSpace;
import org.gatun.broker.policy.Quirk;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.simulated.HardwareConfig;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.SpecimenModel;

/**
 * The policy over a device that lies: config space is any bytes, and changes after it was looked
 * at. By itself it runs the inputs that were kept; with {@code JAZZER_FUZZ=1} it looks for more.
 */
class ConfigSpaceFuzzTest {
  private static final int NO_DEVICE = 0xffff;
  private static final int MOST_STEPS = 200;

  /** A sound one, to make unsound ones of. */
  private static final byte[] SOUND = sound();

  @FuzzTest(maxDuration = "5m")
  void whatADeviceSaysDoesNotMatter(FuzzedDataProvider data) {
    Choices choices = Choices.of(data);
    ConfigPolicy policy = policy(choices);
    HostileDevice device = new HostileDevice(config(choices, data));
    byte[] asItWas = device.bytes();
    DeviceSnapshot snapshot = DeviceSnapshot.of(device);
    assertThat(device.bytes()).as("after it was looked at").isEqualTo(asItWas);
    ConfigLayout layout;
    try {
      layout = ConfigLayout.of(snapshot, policy);
    } catch (IllegalArgumentException e) {
      assertThat(policy.quirks()).as("nothing but a quirk can be refused").isNotEmpty();
      return;
    }
    GuestConfigSpace guest =
        new GuestConfigSpace(
            HostileDevice.NAME, layout, snapshot, device.config(), (_, _, _, _, _, _) -> {});

    checkWhatItSees(guest, layout);
    for (int i = 0; i < MOST_STEPS && data.remainingBytes() > 0; i++) {
      switch (choices.below(8)) {
        case 0 -> lie(choices, device);
        case 1 -> guest.reset();
        case 2 -> read(choices, guest);
        default -> write(choices, guest, layout, device);
      }
    }
    checkWhatItSees(guest, layout);
  }

  private static void read(Choices choices, ConfigSpace guest) {
    int width = 1 << choices.below(3);
    int offset = choices.below(guest.size() / width) * width;
    int value = guest.read(offset, width);
    for (int i = 0; i < width; i++) {
      assertThat(guest.read8(offset + i))
          .as("0x%x", offset + i)
          .isEqualTo(value >>> (8 * i) & 0xff);
    }
  }

  private static void write(
      Choices choices, ConfigSpace guest, ConfigLayout layout, HostileDevice device) {
    int width = 1 << choices.below(3);
    int offset = choices.below(guest.size() / width) * width;
    byte[] before = device.bytes();
    try {
      guest.write(offset, width, (int) choices.oneOf(-1, 0, choices.bits()));
    } catch (ConfigAccessDeniedException _) {
      // The guest was told.
    }
    byte[] after = device.bytes();
    for (int at = 0; at < after.length; at++) {
      if (before[at] != after[at]) {
        assertThat((before[at] ^ after[at]) & ~layout.writeMask(at) & 0xff)
            .as("%d bytes at 0x%x changed 0x%x", width, offset, at)
            .isZero();
      }
    }
  }

  /** The device changes what it says. */
  private static void lie(Choices choices, HostileDevice device) {
    device.config().write8(choices.below(device.config().size()), (int) choices.bits());
  }

  /** A guest's list of capabilities is sound, whatever the device's is, and holds no hidden one. */
  private static void checkWhatItSees(GuestConfigSpace guest, ConfigLayout layout) {
    for (int offset = 0; offset < guest.size(); offset++) {
      if (layout.isHidden(offset)) {
        assertThat(guest.read8(offset)).as("0x%x is hidden", offset).isZero();
      }
    }
    if (guest.read16(ConfigRegisters.VENDOR_ID) == NO_DEVICE) {
      return;
    }
    Capabilities seen = Capabilities.walk(guest);
    assertThat(seen.faults()).isEmpty();
    assertThat(seen.list()).noneMatch(c -> layout.isHidden(c.offset()));
  }

  private static ConfigPolicy policy(Choices choices) {
    return new ConfigPolicy(
        choices.below(2) == 1,
        choices.below(2) == 1,
        choices.below(4) == 0 ? Set.of("vendor-specific") : Set.of(),
        choices.below(4) == 0
            ? List.of(new Quirk(4 * choices.below(0x400), 4, (int) choices.bits()))
            : List.of());
  }

  private static byte[] config(Choices choices, FuzzedDataProvider data) {
    byte[] bytes =
        choices.below(2) == 0 ? SOUND.clone() : new byte[choices.below(2) == 0 ? 256 : 4096];
    if (choices.below(2) == 0) {
      byte[] raw = data.consumeBytes(choices.below(bytes.length));
      System.arraycopy(raw, 0, bytes, choices.below(bytes.length - raw.length + 1), raw.length);
    }
    int pokes = choices.below(32);
    for (int i = 0; i < pokes; i++) {
      bytes[choices.below(bytes.length)] = (byte) choices.bits();
    }
    return bytes;
  }

  private static byte[] sound() {
    try (SimulatedBus bus = SimulatedBus.virtualTime()) {
      HardwareConfig hardware = bus.hardware(bus.plug("sound", new SpecimenModel()));
      byte[] bytes = new byte[hardware.size()];
      for (int i = 0; i < bytes.length; i++) {
        bytes[i] = (byte) hardware.read8(i);
      }
      return bytes;
    }
  }
}
