package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import org.gatun.vmtests.machine.DiskImage;
import org.gatun.vmtests.machine.Host;
import org.gatun.vmtests.machine.QtestBar;
import org.gatun.vmtests.machine.QtestDevice;
import org.gatun.vmtests.machine.QtestMachine;
import org.gatun.vmtests.machine.TestDevice;
import org.gatun.vmtests.machine.TestDevice.Edu;
import org.gatun.vmtests.machine.TestDevice.Namespace;
import org.gatun.vmtests.machine.TestDevice.Nvme;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.gatun.vmtests.machine.TestDevice.VfioUser;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The machine that is driven access by access, on devices that QEMU itself emulates: what it shows
 * of these is known, so that it can be believed about others.
 */
class QtestTest {
  @TempDir Path directory;
  private Host host;

  @BeforeEach
  void host() throws IOException {
    host = VmRun.requireVfioUserHost(System.getenv());
  }

  @Test
  void showsConfigSpaceInAllWidths() throws IOException {
    try (QtestMachine machine = start(new Edu("edu", Place.ROOT_BUS))) {
      QtestDevice edu = machine.device("edu");

      assertThat(edu.read32(0)).isEqualTo(0x11e8_1234);
      assertThat(edu.read16(2)).isEqualTo((short) 0x11e8);
      assertThat(edu.read8(1)).isEqualTo((byte) 0x12);
      assertThat(edu.read32(8)).isEqualTo(0x00ff_0010);
      edu.write8(0x3c, 0x0b); // interrupt line
      assertThat(edu.read32(0x3c)).isEqualTo(0x0000_010b);
      edu.write16(0x3c, 0x0a05);
      assertThat(edu.read16(0x3c)).isEqualTo((short) 0x0105);
    }
  }

  /** QEMU, docs/specs/edu.rst. */
  @Test
  void drivesRegistersOfABar() throws IOException {
    try (QtestMachine machine = start(new Edu("edu", Place.ROOT_BUS))) {
      QtestDevice edu = machine.device("edu");
      QtestBar bar = edu.bar(0).orElseThrow();
      assertThat(bar.size()).isEqualTo(1 << 20);
      assertThat(bar.ports() || bar.is64() || bar.prefetchable()).isFalse();
      assertThat(edu.bar(1)).isEmpty();

      assertThat(bar.read32(0)).as("before it decodes").isNotEqualTo(0x0100_00ed);
      edu.enable();
      assertThat(bar.read32(0)).isEqualTo(0x0100_00ed);
      bar.write32(4, 0x1234_5678);
      assertThat(bar.read32(4)).isEqualTo(~0x1234_5678);
      bar.write64(0x80, 0x1122_3344_5566_7788L); // DMA source
      assertThat(bar.read64(0x80)).isEqualTo(0x1122_3344_5566_7788L);
    }
  }

  @Test
  void placesBarsOfSeveralDevicesApart() throws IOException {
    Path image = DiskImage.blank(directory.resolve("disk.img"), 1 << 20);
    try (QtestMachine machine =
        start(
            new Edu("edu", Place.ROOT_BUS),
            new Nvme("disk", Place.ROOT_BUS, List.of(new Namespace(image, 512))))) {
      QtestDevice edu = machine.device("edu");
      QtestDevice disk = machine.device("disk");
      QtestBar eduBar = edu.bar(0).orElseThrow();
      QtestBar diskBar = disk.bar(0).orElseThrow();
      edu.enable();
      disk.enable();

      assertThat(disk.read32(8) >>> 8).as("class: NVMe").isEqualTo(0x01_08_02);
      assertThat(diskBar.is64()).isTrue();
      assertThat(diskBar.size()).isEqualTo(16 << 10);
      // NVM Express Base Specification 2.0c, 3.1.3.1: CAP.
      long capabilities = diskBar.read64(0);
      assertThat(capabilities)
          .isEqualTo(Integer.toUnsignedLong(diskBar.read32(0)) | ((long) diskBar.read32(4) << 32));
      assertThat((capabilities >>> 37) & 1).as("the NVM command set").isOne();
      assertThat(eduBar.read32(0)).isEqualTo(0x0100_00ed);
    }
  }

  @Test
  void hasMemory() throws IOException {
    try (QtestMachine machine = start()) {
      machine.write64(0x10_0000, 0x8899_aabb_ccdd_eeffL);
      assertThat(machine.read8(0x10_0001)).isEqualTo((byte) 0xee);
      assertThat(machine.read16(0x10_0002)).isEqualTo((short) 0xccdd);
      machine.write8(0x10_0000, (byte) 0x80);
      machine.write16(0x10_0002, (short) 0x8000);
      machine.write32(0x10_0004, 0x8000_0001);
      assertThat(machine.read64(0x10_0000)).isEqualTo(0x8000_0001_8000_ee80L);
    }
  }

  @Test
  void saysWhyQemuDidNotStart() {
    Path socket = directory.resolve("no \"server\" here");

    assertThatThrownBy(() -> start(new VfioUser("served", Place.ROOT_BUS, socket)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("QEMU ended with status 1")
        .hasMessageContaining("Failed to connect to '" + socket + "'");
  }

  @Test
  void saysThatQemuEnded() throws IOException {
    QtestMachine machine = start(new Edu("edu", Place.ROOT_BUS));
    QtestDevice edu = machine.device("edu");
    machine.close();

    assertThatThrownBy(() -> edu.read32(0)).isInstanceOf(UncheckedIOException.class);
  }

  private QtestMachine start(TestDevice... devices) throws IOException {
    return QtestMachine.start(host, directory, devices);
  }
}
