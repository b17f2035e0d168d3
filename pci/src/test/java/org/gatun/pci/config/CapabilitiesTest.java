package org.gatun.pci.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;

class CapabilitiesTest {
  @Test
  void walksBothLists() {
    MemoryConfig config =
        new MemoryConfig(4096)
            .capabilities(0x50)
            .capability(0x50, Capability.MSI, 0x40)
            .capability(0x40, Capability.PCI_EXPRESS, 0xfc)
            .capability(0xfc, Capability.MSIX, 0)
            .extended(0x100, Capability.EXTENDED_AER, 0x200)
            .extended(0x200, Capability.EXTENDED_ACS, 0xffc)
            .extended(0xffc, 0x2e, 0);

    Capabilities capabilities = Capabilities.walk(config);

    assertThat(capabilities.faults()).isEmpty();
    assertThat(capabilities.list())
        .containsExactly(
            new Capability(Capability.MSI, 0, 0x50, false),
            new Capability(Capability.PCI_EXPRESS, 0, 0x40, false),
            new Capability(Capability.MSIX, 0, 0xfc, false),
            new Capability(Capability.EXTENDED_AER, 1, 0x100, true),
            new Capability(Capability.EXTENDED_ACS, 1, 0x200, true),
            new Capability(0x2e, 1, 0xffc, true));
    assertThat(capabilities.find(Capability.MSIX)).map(Capability::offset).hasValue(0xfc);
    assertThat(capabilities.find(Capability.EXTENDED_ACS)).isEmpty();
    assertThat(capabilities.findExtended(Capability.EXTENDED_ACS)).isPresent();
  }

  @Test
  void theStatusBitSaysWhetherThereIsAList() {
    MemoryConfig config = new MemoryConfig(256).capabilities(0x40).capability(0x40, 5, 0);
    config.bytes.putShort(ConfigRegisters.STATUS, (short) 0);

    assertThat(Capabilities.walk(config).list()).isEmpty();
  }

  @Test
  void masksTheReservedBitsOfPointers() {
    MemoryConfig config =
        new MemoryConfig(256).capabilities(0x43).capability(0x40, 5, 0x61).capability(0x60, 1, 3);

    Capabilities capabilities = Capabilities.walk(config);

    assertThat(capabilities.list()).extracting(Capability::offset).containsExactly(0x40, 0x60);
    assertThat(capabilities.faults()).isEmpty();
  }

  @Test
  void nullCapabilitiesOnlyLinkOn() {
    MemoryConfig config =
        new MemoryConfig(4096)
            .capabilities(0x40)
            .capability(0x40, 0, 0x50)
            .capability(0x50, 5, 0)
            .extended(0x100, 0, 0x140)
            .extended(0x140, 1, 0);

    assertThat(Capabilities.walk(config).list())
        .extracting(Capability::offset)
        .containsExactly(0x50, 0x140);
  }

  @Test
  void endsAtALoop() {
    MemoryConfig config =
        new MemoryConfig(256)
            .capabilities(0x40)
            .capability(0x40, 5, 0x50)
            .capability(0x50, 1, 0x40);

    Capabilities capabilities = Capabilities.walk(config);

    assertThat(capabilities.list()).extracting(Capability::offset).containsExactly(0x40, 0x50);
    assertThat(capabilities.faults()).singleElement().asString().contains("loops at 0x40");
  }

  @Test
  void endsAtASelfReferenceInEitherList() {
    MemoryConfig config =
        new MemoryConfig(4096)
            .capabilities(0x40)
            .capability(0x40, 5, 0x40)
            .extended(0x100, 1, 0x100);

    Capabilities capabilities = Capabilities.walk(config);

    assertThat(capabilities.list()).hasSize(2);
    assertThat(capabilities.faults())
        .satisfiesExactly(
            f -> assertThat(f).contains("loops at 0x40"),
            f -> assertThat(f).contains("extended").contains("loops at 0x100"));
  }

