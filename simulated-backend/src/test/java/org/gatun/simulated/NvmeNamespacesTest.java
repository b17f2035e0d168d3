package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.HexFormat;
import java.util.Set;
import org.gatun.pci.DmaBuffer;
import org.gatun.simulated.RawNvme.Queue;
import org.gatun.specs.nvme.Cns;
import org.gatun.specs.nvme.IdentifyNamespace;
import org.gatun.specs.nvme.NamespaceList;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SubmissionEntry;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A controller with several namespaces. */
@NullMarked
class NvmeNamespacesTest {
  private static final int PAGE = 4096;
  private static final int INVALID_NAMESPACE = NvmeStatus.INVALID_NAMESPACE_OR_FORMAT.status();

  private final SimulatedBus bus = SimulatedBus.virtualTime();

  @AfterEach
  void close() {
    bus.close();
  }

  private RawNvme start(int namespaces) {
    NvmeModel model = NvmeModel.builder().size(1 << 20).namespaces(namespaces).build();
    RawNvme nvme = new RawNvme(bus.open(bus.plug("nvme", model)));
    nvme.enable();
    return nvme;
  }

  @Test
  void listsAndIdentifiesThem() {
    RawNvme nvme = start(3);
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);

    assertThat(nvme.identifyController(data).numberOfNamespaces()).isEqualTo(3);
    assertThat(nvme.identifyController(data).totalNvmCapacity()).isEqualTo(3L << 20);
    assertThat(list(nvme, 0, data)).containsExactly(1, 2, 3);
    assertThat(list(nvme, 1, data)).containsExactly(2, 3);
    assertThat(list(nvme, 3, data)).isEmpty();
    Set<String> names = new HashSet<>();
    for (int id = 1; id <= 3; id++) {
      IdentifyNamespace namespace = nvme.identifyNamespace(id, data);
      assertThat(namespace.size()).isEqualTo(2048);
      assertThat(namespace.nvmCapacity()).isEqualTo(1 << 20);
      assertThat(nvme.identify(Cns.NAMESPACE_DESCRIPTOR_LIST, id, data)).isZero();
      byte[] descriptors = new byte[4 + 8 + 4 + 16];
      data.copyOut(0, descriptors);
      assertThat(descriptors).startsWith(1, 8, 0, 0).containsSequence(namespace.eui64());
      names.add(HexFormat.of().formatHex(namespace.eui64()));
      names.add(HexFormat.of().formatHex(descriptors, 16, 32));
    }
    assertThat(names).as("an EUI-64 and a UUID each").hasSize(6);
    for (int id : new int[] {0, 4, Integer.MIN_VALUE, SubmissionEntry.NSID_ALL}) {
      assertThat(nvme.identify(Cns.NAMESPACE, id, data)).isEqualTo(INVALID_NAMESPACE);
      assertThat(nvme.identify(Cns.NAMESPACE_DESCRIPTOR_LIST, id, data))
          .isEqualTo(INVALID_NAMESPACE);
    }
  }

  @Test
  void thereCanBeMany() {
    RawNvme nvme = start(1024);
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    assertThat(list(nvme, 0, data)).hasSize(1024);
    assertThat(list(nvme, 1022, data)).containsExactly(1023, 1024);
    data.putLong(0, 42);
    Queue queue = nvme.createQueue(1);
    assertThat(queue.io(NvmOpcode.WRITE, 1024, 2047, 1, data.busAddress(), 0).status()).isZero();
  }

  @Test
  void eachHasBlocksOfItsOwn() {
    RawNvme nvme = start(2);
    Queue queue = nvme.createQueue(1);
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    for (int id = 1; id <= 2; id++) {
      data.putLong(0, id);
      assertThat(queue.io(NvmOpcode.WRITE, id, 5, 1, data.busAddress(), 0).status()).isZero();
    }
    for (int id = 1; id <= 2; id++) {
      assertThat(queue.io(NvmOpcode.READ, id, 5, 1, data.busAddress(), 0).status()).isZero();
      assertThat(data.getLongAcquire(0)).isEqualTo(id);
    }
    assertThat(queue.io(NvmOpcode.WRITE_ZEROES, 2, 5, 1, 0, 0).status()).isZero();
    assertThat(queue.io(NvmOpcode.READ, 1, 5, 1, data.busAddress(), 0).status()).isZero();
    assertThat(data.getLongAcquire(0)).isEqualTo(1);
  }

  /** Flush alone takes the broadcast identifier, as VWC says. */
  @ParameterizedTest
  @ValueSource(ints = {0, 3, Integer.MIN_VALUE, SubmissionEntry.NSID_ALL})
  void refusesWhatIsOfNoNamespace(int id) {
    RawNvme nvme = start(2);
    Queue queue = nvme.createQueue(1);
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    for (int opcode :
        new int[] {
          NvmOpcode.READ, NvmOpcode.WRITE, NvmOpcode.WRITE_ZEROES, NvmOpcode.DATASET_MANAGEMENT
        }) {
      assertThat(queue.io(opcode, id, 0, 1, data.busAddress(), 0).code())
          .isEqualTo(INVALID_NAMESPACE);
    }
    assertThat(queue.run(NvmOpcode.FLUSH, id, 0, 0, 0, 0, 0).code())
        .isEqualTo(id == SubmissionEntry.NSID_ALL ? 0 : INVALID_NAMESPACE);
  }

  private static int[] list(RawNvme nvme, int after, DmaBuffer data) {
    assertThat(nvme.identify(Cns.ACTIVE_NAMESPACE_LIST, after, data)).isZero();
    NamespaceList list = NamespaceList.copyOf(data.segment());
    int[] ids = new int[list.count()];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = list.namespaceId(i);
    }
    return ids;
  }
}
