package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.time.Duration;
import java.util.Arrays;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.pci.spi.EraseMethod;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.SimulatedBus;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SubmissionEntry;
import org.gatun.testkit.DeviceRoute;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Several namespaces, with blocks of 512 and 4096 bytes, on the simulated bus's controller. */
class NvmeNamespacesTest {
  private static final int SIZE = 1 << 20;
  private static final int FORMAT_4096 =
      AdminCommand.formatDword10(1, AdminCommand.SECURE_ERASE_NONE);
  private static final Duration LIMIT = Duration.ofMinutes(1);

  private final SimulatedBus bus = DeviceRoute.newBus();

  @AfterEach
  void close() {
    bus.close();
    assertThat(bus.iommu().faults()).isEmpty();
  }

  private PciDevice plug(NvmeModel.Builder model) {
    return DeviceRoute.chosen(bus.open(bus.plug("nvme", model.size(SIZE).build())));
  }

  private NvmeController open(PciDevice device) {
    return NvmeController.open(device, NvmeOptions.defaults().withTime(bus.time()));
  }

  private static byte[] filled(int namespace) {
    byte[] data = new byte[3 * 4096];
    Arrays.fill(data, (byte) namespace);
    return data;
  }

  private static void write(NvmeController controller, int namespace, long offset) {
    try (NvmeDisk disk = controller.openDisk(namespace)) {
      disk.write(offset, filled(namespace));
    }
  }

  private static byte[] read(NvmeController controller, int namespace, long offset) {
    byte[] data = new byte[3 * 4096];
    try (NvmeDisk disk = controller.openDisk(namespace)) {
      disk.read(offset, data);
    }
    return data;
  }

  @Test
  void readsBackWhatItWroteToEach() {
    try (PciDevice device = plug(NvmeModel.builder().namespaces(3).blockSize(4096));
        NvmeController controller = open(device)) {
      assertThat(controller.namespaces())
          .extracting(NvmeNamespace::id, NvmeNamespace::blockSize, NvmeNamespace::blocks)
          .hasSize(3)
          .doesNotHaveDuplicates()
          .allSatisfy(values -> assertThat(values.toList().get(1)).isEqualTo(4096));
      for (int id = 1; id <= 3; id++) {
        write(controller, id, 4096);
      }
      for (int id = 1; id <= 3; id++) {
        assertThat(read(controller, id, 4096)).containsOnly(id);
      }
      assertThat(read(controller, 2, SIZE - 3 * 4096)).containsOnly(0);
    }
  }

  @Test
  void takesTheBlocksThatANamespaceWasFormattedTo() {
    try (PciDevice device = plug(NvmeModel.builder().namespaces(2))) {
      try (NvmeController controller = open(device)) {
        write(controller, 1, 512);
        write(controller, 2, 512);
        controller.format(2, FORMAT_4096, LIMIT);
      }
      try (NvmeController controller = open(device)) {
        assertThat(controller.namespaces())
            .extracting(NvmeNamespace::blockSize)
            .containsExactly(512, 4096);
        assertThat(controller.namespace(2).sizeBytes()).isEqualTo(SIZE);
        assertThat(read(controller, 1, 512)).containsOnly(1);
        assertThat(read(controller, 2, 0)).containsOnly(0);
        write(controller, 2, SIZE - 3 * 4096);
        assertThat(read(controller, 2, SIZE - 3 * 4096)).containsOnly(2);
      }
    }
  }

  /** A format may take longer than any other command is given. */
  @Tag(DeviceRoute.VIRTUAL_TIME)
  @ParameterizedTest
  @EnumSource
  void erasesThemAll(EraseMethod method) {
    NvmeModel.Builder model =
        NvmeModel.builder().namespaces(3).blockSize(4096).formatTime(Duration.ofMinutes(10));
    try (PciDevice device = plug(model)) {
      try (NvmeController controller = open(device)) {
        for (int id = 1; id <= 3; id++) {
          write(controller, id, 4096);
        }
      }
      new NvmeEraser().erase(device, method, bus.time());
      try (NvmeController controller = open(device)) {
        for (int id = 1; id <= 3; id++) {
          assertThat(controller.namespace(id).blockSize()).isEqualTo(4096);
          assertThat(read(controller, id, 4096)).containsOnly(0);
        }
      }
    }
  }

  @Tag(DeviceRoute.VIRTUAL_TIME)
  @Test
  void saysThatCommandsInProgressKeepAFormatFromBeingBegun() {
    try (PciDevice device = plug(NvmeModel.builder().latency(Duration.ofMillis(1)));
        NvmeController controller = open(device);
        DmaBuffer buffer = device.dma().allocate(4096, 4096);
        NvmeQueuePair queue = controller.createQueuePair()) {
      int[] statuses = {-1};
      queue.submitRead(
          controller.namespace(1), 0, 1, buffer, 0, (_, status) -> statuses[0] = status, 0);
      queue.ring();

      assertThatExceptionOfType(NvmeStatusException.class)
          .isThrownBy(() -> controller.format(SubmissionEntry.NSID_ALL, FORMAT_4096, LIMIT))
          .satisfies(e -> assertThat(e.status()).contains(NvmeStatus.COMMAND_SEQUENCE_ERROR));

      queue.await(LIMIT);
      assertThat(statuses).containsExactly(0);
      controller.format(SubmissionEntry.NSID_ALL, FORMAT_4096, LIMIT);
    }
  }
}