  @Test
  void endsAtAPointerIntoTheHeader() {
    MemoryConfig config = new MemoryConfig(256).capabilities(0x40).capability(0x40, 5, 0x3c);

    Capabilities capabilities = Capabilities.walk(config);

    assertThat(capabilities.list()).hasSize(1);
    assertThat(capabilities.faults()).singleElement().asString().contains("0x3c", "header");
  }

  @Test
  void endsAtAnExtendedPointerBelow0x100() {
    MemoryConfig config = new MemoryConfig(4096).extended(0x100, 1, 0x0fc);

    Capabilities capabilities = Capabilities.walk(config);

    assertThat(capabilities.list()).hasSize(1);
    assertThat(capabilities.faults()).singleElement().asString().contains("0x0fc");
  }

  @Test
  void endsAtAllOnes() {
    MemoryConfig config = new MemoryConfig(4096).capabilities(0x40);
    for (int i = 0x40; i < 4096; i++) {
      config.bytes.put(i, (byte) -1);
    }

    Capabilities capabilities = Capabilities.walk(config);

    assertThat(capabilities.list()).isEmpty();
    assertThat(capabilities.faults()).hasSize(2).allMatch(f -> f.contains("all ones"));
  }

  @Test
  void aDeviceThatDoesNotAnswerHasNone() {
    MemoryConfig config = new MemoryConfig(4096);
    for (int i = 0; i < 4096; i++) {
      config.bytes.put(i, (byte) -1);
    }

    Capabilities capabilities = Capabilities.walk(config);

    assertThat(capabilities.list()).isEmpty();
    assertThat(capabilities.faults()).singleElement().asString().contains("no device answers");
  }

  @Test
  void conventionalSpaceHasNoExtendedList() {
    MemoryConfig config = new MemoryConfig(256).capabilities(0x40).capability(0x40, 5, 0);

    assertThat(Capabilities.walk(config).list()).hasSize(1);
  }

  @Test
  void endsOnWhateverADeviceSays() {
    long seed = 0x6a7;
    Random random = new Random(seed);
    for (int round = 0; round < 5000; round++) {
      MemoryConfig config = new MemoryConfig(random.nextBoolean() ? 256 : 4096);
      byte[] noise = new byte[config.size()];
      random.nextBytes(noise);
      config.bytes.put(0, noise);
      config.bytes.put(ConfigRegisters.STATUS, (byte) ConfigRegisters.STATUS_CAPABILITIES);
      // Noise rarely links far: half of the rounds have pointers that all hit something.
      if (random.nextBoolean()) {
        for (int offset = 0x40; offset < 0x100; offset += 4) {
          config.capability(offset, random.nextInt(0x16), 0x40 + 4 * random.nextInt(48));
        }
        for (int offset = 0x100; offset < config.size(); offset += 4) {
          config.extended(offset, random.nextInt(0x30), 0x100 + 4 * random.nextInt(0x3c0));
        }
      }

      Capabilities capabilities =
          Assertions.assertTimeoutPreemptively(
              Duration.ofSeconds(30), () -> Capabilities.walk(config), "round " + round);

      assertThat(capabilities.list())
          .as("round %d", round)
          .hasSizeLessThanOrEqualTo(config.size() / 4)
          .allSatisfy(
              c -> {
                assertThat(c.offset()).isBetween(c.extended() ? 0x100 : 0x40, config.size() - 4);
                assertThat(c.name()).isNotEmpty();
              })
          .doesNotHaveDuplicates();
    }
  }

  @Test
  void knowsNamesOfBothListsApart() {
    assertThat(new Capability(0x05, 0, 0x40, false).name()).isEqualTo("MSI");
    assertThat(new Capability(0x05, 1, 0x100, true).name())
        .isEqualTo("Root Complex Link Declaration");
    assertThat(new Capability(0x77, 0, 0x40, false).name()).isEqualTo("unknown (0x77)");
  }
}
