package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Interrupts;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.RawNvme.Queue;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.Cns;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeStatus;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@NullMarked
@Timeout(60)
class SimulatedBackendTest {
  private final SimulatedBackend backend = new SimulatedBackend();
  @TempDir Path folder = Path.of("");

  private PciDevice open(String text) {
    return backend.open(new DeviceName("simulated", text));
  }

  private Path image(long size) throws IOException {
    Path image = folder.resolve("disk.img");
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength(size);
    }
    return image;
  }

  @Test
  void opensDevicesByName() {
    assertThat(backend.scan()).isEmpty();
    try (PciDevice edu = open("edu");
        PciDevice specimen = open("specimen");
        PciDevice nvme = open("nvme,size=1G,block=4096,queues=3,vectors=2,mdts=64K")) {
      assertThat(edu.name().toString()).isEqualTo("simulated:edu");
      assertThat(edu.id().toString()).isEqualTo("1234:11e8");
      assertThat(specimen.id()).isEqualTo(SpecimenModel.ID);
      assertThat(nvme.interrupts().count(Interrupts.Kind.MSIX)).isEqualTo(2);
    }
  }

  @Test
  void aDiskHasAsManyNamespacesAsItsNameSays() {
    try (PciDevice device = open("nvme,size=1M,namespaces=2,format-time=1s")) {
      RawNvme nvme = new RawNvme(device);
      nvme.enable();
      DmaBuffer data = device.dma().allocate(4096, 4096);
      assertThat(nvme.identifyController(data).numberOfNamespaces()).isEqualTo(2);
      assertThat(nvme.identifyNamespace(2, data).size()).isEqualTo(2048);
    }
  }

  @Test
  void eachOpenIsADeviceOfItsOwn() {
    try (PciDevice one = open("nvme");
        PciDevice two = open("nvme")) {
      assertThat(one).isNotSameAs(two);
    }
  }

  /** One host may see several that several processes serve: Linux refuses a name twice. */
  @Test
  void disksHaveSerialNumbersOfTheirOwn(@TempDir Path folder) throws IOException {
    assertThat(serial("nvme")).startsWith("GATUN-").isNotEqualTo(serial("nvme"));
    assertThat(serial("nvme,serial=S1")).isEqualTo("S1");
    Path file = Files.write(folder.resolve("disk"), new byte[4096]);
    Path other = Files.write(folder.resolve("other"), new byte[4096]);
    assertThat(serial("nvme,file=" + file))
        .isEqualTo(serial("nvme,file=" + file))
        .isNotEqualTo(serial("nvme,file=" + other));
  }

  private String serial(String text) {
    try (PciDevice device = open(text)) {
      RawNvme nvme = new RawNvme(device);
      nvme.enable();
      DmaBuffer data = device.dma().allocate(4096, 4096);
      nvme.admin.run(AdminOpcode.IDENTIFY, 0, data.busAddress(), 0, Cns.CONTROLLER, 0, 0);
      IdentifyController controller = IdentifyController.copyOf(data.segment());
      assertThat(controller.subsystemNqn()).endsWith(":" + controller.serialNumber());
      return controller.serialNumber();
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "floppy | there are: edu, nvme, replay, serial, specimen, virtio-blk",
        "edu,size=1 | edu has no options",
        "specimen,size=1 | specimen has no options",
        "nvme,colour=red | file=PATH, serial=TEXT (up to 20 characters), size=BYTES",
        "nvme,serial=a b | 1 to 20 printable",
        "nvme,size | write NAME=VALUE",
        "nvme,size=1G,size=2G | twice",
        "nvme,size=1X | 'size=1X'",
        "nvme,size=-1 | 'size=-1'",
        "nvme,size=9999999999999T | too large",
        "nvme,size=17T | from 512 to",
        "nvme,size=1000 | not a multiple of the block",
        "nvme,size=512,block=4096 | not a multiple of the block",
        "nvme,block=1024 | 512 or 4096",
        "nvme,namespaces=0 | from 1 to 1024",
        "nvme,namespaces=1025 | namespaces=1..1024",
        "nvme,namespaces=2,file=disk.img | do not fit into one file",
        "nvme,queues=0 | from 1 to 1024",
        "nvme,mdts=5000 | power of two",
        "nvme,latency=10 | TIME (10us)",
        "nvme,latency=2000000s | one hour",
        "nvme,format-time=2h | TIME (2s)",
        "nvme,format-time=3601s | a format takes from zero to one hour",
        "nvme,doorbells=loud | trapped|shared",
        "nvme,fault=none | all-ones, never-ready",
        "nvme,file= | not empty"
      })
  void saysWhatItDoesNotUnderstand(String text, String message) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> open(text))
        .withMessageContaining(message)
        .withMessageStartingWith("simulated:" + text + ": ");
  }

  @ParameterizedTest
  @ValueSource(strings = {"trapped", "shared"})
  void keepsWhatWasWrittenInItsFile(String doorbells) throws IOException {
    Path image = image(1 << 20);
    String name = "nvme,file=" + image + ",block=4096,doorbells=" + doorbells;
    try (PciDevice device = open(name)) {
      Host host = new Host(device);
      host.data.putLong(8, 0x1234);
      host.run(NvmOpcode.WRITE, 255, 1);
      host.run(NvmOpcode.FLUSH, 0, 1);
    }
    byte[] bytes = Files.readAllBytes(image);
    assertThat(bytes).hasSize(1 << 20);
    assertThat(bytes[255 * 4096 + 8]).isEqualTo((byte) 0x34);
    try (PciDevice device = open(name)) {
      Host host = new Host(device);
      host.run(NvmOpcode.READ, 255, 1);
      assertThat(host.data.getLongAcquire(8)).isEqualTo(0x1234);
    }
  }

  @Test
  void usesTheStartOfALongerFile() throws IOException {
    try (PciDevice device = open("nvme,file=" + image((1 << 20) + 100) + ",size=64K")) {
      Host host = new Host(device);
      host.run(NvmOpcode.WRITE, 127, 1);
      assertThat(host.queue.io(NvmOpcode.READ, 128, 1, host.data.busAddress(), 0).code())
          .isEqualTo(NvmeStatus.LBA_OUT_OF_RANGE.status());
    }
  }

  @Test
  void refusesFilesThatCannotBeADisk() throws IOException {
    assertUnavailable("file=" + folder.resolve("none.img"), "truncate -s 1G");
    assertUnavailable("file=" + folder.resolve("none.img") + ",size=2M", "truncate -s 2097152");
    assertUnavailable("file=" + folder, "regular file");
    Path image = image(1000);
    assertUnavailable("file=" + image, "not a multiple of the block, 512 bytes");
    assertUnavailable("file=" + image + ",size=1M", "the image is truncated");
    image(0);
    assertUnavailable("file=" + image, "the image is truncated");
  }

  @Test
  void aFileIsOneDiskAtATime() throws IOException {
    Path image = image(4096);
    try (PciDevice device = open("nvme,file=" + image)) {
      assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
      assertUnavailable("file=" + image, "in use as another disk");
    }
    open("nvme,file=" + image).close();
  }

  private void assertUnavailable(String options, String message) {
    assertThatThrownBy(() -> open("nvme," + options))
        .isInstanceOf(DeviceUnavailableException.class)
        .hasMessageContaining(message);
  }

  /** A host in real time: a controller with shared doorbells answers from its own thread. */
  private static final class Host {
    final RawNvme nvme;
    final Queue queue;
    final DmaBuffer data;

    Host(PciDevice device) {
      nvme = new RawNvme(device);
      nvme.enable();
      queue = nvme.createQueue(1);
      data = device.dma().allocate(4096, 4096);
    }

    void run(int opcode, long lba, int blocks) {
      assertThat(queue.io(opcode, lba, blocks, data.busAddress(), 0).status()).isZero();
    }
  }
}
