package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.BufferedReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.gatun.broker.Broker;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.Grant;
import org.gatun.broker.GrantRefusedException;
import org.gatun.broker.Quota;
import org.gatun.driver.edu.Completion;
import org.gatun.driver.edu.EduDevice;
import org.gatun.driver.edu.EduOptions;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeDisk;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaException;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.Hazard;
import org.gatun.testkit.PciDeviceContract;
import org.gatun.vfio.SysfsBackend;
import org.gatun.vfio.VfioBackend;
import org.gatun.vfio.sysfs.DriverBinding;
import org.gatun.vmtests.inside.Inside;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Drivers on QEMU's devices through sysfs, and the contract of the disk: one class, since its tests
 * share the disk. For {@link UnprotectedTest}.
 */
@InVm
class UnprotectedInVm extends PciDeviceContract {
  /** The property with the SHA-256 of the disk. */
  static final String SHA_256 = "test.sha256";

  private static final EduOptions EDU = EduOptions.defaults().withTimeout(Duration.ofMinutes(1));
  private static final int BUFFER = 1 << 20;

  private final UnprotectedDevices disk = UnprotectedDevices.of("disk");

  @Override
  protected PciDevice open() {
    return disk.bind().open();
  }

  @Override
  protected boolean isConfined() {
    return false;
  }

  @Test
  void readsADiskByPolling() throws Exception {
    assertThat(sha256(device())).isEqualTo(Inside.property(SHA_256));
    device().close();
    disk.checkStopped();
  }

  @Test
  void hidesTheMsixTable() {
    Capability msix = Capabilities.walk(device().config()).find(Capability.MSIX).orElseThrow();
    int table = device().config().read32(msix.offset() + 4);
    Bar bar = device().bar(table & 7).orElseThrow();
    try (Mmio entry = bar.map(table & ~7, 16)) {
      assertThat(entry.isDirect()).isFalse();
      entry.write32(0, 0xfee00000);
      assertThat(entry.read32(0)).isEqualTo(-1);
    }
    assertThat(device().interrupts().count(Kind.MSIX)).isZero();
  }

  @Test
  void hasOneOwner() {
    assertThatExceptionOfType(DeviceUnavailableException.class)
        .isThrownBy(disk::open)
        .withMessageContaining("in use by this process");
  }

  @Test
  void memoryThatWasGivenBackGoesToTheKernelOnlyWhenTheDeviceIsClosed() throws Exception {
    DmaBuffer buffer = device().dma().allocate(4096, 4096);
    long address = buffer.busAddress();
    buffer.close();
    try (DmaBuffer again = device().dma().allocate(4096, 4096)) {
      assertThat(again.busAddress()).as("the same memory").isEqualTo(address);
    }
  }

  @Test
  void aBufferIsAtMostAHugePage() {
    device().dma().allocate(2 << 20, 4096).close();

    assertThatExceptionOfType(DmaException.class)
        .isThrownBy(() -> device().dma().allocate((2 << 20) + 1, 4096))
        .withMessageContaining("contiguous only inside a huge page");
  }

  @ParameterizedTest
  @EnumSource(names = {"POLL", "INTX"})
  void eduComputesAndMovesData(Completion completion) {
    // Not the one of the contract, which runs meanwhile.
    UnprotectedDevices second = UnprotectedDevices.of("second-edu").bind();
    try (PciDevice device = second.open();
        EduDevice edu = EduDevice.open(device, EDU.withCompletion(completion));
        DmaBuffer target = allocateLow(device)) {
      assertThat(edu.factorial(12)).isEqualTo(479_001_600);
      byte[] data = new byte[EduDevice.MAX_TRANSFER];
      new Random(11).nextBytes(data);
      edu.roundTrip(data);
      edu.dmaWrite(target.busAddress(), 0, data.length);
      byte[] arrived = new byte[data.length];
      target.copyOut(0, arrived);
      assertThat(arrived).isEqualTo(data);
    }
    second.checkStopped();
  }

  @Test
  void aBrokerGrantsItToWhomIsTrustedAndTakesItBack() {
    UnprotectedDevices second = UnprotectedDevices.of("second-edu").bind();
    try (Broker broker = new Broker(List.of(new SysfsBackend()))) {
      broker.seize(second.name());
      assertThatExceptionOfType(GrantRefusedException.class)
          .isThrownBy(() -> grant(broker, DeviceRequest.of(second.name())))
          .withMessageContaining("unprotected-dma");
      for (int i = 0; i < 2; i++) {
        Grant grant = grant(broker, trusting(second));
        EduDevice edu = EduDevice.open(grant.connect().getFirst(), EDU);
        assertThat(edu.factorial(5)).isEqualTo(120);
        edu.roundTrip(new byte[] {1, 2, 3, 4});

        grant.revoke(Duration.ZERO);

        assertThatExceptionOfType(DeviceGoneException.class).isThrownBy(() -> edu.factorial(5));
        second.checkStopped();
        assertThat(broker.devices().getFirst().quarantine()).isEmpty();
      }
    }
  }

