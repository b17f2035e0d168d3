package org.gatun.broker;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import org.gatun.broker.policy.ConfigAccessDeniedException;
import org.gatun.broker.policy.ConfigPolicy;
import org.gatun.pci.DeviceName;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.simulated.HardwareConfig;
import org.gatun.simulated.SpecimenModel;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Each offset in each width, with zeros, ones and random values: which bits of the hardware change.
 * Which may is written down here once more, from the tables of pciback and {@code docs/policy.md},
 * so that an error in the rules is seen. Before each write all bits are raised that a written 1
 * clears, and a marker is set that any reset would wipe.
 */
class ExhaustiveWriteTest {
  private static final int COMMAND_STRICT = 0x014; // bus master, MWI
  private static final int COMMAND_PERMISSIVE = 0x2bc;
  private static final int MARKER = 0x10;
  private static final int POWER_STATE = 3;
  private static final int NONE = 0;

  private static final Set<Integer> HIDDEN =
      Set.of(
          Capability.EXTENDED_VENDOR_SPECIFIC,
          Capability.EXTENDED_ATS,
          Capability.EXTENDED_SRIOV,
          Capability.EXTENDED_PRI,
          Capability.EXTENDED_RESIZABLE_BAR,
          Capability.EXTENDED_PASID,
          Capability.EXTENDED_DVSEC,
          SpecimenModel.UNKNOWN_CAPABILITY);

  private final Site site = Site.virtualTime();
  private final DeviceName name = site.seize("device", new SpecimenModel());
  private final HardwareConfig hardware = site.bus.hardware(name);

