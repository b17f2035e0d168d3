package org.gatun.pci.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PciIdsTest {
  private static final String SMALL =
      """
      # A comment

      1234  Technical Corp.
      \t11e8  QEMU educational device
      \t\t1af4 1100  QEMU Virtual Machine
      \t11e9  Another device
      1b36  Réd Hat, Inc.
      \t0010  QEMU NVM Express Controller
      C 01  Mass storage controller
      \t08  Non-Volatile memory controller
      \t\t02  NVM Express
      C ff  Unassigned class
      """;

  @TempDir private Path folder;

  private PciIds load(String text) throws IOException {
    return PciIds.load(Files.writeString(folder.resolve("pci.ids"), text));
  }

  @Test
  void findsNames() throws IOException {
    PciIds ids = load(SMALL);

    assertThat(ids.vendor(0x1234)).hasValue("Technical Corp.");
    assertThat(ids.vendor(0x1b36)).hasValue("Réd Hat, Inc.");
    assertThat(ids.device(0x1234, 0x11e8)).hasValue("QEMU educational device");
    assertThat(ids.device(0x1b36, 0x11e8)).isEmpty();
    assertThat(ids.describe(new PciId(0x1b36, 0x0010, 0, 0)))
        .isEqualTo("Réd Hat, Inc. QEMU NVM Express Controller");
    assertThat(ids.describe(new PciId(0x1b36, 0xabc, 0, 0))).isEqualTo("Réd Hat, Inc. Device 0abc");
  }

  @Test
  void namesTheMostSpecificClass() throws IOException {
    PciIds ids = load(SMALL);

    assertThat(ids.pciClass(new PciClass(0x010802))).hasValue("NVM Express");
    assertThat(ids.pciClass(new PciClass(0x010801))).hasValue("Non-Volatile memory controller");
    assertThat(ids.pciClass(new PciClass(0x010600))).hasValue("Mass storage controller");
    assertThat(ids.pciClass(new PciClass(0xff0000))).hasValue("Unassigned class");
    assertThat(ids.pciClass(new PciClass(0x020000))).isEmpty();
  }

  @Test
  void passesOverGarbage() throws IOException {
    PciIds ids =
        load(
            """
            \t0001  a device of nobody
            \t\t0001 0002  a subsystem of nobody
            zzzz  no number
            \t0002  a device of no number
            +abc  a sign
            -abc  another
            12345  too long
            12
            1234
            1235  Sound
            \t
            \txxxx  no number
            \t0003
            \t0004  Sound too
            C zz  no class
            \t01  a subclass of none
            C
            """);

    assertThat(ids.vendor(0x1235)).hasValue("Sound");
    assertThat(ids.device(0x1235, 4)).hasValue("Sound too");
    assertThat(ids.device(0x1235, 3)).isEmpty();
    assertThat(ids.vendor(0x1234)).isEmpty();
    assertThat(ids.vendor(0xabc)).isEmpty();
    assertThat(ids.device(0xabc, 4)).isEmpty();
  }

  @Test
  void readsNamesThatAreNotUtf8() throws IOException {
    Path file = folder.resolve("latin");
    Files.write(file, "1234  Caf\u00e9\n1235  Next\n".getBytes(StandardCharsets.ISO_8859_1));

    assertThat(PciIds.load(file).vendor(0x1234))
        .hasValueSatisfying(n -> assertThat(n).startsWith("Caf"));
    assertThat(PciIds.load(file).vendor(0x1235)).hasValue("Next");
  }

  @Test
  void saysWhichFileCannotBeRead() {
    assertThatExceptionOfType(UncheckedIOException.class)
        .isThrownBy(() -> PciIds.load(folder.resolve("missing")))
        .withMessageContaining("missing");
  }

  @Test
  void whatIsNotInstalledHasNoNamesButNoErrorEither() {
    assertThat(PciIds.installed().describe(new PciId(0xfff1, 0xfffe, 0, 0)))
        .isEqualTo("Vendor fff1 Device fffe");
  }
}