  /** Nobody takes a mapping of sysfs from a process: what it reaches is not the next guest's. */
  @Test
  void whatAnotherProcessHasMappedEndsInQuarantine() throws Exception {
    UnprotectedDevices second = UnprotectedDevices.of("second-edu").bind();
    try (Broker broker = new Broker(List.of(new SysfsBackend()))) {
      broker.seize(second.name());
      Grant grant = grant(broker, trusting(second));
      grant.connect();
      Process other = MappedByOther.start(second.sysfs().directory().resolve("resource0"));
      try (BufferedReader output = other.inputReader()) {
        assertThat(output.readLine()).isEqualTo(MappedByOther.MAPPED);

        grant.revoke(Duration.ZERO);

        assertThat(broker.devices().getFirst().quarantine())
            .hasValueSatisfying(reason -> assertThat(reason).contains("process " + other.pid()));
        assertThatExceptionOfType(GrantRefusedException.class)
            .isThrownBy(() -> grant(broker, trusting(second)))
            .withMessageContaining("quarantine");
      } finally {
        other.destroyForcibly();
        other.waitFor();
      }

      broker.release(second.name());
      broker.seize(second.name());
      try (PciDevice device = grant(broker, trusting(second)).connect().getFirst();
          EduDevice edu = EduDevice.open(device, EDU)) {
        assertThat(edu.factorial(5)).isEqualTo(120);
      }
    }
  }

  /** The kernel does it, when the last descriptor of uio_pci_generic is closed. */
  @Test
  void aKilledProcessLeavesItStopped() throws Exception {
    device().close();
    GatunCommand.Running victim =
        GatunCommand.start(
            "nvme", "read", "--device", disk.name().toString(), "--output", "/dev/null");
    boolean driven =
        TimeSource.system().await(disk::isBusMaster, Duration.ofMinutes(4), Duration.ofMillis(2));
    victim.process().destroyForcibly();
    GatunCommand killed = victim.end();

    assertThat(driven).as("the victim drove the disk: %s", killed).isTrue();
    assertThat(killed.exitStatus()).as("killed by SIGKILL").isEqualTo(128 + 9);
    disk.checkStopped();
  }

  @Test
  void withoutTheWordsItIsRefused() {
    DeviceName name = new DeviceName(SysfsBackend.SCHEME, disk.address().toString());

    assertThatExceptionOfType(DeviceUnavailableException.class)
        .isThrownBy(() -> new SysfsBackend().open(name))
        .withMessageContaining("no IOMMU confines its DMA")
        .withMessageContaining("'" + name + ",unprotected-dma'")
        .withMessageNotContaining("\n");
  }

  @Test
  void aScanMarksAllDevices() {
    assertThat(new VfioBackend().scan())
        .isNotEmpty()
        .extracting(FoundDevice::hazards)
        .allMatch(hazards -> hazards.contains(Hazard.UNPROTECTED_DMA));
    assertThat(new SysfsBackend().scan()).isEmpty();
  }

  @Test
  void theCommandMarksRefusesAndReads() throws Exception {
    device().close();
    String address = disk.address().toString();
    new DriverBinding().restore(disk.address());

    assertThat(GatunCommand.run("list").expectSuccess().output().lines())
        .filteredOn(line -> line.contains(address))
        .singleElement()
        .asString()
        .contains("unprotected-dma");
    assertThat(GatunCommand.run("show", "vfio:" + address).expectSuccess().output())
        .contains("unprotected-dma: " + Hazard.UNPROTECTED_DMA.meaning());
    GatunCommand bound =
        GatunCommand.run("bind", address, "--driver", "uio_pci_generic").expectSuccess();
    assertThat(bound.output()).contains("bound to uio_pci_generic");
    GatunCommand refused = GatunCommand.run("nvme", "identify", "--device", "sysfs:" + address);
    assertThat(refused.exitStatus()).isNotZero();
    assertThat(refused.errors()).contains("sysfs:" + address + ",unprotected-dma");
    Path copy = Files.createTempFile("disk", ".img");
    GatunCommand.run(
            "nvme", "read", "--device", disk.name().toString(), "--output", copy.toString())
        .expectSuccess();
    assertThat(HexFormat.of().formatHex(sha256().digest(Files.readAllBytes(copy))))
        .isEqualTo(Inside.property(SHA_256));
    assertThat(GatunCommand.run("unbind", address).expectSuccess().output())
        .contains("without a driver, as before");
  }

  private static Grant grant(Broker broker, DeviceRequest request) {
    return broker.grant("guest", Quota.DEFAULT, List.of(request));
  }

  private static DeviceRequest trusting(UnprotectedDevices device) {
    return DeviceRequest.of(device.name()).accepting(Hazard.UNPROTECTED_DMA);
  }

  private static String sha256(PciDevice device) throws Exception {
    MessageDigest digest = sha256();
    try (NvmeController controller = NvmeController.open(device, NvmeOptions.defaults());
        NvmeDisk disk = controller.openDisk(1);
        DmaBuffer buffer = device.dma().allocate(BUFFER, 4096)) {
      long size = disk.namespace().sizeBytes();
      for (long offset = 0; offset < size; offset += BUFFER) {
        disk.read(offset, buffer, 0, BUFFER);
        digest.update(buffer.segment().asByteBuffer());
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  private static MessageDigest sha256() throws Exception {
    return MessageDigest.getInstance("SHA-256");
  }

  private static DmaBuffer allocateLow(PciDevice device) {
    device.dma().limitTo(28);
    return device.dma().allocate(4096, 4096);
  }
}