  @AfterEach
  void close() {
    site.close();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void onlyWhatTheTablesSayChangesAndAllOfThat(boolean permissive) {
    int[] allowed = permissive ? permissive() : strict();
    int[] answers = answers();
    int powerControl = capability(Capability.POWER_MANAGEMENT) + 4;
    int[] changed = new int[hardware.size()];
    long seed = ThreadLocalRandom.current().nextLong();
    Random random = new Random(seed);
    ConfigSpace guest = guest(permissive);
    for (int width : new int[] {1, 2, 4}) {
      for (int offset = 0; offset < guest.size(); offset += width) {
        int flipped = ~hardware.read(offset, width);
        for (int value : new int[] {0, -1, flipped, random.nextInt(), random.nextInt()}) {
          int shift = 8 * (powerControl - offset);
          // A device that sleeps forgets when it wakes up.
          int written = shift >= 0 && shift < 8 * width ? value & ~(POWER_STATE << shift) : value;
          hardware.raiseAll();
          hardware.write8(ConfigRegisters.CACHE_LINE_SIZE, MARKER);
          int[] before = around(offset);
          write(guest, offset, width, written);
          int[] after = around(offset);
          for (int i = 0; i < before.length; i++) {
            int at = start(offset) + i;
            int bits = before[i] ^ after[i];
            changed[at] |= bits;
            assertThat(bits & ~allowed[at] & ~answers[at])
                .as(
                    "bits of 0x%x that changed by 0x%x in %d bytes at 0x%x, seed %d",
                    at, written, width, offset, seed)
                .isZero();
          }
          boolean own =
              offset <= ConfigRegisters.CACHE_LINE_SIZE
                  && ConfigRegisters.CACHE_LINE_SIZE < offset + width;
          if (!own) {
            assertThat(hardware.read8(ConfigRegisters.CACHE_LINE_SIZE))
                .as("marker after 0x%x in %d bytes at 0x%x", written, width, offset)
                .isEqualTo(MARKER);
          }
        }
      }
    }
    allowed[powerControl] &= ~POWER_STATE;
    // Whether a write of these arrives depends on more of it: the policy suite has those that do.
    allowed[ConfigRegisters.BIST] = NONE;
    set(allowed, capability(Capability.VPD) + 2, 2, NONE);
    for (int offset = 0; offset < changed.length; offset++) {
      assertThat(hardware.writable(offset, 1) & allowed[offset] & ~changed[offset])
          .as("bits of 0x%x that never reached the hardware, seed %d", offset, seed)
          .isZero();
    }
  }

  private ConfigSpace guest(boolean permissive) {
    DeviceRequest request =
        DeviceRequest.of(name).withConfig(new ConfigPolicy(permissive, false, Set.of(), List.of()));
    return site.broker
        .grant("guest", Quota.DEFAULT, List.of(request))
        .connect()
        .getFirst()
        .config();
  }

  /** A denial is an answer, too; all else is a failure. */
  private static void write(ConfigSpace guest, int offset, int width, int value) {
    try {
      guest.write(offset, width, width == 4 ? value : value & (1 << (8 * width)) - 1);
    } catch (ConfigAccessDeniedException _) {
      // Counted by whom it concerns.
    }
  }

  private static int start(int offset) {
    return Math.max(0, offset - 8);
  }

  private int[] around(int offset) {
    int[] bytes = new int[Math.min(hardware.size(), offset + 16) - start(offset)];
    Arrays.setAll(bytes, i -> hardware.read8(start(offset) + i));
    return bytes;
  }

  /** What the device changes by itself: its answer to an address in its vital product data. */
  private int[] answers() {
    int[] masks = new int[hardware.size()];
    int vital = capability(Capability.VPD);
    set(masks, vital + 2, 2, 1 << 15);
    set(masks, vital + 4, 4, -1);
    return masks;
  }

  private int[] strict() {
    int[] masks = new int[hardware.size()];
    set(masks, ConfigRegisters.COMMAND, 2, COMMAND_STRICT);
    common(masks);
    return masks;
  }

  /** All but what a rule governs. */
  private int[] permissive() {
    int[] masks = new int[hardware.size()];
    Arrays.fill(masks, 0xff);
    set(masks, ConfigRegisters.VENDOR_ID, 4, NONE);
    set(masks, ConfigRegisters.COMMAND, 2, COMMAND_PERMISSIVE);
    set(masks, ConfigRegisters.LATENCY_TIMER, 1, NONE);
    for (int bar = 0; bar < 6; bar++) {
      set(masks, ConfigRegisters.BAR0 + 4 * bar, 4, NONE);
    }
    set(masks, ConfigRegisters.ROM, 4, NONE);
    set(masks, ConfigRegisters.CAPABILITIES_POINTER, 1, NONE);
    set(masks, ConfigRegisters.INTERRUPT_LINE, 2, NONE);
    for (Capability capability : Capabilities.walk(hardware).list()) {
      set(masks, capability.offset(), capability.extended() ? 4 : 2, NONE);
      if (capability.extended() && HIDDEN.contains(capability.id())) {
        hide(masks, capability);
      }
    }
    int power = capability(Capability.POWER_MANAGEMENT);
    set(masks, power + 2, 2, NONE);
    set(masks, power + 6, 2, NONE);
    set(masks, capability(Capability.VPD) + 4, 4, NONE);
    int msi = capability(Capability.MSI);
    set(masks, msi + 2, 2, NONE);
    for (int register = 4; register < 0x18; register += 4) {
      set(masks, msi + register, 4, NONE);
    }
    int msix = capability(Capability.MSIX);
    set(masks, msix + 2, 2, NONE);
    set(masks, msix + 4, 4, NONE);
    set(masks, msix + 8, 4, NONE);
    // Neither phantom functions nor a function level reset.
    set(masks, capability(Capability.PCI_EXPRESS) + 8, 2, 0xffff & ~(1 << 9 | 1 << 15));
    set(masks, capability(Capability.ADVANCED_FEATURES) + 4, 1, NONE);
    int vendor = capability(Capability.VENDOR_SPECIFIC);
    for (int i = 2; i < hardware.read8(vendor + 2); i++) {
      set(masks, vendor + i, 1, NONE);
    }
    common(masks);
    return masks;
  }

  /** What a guest writes in any grant. */
  private void common(int[] masks) {
    set(masks, ConfigRegisters.CACHE_LINE_SIZE, 1, 0xff);
    set(masks, ConfigRegisters.BIST, 1, 1 << 6);
    set(masks, capability(Capability.POWER_MANAGEMENT) + 4, 2, 0x9e03);
    set(masks, capability(Capability.VPD) + 2, 2, 0x7fff);
  }

  /** To the next one, but for those that tell their own length. */
  private void hide(int[] masks, Capability hidden) {
    int end =
        Capabilities.walk(hardware).list().stream()
            .filter(Capability::extended)
            .mapToInt(Capability::offset)
            .filter(offset -> offset > hidden.offset())
            .min()
            .orElse(hardware.size());
    if (hidden.id() == Capability.EXTENDED_VENDOR_SPECIFIC
        || hidden.id() == Capability.EXTENDED_DVSEC) {
      end = Math.min(end, hidden.offset() + (hardware.read32(hidden.offset() + 4) >>> 20));
    }
    for (int i = hidden.offset() + 4; i < end; i++) {
      set(masks, i, 1, NONE);
    }
  }

  private int capability(int id) {
    return Capabilities.walk(hardware).find(id).orElseThrow().offset();
  }

  private static void set(int[] masks, int offset, int width, int bits) {
    for (int i = 0; i < width; i++) {
      masks[offset + i] = bits >>> (8 * i) & 0xff;
    }
  }
}
