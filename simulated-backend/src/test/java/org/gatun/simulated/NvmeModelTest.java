package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.PciDevice;
import org.gatun.pci.Vector;
import org.gatun.pci.config.BarRegister;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.simulated.RawNvme.Done;
import org.gatun.simulated.RawNvme.Queue;
import org.gatun.simulated.fault.Effect;
import org.gatun.simulated.fault.Fault;
import org.gatun.simulated.fault.Faults;
import org.gatun.simulated.fault.Point;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.Aqa;
import org.gatun.specs.nvme.AsynchronousEvent;
import org.gatun.specs.nvme.Cap;
import org.gatun.specs.nvme.Cc;
import org.gatun.specs.nvme.Cns;
import org.gatun.specs.nvme.Csts;
import org.gatun.specs.nvme.DatasetManagementRange;
import org.gatun.specs.nvme.ErrorLogEntry;
import org.gatun.specs.nvme.Features;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.IdentifyNamespace;
import org.gatun.specs.nvme.LogPage;
import org.gatun.specs.nvme.NamespaceList;
import org.gatun.specs.nvme.NvmCommand;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeRegisters;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SanitizeStatusLog;
import org.gatun.specs.nvme.SmartLog;
import org.gatun.specs.nvme.SubmissionEntry;
import org.gatun.specs.nvme.Version;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@NullMarked
class NvmeModelTest {
  private static final int PAGE = 4096;
  private static final int BLOCKS = 4096;

  private final SimulatedBus bus = SimulatedBus.virtualTime();

  @AfterEach
  void close() {
    bus.close();
  }

  private RawNvme start(Consumer<NvmeModel.Builder> options) {
    NvmeModel.Builder builder = NvmeModel.builder().size(BLOCKS * 512L).queues(4);
    options.accept(builder);
    return new RawNvme(bus.open(bus.plug("nvme", builder.build())));
  }

  private RawNvme enabled() {
    RawNvme nvme = start(b -> {});
    nvme.enable();
    return nvme;
  }

  @Test
  void showsWhatItIs() {
    RawNvme nvme = start(b -> b.queues(16));

    PciDevice device = nvme.device;
    assertThat(device.pciClass().code()).isEqualTo(NvmeRegisters.CLASS_CODE);
    assertThat(device.config().size()).isEqualTo(4096);
    assertThat(Capabilities.walk(device.config()).faults()).isEmpty();
    assertThat(Capabilities.walk(device.config()).list())
        .extracting(Capability::id)
        .containsExactly(Capability.MSIX, Capability.PCI_EXPRESS);
    assertThat(BarRegister.size(device.config()))
        .singleElement()
        .returns(true, BarRegister::wide)
        .returns(device.bar(0).orElseThrow().size(), BarRegister::size);
    assertThat(device.bar(1)).isEmpty();
    assertThat(device.interrupts().count(Kind.MSIX)).isEqualTo(17);
    long cap = nvme.registers.read64(NvmeRegisters.CAP);
    assertThat(Cap.css(cap)).isEqualTo(Cap.CSS_NVM);
    assertThat(nvme.registers.read32(NvmeRegisters.CAP)).isEqualTo((int) cap);
    assertThat(nvme.registers.read32(NvmeRegisters.CAP + 4)).isEqualTo((int) (cap >>> 32));
    assertThat(nvme.registers.read32(NvmeRegisters.VS)).isEqualTo(Version.V1_4);
    assertThat(nvme.csts()).isZero();
  }

  @Test
  void identifiesItself() {
    RawNvme nvme = enabled();
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);

    assertThat(nvme.identify(Cns.CONTROLLER, 0, data)).isZero();
    IdentifyController controller = IdentifyController.copyOf(data.segment());
    assertThat(controller.numberOfNamespaces()).isEqualTo(1);
    assertThat(controller.mdts()).isEqualTo(7);
    assertThat(controller.version()).isEqualTo(Version.V1_4);
    assertThat(controller.sanicap() >>> 30).as("1.4 has no 0").isEqualTo(1);

    assertThat(nvme.identify(Cns.NAMESPACE, 1, data)).isZero();
    IdentifyNamespace namespace = IdentifyNamespace.copyOf(data.segment());
    assertThat(namespace.size()).isEqualTo(BLOCKS);
    assertThat(namespace.formattedLbaFormat().blockSize()).isEqualTo(512);

    assertThat(nvme.identify(Cns.ACTIVE_NAMESPACE_LIST, 0, data)).isZero();
    assertThat(NamespaceList.copyOf(data.segment()).namespaceId(0)).isEqualTo(1);
    assertThat(NamespaceList.copyOf(data.segment()).count()).isEqualTo(1);
    assertThat(nvme.identify(Cns.ACTIVE_NAMESPACE_LIST, 1, data)).isZero();
    assertThat(NamespaceList.copyOf(data.segment()).count()).isZero();

    assertThat(nvme.identify(Cns.NAMESPACE_DESCRIPTOR_LIST, 1, data)).isZero();
    assertThat(data.getByteAcquire(0)).isEqualTo((byte) 1);

    int noNamespace = NvmeStatus.INVALID_NAMESPACE_OR_FORMAT.status();
    assertThat(nvme.identify(Cns.NAMESPACE, 0, data)).isEqualTo(noNamespace);
    assertThat(nvme.identify(Cns.NAMESPACE, 2, data)).isEqualTo(noNamespace);
    assertThat(nvme.identify(Cns.NAMESPACE_DESCRIPTOR_LIST, 2, data)).isEqualTo(noNamespace);
    assertThat(nvme.identify(Cns.ACTIVE_NAMESPACE_LIST, -1, data)).isEqualTo(noNamespace);
    assertThat(nvme.identify(0x77, 1, data))
        .isEqualTo(NvmeStatus.INVALID_FIELD_IN_COMMAND.status());
  }

  @ParameterizedTest
  @CsvSource({
    "512, 1, 0",
    "512, 8, 0",
    "512, 16, 512",
    "512, 17, 4092",
    "512, 24, 0",
    "512, 1024, 0",
    "512, 1024, 2048",
    "4096, 1, 0",
    "4096, 2, 4",
    "4096, 128, 0",
    "4096, 128, 1024"
  })
  void readsBackWhatItWrote(int blockSize, int blocks, int pageOffset) {
    RawNvme nvme = start(b -> b.size(16 << 20).blockSize(blockSize));
    nvme.enable();
    Queue queue = nvme.createQueue(1);
    int length = blocks * blockSize;
    DmaBuffer written = nvme.device.dma().allocate(length + 2L * PAGE, PAGE);
    DmaBuffer read = nvme.device.dma().allocate(length + 2L * PAGE, PAGE);
    byte[] random = new byte[length];
    new Random(blocks).nextBytes(random);
    written.copyIn(pageOffset, random);
    DmaBuffer list = nvme.device.dma().allocate(2L * PAGE, PAGE);

    long lba = 7;
    assertThat(ioList(queue, NvmOpcode.WRITE, lba, blocks, length, written, pageOffset, list))
        .isZero();
    assertThat(ioList(queue, NvmOpcode.READ, lba, blocks, length, read, pageOffset, list)).isZero();

    byte[] back = new byte[length];
    read.copyOut(pageOffset, back);
    assertThat(back).isEqualTo(random);
    assertThat(read.getByteAcquire(pageOffset + (long) length)).as("not a byte more").isZero();
    assertThat(bus.iommu().faults()).isEmpty();
  }

  @Test
  void followsChainedPrpLists() {
    RawNvme nvme = start(b -> b.size(32 << 20).maxTransfer(4 << 20));
    nvme.enable();
    Queue queue = nvme.createQueue(1);
    int pages = 1024;
    DmaBuffer data = nvme.device.dma().allocate((long) pages * PAGE, PAGE);
    byte[] random = new byte[pages * PAGE];
    new Random(1).nextBytes(random);
    data.copyIn(0, random);
    // The first list starts at the last place of its page: all it has is a pointer to the next.
    DmaBuffer lists = nvme.device.dma().allocate(8L * PAGE, PAGE);
    lists.putLong(PAGE - 8, lists.busAddress() + PAGE);
    long at = PAGE;
    for (int page = 1; page < pages; page++) {
      boolean lastPlace = at % PAGE == PAGE - 8 && page < pages - 1;
      if (lastPlace) {
        lists.putLong(at, lists.busAddress() + at + 8);
        at += 8;
      }
      lists.putLong(at, data.busAddress() + (long) page * PAGE);
      at += 8;
    }
    int blocks = pages * PAGE / 512;
    long prp2 = lists.busAddress() + PAGE - 8;

    assertThat(queue.io(NvmOpcode.WRITE, 3, blocks, data.busAddress(), prp2).status()).isZero();
    data.segment().fill((byte) 0);
    assertThat(queue.io(NvmOpcode.READ, 3, blocks, data.busAddress(), prp2).status()).isZero();

    byte[] back = new byte[random.length];
    data.copyOut(0, back);
    assertThat(back).isEqualTo(random);
  }

  @Test
  void aListThatPointsToItselfEnds() {
    RawNvme nvme = start(b -> b.size(32 << 20).maxTransfer(16 << 20));
    nvme.enable();
    Queue queue = nvme.createQueue(1);
    DmaBuffer list = nvme.device.dma().allocate(PAGE, PAGE);
    for (int at = 0; at < PAGE; at += 8) {
      list.putLong(at, list.busAddress());
    }

    Done done = queue.io(NvmOpcode.WRITE, 0, 32768, list.busAddress(), list.busAddress());

    assertThat(done.status()).isZero();
  }

  @Test
  void unwrittenBlocksReadAsZeros() {
    RawNvme nvme = enabled();
    Queue queue = nvme.createQueue(1);
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    data.segment().fill((byte) -1);

    assertThat(queue.io(NvmOpcode.READ, BLOCKS - 1, 1, data.busAddress(), 0).status()).isZero();

    assertThat(data.getLongAcquire(504)).isZero();
    assertThat(data.getLongAcquire(512)).isEqualTo(-1);
  }

  @Test
  void writesZeroesAndDeallocates() {
    RawNvme nvme = enabled();
    Queue queue = nvme.createQueue(1);
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    data.segment().fill((byte) -1);
    assertThat(queue.io(NvmOpcode.WRITE, 0, 8, data.busAddress(), 0).status()).isZero();

    assertThat(queue.io(NvmOpcode.WRITE_ZEROES, 1, 2, 0, 0).status()).isZero();
    DmaBuffer ranges = nvme.device.dma().allocate(PAGE, PAGE);
    new DatasetManagementRange(0, 1, 4).write(ranges.segment(), 0);
    new DatasetManagementRange(0, 2, 6).write(ranges.segment(), 1);
    assertThat(
            queue
                .run(
                    NvmOpcode.DATASET_MANAGEMENT,
                    1,
                    ranges.busAddress(),
                    0,
                    NvmCommand.rangesDword10(2),
                    NvmCommand.DEALLOCATE,
                    0)
                .status())
        .isZero();
    assertThat(queue.run(NvmOpcode.FLUSH, -1, 0, 0, 0, 0, 0).status()).isZero();
    assertThat(queue.io(NvmOpcode.READ, 0, 8, data.busAddress(), 0).status()).isZero();

    List<Integer> kept = new ArrayList<>();
    for (int block = 0; block < 8; block++) {
      if (data.getLongAcquire(block * 512L) == -1) {
        kept.add(block);
      }
    }
    assertThat(kept).containsExactly(0, 3, 5);
  }

  @Test
  void formatsAndSanitizes() {
    RawNvme nvme = enabled();
    Queue queue = nvme.createQueue(1);
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    assertThat(nvme.logPage(LogPage.SANITIZE_STATUS, SanitizeStatusLog.SIZE, data)).isZero();
    assertThat(new SanitizeStatusLog(data.segment()).status())
        .isEqualTo(SanitizeStatusLog.STATUS_NEVER);

    int userData = AdminCommand.SECURE_ERASE_USER_DATA << 9;
    for (int nsid : new int[] {1, -1}) {
      writeLast(queue, data);
      assertThat(nvme.admin.run(AdminOpcode.FORMAT_NVM, nsid, 0, 0, userData, 0, 0).status())
          .isZero();
      assertThat(readLast(queue, data)).isZero();
    }
    for (int action :
        new int[] {AdminCommand.SANITIZE_BLOCK_ERASE, AdminCommand.SANITIZE_OVERWRITE}) {
      writeLast(queue, data);
      int dword10 = AdminCommand.sanitizeDword10(action);
      assertThat(nvme.admin.run(AdminOpcode.SANITIZE, 0, 0, 0, dword10, 0, 0).status()).isZero();
      assertThat(readLast(queue, data)).isZero();
      assertThat(nvme.logPage(LogPage.SANITIZE_STATUS, SanitizeStatusLog.SIZE, data)).isZero();
      SanitizeStatusLog log = new SanitizeStatusLog(data.segment());
      assertThat(log.status()).isEqualTo(SanitizeStatusLog.STATUS_SUCCESS);
      assertThat(log.commandDword10()).isEqualTo(dword10);
      assertThat(log.progress()).isEqualTo(SanitizeStatusLog.NOT_IN_PROGRESS);
    }

    writeLast(queue, data);
    assertThat(nvme.admin.run(AdminOpcode.FORMAT_NVM, 2, 0, 0, userData, 0, 0).code())
        .isEqualTo(NvmeStatus.INVALID_NAMESPACE_OR_FORMAT.status());
    assertThat(nvme.admin.run(AdminOpcode.FORMAT_NVM, 1, 0, 0, userData | 2, 0, 0).code())
        .isEqualTo(NvmeStatus.INVALID_FORMAT.status());
    int key = AdminCommand.SECURE_ERASE_CRYPTO << 9;
    assertThat(nvme.admin.run(AdminOpcode.FORMAT_NVM, 1, 0, 0, key, 0, 0).code())
        .isEqualTo(NvmeStatus.INVALID_FIELD_IN_COMMAND.status());
    for (int action : new int[] {0, AdminCommand.SANITIZE_CRYPTO_ERASE, 7}) {
      assertThat(nvme.admin.run(AdminOpcode.SANITIZE, 0, 0, 0, action, 0, 0).code())
          .isEqualTo(NvmeStatus.INVALID_FIELD_IN_COMMAND.status());
    }
    assertThat(readLast(queue, data)).as("what was refused").isEqualTo(-1);
  }

  private static void writeLast(Queue queue, DmaBuffer data) {
    data.segment().fill((byte) -1);
    assertThat(queue.io(NvmOpcode.WRITE, BLOCKS - 1, 1, data.busAddress(), 0).status()).isZero();
  }

  private static long readLast(Queue queue, DmaBuffer data) {
    assertThat(queue.io(NvmOpcode.READ, BLOCKS - 1, 1, data.busAddress(), 0).status()).isZero();
    return data.getLongAcquire(504);
  }

  @Test
  void datasetManagementChecksAllRangesFirst() {
    RawNvme nvme = enabled();
    Queue queue = nvme.createQueue(1);
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    data.segment().fill((byte) -1);
    assertThat(queue.io(NvmOpcode.WRITE, 0, 8, data.busAddress(), 0).status()).isZero();
    DmaBuffer ranges = nvme.device.dma().allocate(PAGE, PAGE);
    new DatasetManagementRange(0, 8, 0).write(ranges.segment(), 0);
    new DatasetManagementRange(0, 0xffff_ffffL, 1).write(ranges.segment(), 1);

    Done done =
        queue.run(
            NvmOpcode.DATASET_MANAGEMENT,
            1,
            ranges.busAddress(),
            0,
            NvmCommand.rangesDword10(2),
            NvmCommand.DEALLOCATE,
            0);

    assertThat(done.code()).isEqualTo(NvmeStatus.LBA_OUT_OF_RANGE.status());
    data.segment().fill((byte) 0);
    assertThat(queue.io(NvmOpcode.READ, 0, 8, data.busAddress(), 0).status()).isZero();
    assertThat(data.getLongAcquire(0)).isEqualTo(-1);
  }

  @ParameterizedTest
  @CsvSource({
    "4096, 1",
    "4095, 2",
    "-1, 1",
    "-1, 65536",
    "9223372036854775807, 1",
    "36028797018963968, 1", // times 512 it is 0
    "0, 4097"
  })
  void refusesBlocksBeyondTheEnd(long lba, int blocks) {
    RawNvme nvme = start(b -> b.maxTransfer(64 << 20));
    nvme.enable();
    Queue queue = nvme.createQueue(1);
    for (int opcode : new int[] {NvmOpcode.READ, NvmOpcode.WRITE, NvmOpcode.WRITE_ZEROES}) {
      Done done = queue.io(opcode, lba, blocks, 0x100000, 0x100000);
      assertThat(done.code()).isEqualTo(NvmeStatus.LBA_OUT_OF_RANGE.status());
      assertThat(NvmeStatus.isDoNotRetry(done.status())).isTrue();
    }
    assertThat(bus.iommu().faults()).isEmpty();
  }

  @Test
  void refusesWhatItDoesNotKnow() {
    RawNvme nvme = enabled();
    Queue queue = nvme.createQueue(1);
    int invalidField = NvmeStatus.INVALID_FIELD_IN_COMMAND.status();
    int invalidOpcode = NvmeStatus.INVALID_COMMAND_OPCODE.status();

    assertThat(queue.run(0xc5, 1, 0, 0, 0, 0, 0).code()).isEqualTo(invalidOpcode);
    assertThat(nvme.admin.run(0xc5, 1, 0, 0, 0, 0, 0).code()).isEqualTo(invalidOpcode);
    assertThat(queue.run(NvmOpcode.READ, 2, 0, 0, 0, 0, 0).code())
        .isEqualTo(NvmeStatus.INVALID_NAMESPACE_OR_FORMAT.status());
    assertThat(queue.io(NvmOpcode.READ, 0, 1025, 0x100000, 0x200000).code())
        .as("longer than MDTS")
        .isEqualTo(invalidField);
    int read = SubmissionEntry.dword0(NvmOpcode.READ, 77);
    queue.putDword0(SubmissionEntry.withPsdt(read, 2), 1, 0, 0, 0, 0, 0);
    queue.putDword0(SubmissionEntry.withFuse(read, 2), 1, 0, 0, 0, 0, 0);
    queue.ring();
    assertThat(queue.take().code()).as("metadata by SGL").isEqualTo(invalidField);
    assertThat(queue.take().code()).as("fused").isEqualTo(invalidField);
  }

  @Test
  void checksPrpEntries() {
    RawNvme nvme = enabled();
    Queue queue = nvme.createQueue(1);
    DmaBuffer data = nvme.device.dma().allocate(4L * PAGE, PAGE);
    DmaBuffer list = nvme.device.dma().allocate(PAGE, PAGE);
    list.putLong(0, data.busAddress() + PAGE + 8);
    long ok = data.busAddress();
    int invalid = NvmeStatus.PRP_OFFSET_INVALID.status();

    assertThat(queue.io(NvmOpcode.READ, 0, 1, ok + 2, 0).code()).isEqualTo(invalid);
    assertThat(queue.io(NvmOpcode.READ, 0, 16, ok, ok + PAGE + 512).code()).isEqualTo(invalid);
    assertThat(queue.io(NvmOpcode.READ, 0, 24, ok, list.busAddress() + 4).code())
        .isEqualTo(invalid);
    assertThat(queue.io(NvmOpcode.READ, 0, 24, ok, list.busAddress()).code()).isEqualTo(invalid);
    assertThat(bus.iommu().faults()).isEmpty();
  }

  @Test
  void dataThatIsNotMappedIsAnError() {
    RawNvme nvme = enabled();
    Queue queue = nvme.createQueue(1);

    assertThat(queue.io(NvmOpcode.READ, 0, 1, 0x7000_0000, 0).code())
        .isEqualTo(NvmeStatus.DATA_TRANSFER_ERROR.status());
    assertThat(queue.io(NvmOpcode.WRITE, 0, 1, -4096, 0).code())
        .isEqualTo(NvmeStatus.DATA_TRANSFER_ERROR.status());

    assertThat(bus.iommu().faults())
        .extracting(IommuFault::busAddress)
        .containsExactly(0x7000_0000L, -4096L);
  }

  /** Were it taken for a list of zeros, the data would go to address 0. */
  @Test
  void aListThatIsNotMappedIsAnError() {
    RawNvme nvme = enabled();
    Queue queue = nvme.createQueue(1);
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    try (Arena arena = Arena.ofShared();
        DmaBuffer zero =
            nvme.device.dma().mapAt(0, arena.allocate(PAGE, PAGE), DmaDirection.BIDIRECTIONAL)) {
      zero.putLong(0, 42);
      for (int opcode : new int[] {NvmOpcode.READ, NvmOpcode.WRITE}) {
        assertThat(queue.io(opcode, 0, 24, data.busAddress(), 0x7000_0000).code())
            .isEqualTo(NvmeStatus.DATA_TRANSFER_ERROR.status());
      }
      assertThat(zero.getLongAcquire(0)).isEqualTo(42);
    }
  }

  @Test
  void checksTheQueuesItIsToCreate() {
    RawNvme nvme = enabled();
    Queue queue = nvme.createQueue(1);
    long base = queue.completions.busAddress();
    int contiguous = AdminCommand.completionQueueDword11();
    int invalidId = NvmeStatus.INVALID_QUEUE_IDENTIFIER.status();
    int invalidSize = NvmeStatus.INVALID_QUEUE_SIZE.status();

    for (int id : new int[] {0, 1, 5, 0xffff}) {
      assertThat(create(nvme, true, id, 8, base, contiguous)).isEqualTo(invalidId);
      assertThat(create(nvme, false, id, 8, base, 1 << 16 | 1)).isEqualTo(invalidId);
    }
    assertThat(create(nvme, true, 2, 4097, base, contiguous)).isEqualTo(invalidSize);
    assertThat(create(nvme, true, 2, 1, base, contiguous)).isEqualTo(invalidSize);
    assertThat(create(nvme, false, 2, 65536, base, 1 << 16 | 1)).isEqualTo(invalidSize);
    assertThat(create(nvme, true, 2, 8, base + 8, contiguous))
        .isEqualTo(NvmeStatus.PRP_OFFSET_INVALID.status());
    assertThat(create(nvme, true, 2, 8, base, 0))
        .as("not contiguous")
        .isEqualTo(NvmeStatus.INVALID_FIELD_IN_COMMAND.status());
    assertThat(create(nvme, true, 2, 8, base, AdminCommand.completionQueueDword11(5)))
        .isEqualTo(NvmeStatus.INVALID_INTERRUPT_VECTOR.status());
    assertThat(create(nvme, false, 2, 8, base, 3 << 16 | 1))
        .isEqualTo(NvmeStatus.COMPLETION_QUEUE_INVALID.status());
    assertThat(create(nvme, false, 2, 8, base, 9 << 16 | 1)).isEqualTo(invalidId);
    assertThat(delete(nvme, true, 1)).isEqualTo(NvmeStatus.INVALID_QUEUE_DELETION.status());
    assertThat(delete(nvme, false, 2)).isEqualTo(invalidId);
    assertThat(delete(nvme, false, 0)).isEqualTo(invalidId);

    assertThat(delete(nvme, false, 1)).isZero();
    assertThat(delete(nvme, true, 1)).isZero();
    nvme.createQueue(1);
  }

  @Test
  void reportsWrongDoorbellsAsEvents() {
    RawNvme nvme = enabled();
    Queue queue = nvme.createQueue(1);
    int request = nvme.admin.put(AdminOpcode.ASYNCHRONOUS_EVENT_REQUEST, 0, 0, 0, 0, 0, 0);
    nvme.admin.ring();
    assertThat(nvme.admin.hasCompletion()).isFalse();

    nvme.doorbell(1, false, RawNvme.ENTRIES);

    Done event = nvme.admin.take();
    assertThat(event.id()).isEqualTo(request);
    assertThat(AsynchronousEvent.type(event.dword0())).isEqualTo(AsynchronousEvent.TYPE_ERROR);
    assertThat(AsynchronousEvent.information(event.dword0()))
        .isEqualTo(AsynchronousEvent.ERROR_INVALID_DOORBELL_VALUE);
    nvme.doorbell(3, false, 1);
    nvme.doorbell(1, true, 1); // nothing was posted
    nvme.doorbell(1, false, -1);
    assertThat(queue.io(NvmOpcode.WRITE_ZEROES, 0, 1, 0, 0).status()).as("it goes on").isZero();
    assertThat(Csts.cfs(nvme.csts())).isFalse();
  }

  /** Base 5.2: a type that was reported is masked until its log page is read. */
  @Test
  void eventsOfATypeWaitForItsLogPage() {
    RawNvme nvme = enabled();
    nvme.createQueue(1);
    nvme.doorbell(1, false, RawNvme.ENTRIES);
    nvme.doorbell(3, false, 1);
    nvme.admin.put(AdminOpcode.ASYNCHRONOUS_EVENT_REQUEST, 0, 0, 0, 0, 0, 0);
    int second = nvme.admin.put(AdminOpcode.ASYNCHRONOUS_EVENT_REQUEST, 0, 0, 0, 0, 0, 0);
    nvme.admin.ring();

    assertThat(AsynchronousEvent.information(nvme.admin.take().dword0()))
        .isEqualTo(AsynchronousEvent.ERROR_INVALID_DOORBELL_VALUE);
    assertThat(nvme.admin.hasCompletion()).as("the second one").isFalse();

    DmaBuffer page = nvme.device.dma().allocate(PAGE, PAGE);
    nvme.admin.put(
        AdminOpcode.GET_LOG_PAGE,
        -1,
        page.busAddress(),
        0,
        AdminCommand.logPageDword10(LogPage.ERROR_INFORMATION, false, 64),
        0,
        0);
    nvme.admin.ring();
    assertThat(nvme.admin.take().status()).isZero();
    Done event = nvme.admin.take();
    assertThat(event.id()).isEqualTo(second);
    assertThat(AsynchronousEvent.information(event.dword0()))
        .isEqualTo(AsynchronousEvent.ERROR_INVALID_DOORBELL_REGISTER);
  }

  @Test
  void holdsAFewEventRequestsAndAbortsThem() {
    RawNvme nvme = enabled();
    for (int i = 0; i < 4; i++) {
      nvme.admin.put(AdminOpcode.ASYNCHRONOUS_EVENT_REQUEST, 0, 0, 0, 0, 0, 0);
    }
    nvme.admin.ring();
    assertThat(nvme.admin.hasCompletion()).isFalse();

    assertThat(nvme.admin.run(AdminOpcode.ASYNCHRONOUS_EVENT_REQUEST, 0, 0, 0, 0, 0, 0).code())
        .isEqualTo(NvmeStatus.ASYNCHRONOUS_EVENT_REQUEST_LIMIT_EXCEEDED.status());

    nvme.admin.put(AdminOpcode.ABORT, 0, 0, 0, AdminCommand.abortDword10(0, 2), 0, 0);
    nvme.admin.ring();
    Done aborted = nvme.admin.take();
    assertThat(aborted.id()).isEqualTo(2);
    assertThat(aborted.code()).isEqualTo(NvmeStatus.COMMAND_ABORT_REQUESTED.status());
    assertThat(AdminCommand.wasAborted(nvme.admin.take().dword0())).isTrue();
  }

  @Test
  void waitsForRoomInTheCompletionQueue() {
    RawNvme nvme = enabled();
    Queue queue = nvme.createQueue(1);
    int room = RawNvme.ENTRIES - 1;
    for (int i = 0; i < room; i++) {
      queue.put(NvmOpcode.FLUSH, 1, 0, 0, 0, 0, 0);
    }
    queue.ring();
    for (int i = 0; i < 3; i++) {
      queue.put(NvmOpcode.FLUSH, 1, 0, 0, 0, 0, 0);
    }
    queue.ring();

    List<Integer> ids = new ArrayList<>();
    for (int i = 0; i < room; i++) {
      ids.add(queue.takeQuietly().id());
    }
    assertThat(queue.hasCompletion()).isFalse();
    nvme.doorbell(1, true, queue.head());
    for (int i = 0; i < 3; i++) {
      ids.add(queue.take().id());
    }

    assertThat(ids).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
  }

  @Test
  void setsAndGetsFeatures() {
    RawNvme nvme = enabled();
    Done set =
        nvme.feature(
            AdminOpcode.SET_FEATURES, Features.NUMBER_OF_QUEUES, Features.numberOfQueues(64, 64));
    assertThat(set.status()).isZero();
    assertThat(Features.submissionQueues(set.dword0())).isEqualTo(4);
    assertThat(Features.completionQueues(set.dword0())).isEqualTo(4);
    assertThat(
            nvme.feature(AdminOpcode.SET_FEATURES, Features.NUMBER_OF_QUEUES, 0xffff_ffff).code())
        .isEqualTo(NvmeStatus.INVALID_FIELD_IN_COMMAND.status());

    assertThat(nvme.feature(AdminOpcode.SET_FEATURES, Features.ARBITRATION, 0x1234).status())
        .isZero();
    assertThat(nvme.feature(AdminOpcode.GET_FEATURES, Features.ARBITRATION, 0).dword0())
        .isEqualTo(0x1234);
    assertThat(nvme.feature(AdminOpcode.GET_FEATURES, 0x7f, 0).code())
        .isEqualTo(NvmeStatus.INVALID_FIELD_IN_COMMAND.status());
    assertThat(nvme.feature(AdminOpcode.SET_FEATURES, 1 << 31 | Features.ARBITRATION, 0).code())
        .isEqualTo(NvmeStatus.FEATURE_IDENTIFIER_NOT_SAVEABLE.status());

    // Base 5.27.1.3: over and under temperature, of the composite one or of all sensors.
    int under = 1 << 20;
    assertThat(getTemperature(nvme, 0)).isEqualTo(343);
    assertThat(getTemperature(nvme, under)).isZero();
    int all = 0xf << 16;
    assertThat(setTemperature(nvme, all | under | 280)).isZero();
    assertThat(getTemperature(nvme, under)).isEqualTo(280);
    assertThat(getTemperature(nvme, 0)).isEqualTo(343);
    for (int nonsense : new int[] {1 << 16, 2 << 20, 3 << 20}) {
      assertThat(setTemperature(nvme, nonsense))
          .isEqualTo(NvmeStatus.INVALID_FIELD_IN_COMMAND.status());
    }
    // 5.27.1.7: by vector.
    int configuration = Features.INTERRUPT_VECTOR_CONFIGURATION;
    int coalescingDisabled = 1 << 16 | 2;
    assertThat(nvme.feature(AdminOpcode.SET_FEATURES, configuration, coalescingDisabled).status())
        .isZero();
    assertThat(nvme.feature(AdminOpcode.GET_FEATURES, configuration, 2).dword0())
        .isEqualTo(coalescingDisabled);
    assertThat(nvme.feature(AdminOpcode.GET_FEATURES, configuration, 1).dword0()).isEqualTo(1);
    assertThat(nvme.feature(AdminOpcode.GET_FEATURES, configuration, 0xffff).code())
        .isEqualTo(NvmeStatus.INVALID_FIELD_IN_COMMAND.status());

    nvme.createQueue(1);
    assertThat(nvme.feature(AdminOpcode.SET_FEATURES, Features.NUMBER_OF_QUEUES, 0).code())
        .isEqualTo(NvmeStatus.COMMAND_SEQUENCE_ERROR.status());
  }

  private static int setTemperature(RawNvme nvme, int dword11) {
    return nvme.feature(AdminOpcode.SET_FEATURES, Features.TEMPERATURE_THRESHOLD, dword11).code();
  }

  private static int getTemperature(RawNvme nvme, int dword11) {
    return nvme.feature(AdminOpcode.GET_FEATURES, Features.TEMPERATURE_THRESHOLD, dword11).dword0();
  }

  @Test
  void logsTrafficAndErrors() {
    RawNvme nvme = enabled();
    Queue queue = nvme.createQueue(1);
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    queue.io(NvmOpcode.WRITE, 0, 8, data.busAddress(), 0);
    queue.io(NvmOpcode.READ, 0, 8, data.busAddress(), 0);
    queue.io(NvmOpcode.READ, 0, 8, data.busAddress(), 0);
    queue.io(NvmOpcode.READ, BLOCKS, 1, data.busAddress(), 0);
    delete(nvme, false, 1);

    assertThat(nvme.logPage(LogPage.SMART, SmartLog.SIZE, data)).isZero();
    SmartLog smart = SmartLog.copyOf(data.segment());
    assertThat(smart.hostReadCommands()).isEqualTo(2);
    assertThat(smart.hostWriteCommands()).isEqualTo(1);
    assertThat(smart.dataUnitsRead()).isEqualTo(1);
    assertThat(smart.errorLogEntries()).isEqualTo(1);

    assertThat(nvme.logPage(LogPage.ERROR_INFORMATION, 128, data)).isZero();
    ErrorLogEntry error = ErrorLogEntry.copyOf(data.segment());
    assertThat(error.lba()).isEqualTo(BLOCKS);
    assertThat(error.submissionQueueId()).isEqualTo(1);
    assertThat(error.commandId()).isEqualTo(3);
    assertThat(error.errorCount()).isEqualTo(1);

    assertThat(nvme.logPage(LogPage.FIRMWARE_SLOT, 512, data)).isZero();
    assertThat(data.getByteAcquire(0)).isEqualTo((byte) 1);
    assertThat(nvme.logPage(0x33, 512, data)).isEqualTo(NvmeStatus.INVALID_LOG_PAGE.status());
    assertThat(nvme.logPage(LogPage.SMART, 4L << 30, data))
        .isEqualTo(NvmeStatus.INVALID_FIELD_IN_COMMAND.status());
  }

  @Test
  void interruptsByMsix() {
    RawNvme nvme = enabled();
    List<Vector> vectors = nvme.device.interrupts().enable(Kind.MSIX, 3);
    Queue queue = nvme.createQueue(1, AdminCommand.completionQueueDword11(2));
    assertThat(vectors.get(0).poll()).as("the admin queue").isTrue();
    queue.io(NvmOpcode.WRITE_ZEROES, 0, 1, 0, 0);

    assertThat(vectors.get(2).poll()).isTrue();
    assertThat(vectors.get(2).poll()).isFalse();
    assertThat(vectors.get(1).poll()).isFalse();

    vectors.get(2).mask(true);
    queue.io(NvmOpcode.WRITE_ZEROES, 0, 1, 0, 0);
    assertThat(vectors.get(2).poll()).isFalse();
    vectors.get(2).mask(false);
    assertThat(vectors.get(2).poll()).isTrue();
  }

  @Test
  void interruptsByPinUntilTheQueueIsEmpty() {
    RawNvme nvme = enabled();
    Vector vector = nvme.device.interrupts().enable(Kind.INTX, 1).getFirst();
    Queue queue = nvme.createQueue(1, AdminCommand.completionQueueDword11(0));
    vector.mask(false);
    vector.poll();
    vector.mask(false);
    assertThat(vector.poll()).as("all is consumed").isFalse();

    queue.put(NvmOpcode.FLUSH, 1, 0, 0, 0, 0, 0);
    queue.put(NvmOpcode.FLUSH, 1, 0, 0, 0, 0, 0);
    queue.ring();
    assertThat(vector.poll()).isTrue();
    queue.take();
    vector.mask(false);
    assertThat(vector.poll()).as("one is left").isTrue();
    nvme.registers.write32(NvmeRegisters.INTMS, 1);
    vector.mask(false);
    assertThat(vector.poll()).as("masked in the controller").isFalse();
    nvme.registers.write32(NvmeRegisters.INTMC, 1);
    assertThat(vector.poll()).isTrue();
    queue.take();
    vector.mask(false);
    assertThat(vector.poll()).isFalse();
  }

  @Test
  void aControllerResetForgetsQueuesAndKeepsData() {
    RawNvme nvme = enabled();
    Queue queue = nvme.createQueue(1);
    DmaBuffer data = nvme.device.dma().allocate(PAGE, PAGE);
    data.putLong(0, 42);
    queue.io(NvmOpcode.WRITE, 0, 1, data.busAddress(), 0);

    nvme.configure(0);
    assertThat(Csts.rdy(nvme.csts())).isFalse();
    assertThat(nvme.registers.read64(NvmeRegisters.ASQ))
        .isEqualTo(nvme.admin.submissions.busAddress());
    queue.put(NvmOpcode.FLUSH, 1, 0, 0, 0, 0, 0);
    queue.ring();
    assertThat(queue.hasCompletion()).isFalse();

    RawNvme again = new RawNvme(nvme.device);
    again.enable();
    data.putLong(0, 0);
    again.createQueue(1).io(NvmOpcode.READ, 0, 1, data.busAddress(), 0);
    assertThat(data.getLongAcquire(0)).isEqualTo(42);
  }

  @Test
  void notifiesOfShutdown() {
    RawNvme nvme = enabled();
    nvme.configure(Cc.withShn(RawNvme.enabledCc(), Cc.SHN_NORMAL));
    assertThat(Csts.shst(nvme.csts())).isEqualTo(Csts.SHST_COMPLETE);

    nvme.configure(0);
    assertThat(nvme.csts()).isZero();
  }

  @Test
  void refusesToBeEnabledWithNonsense() {
    RawNvme nvme = start(b -> {});
    nvme.device.busMaster(true);
    nvme.registers.write32(NvmeRegisters.AQA, 0);
    nvme.configure(RawNvme.enabledCc());
    assertThat(Csts.cfs(nvme.csts())).as("queues of one entry").isTrue();
    assertThat(Csts.rdy(nvme.csts())).isFalse();
    nvme.configure(0);
    assertThat(nvme.csts()).isZero();

    nvme.registers.write32(NvmeRegisters.AQA, Aqa.of(8, 8));
    nvme.configure(Cc.withMps(RawNvme.enabledCc(), 5));
    assertThat(Csts.cfs(nvme.csts())).as("pages that are too large").isTrue();
    nvme.configure(0);
    nvme.configure(Cc.withCss(RawNvme.enabledCc(), 7));
    assertThat(Csts.cfs(nvme.csts())).as("an unknown command set").isTrue();
  }

  @Test
  void usesTheHostsPageSize() {
    RawNvme nvme = start(b -> {});
    nvme.device.busMaster(true);
    nvme.registers.write32(NvmeRegisters.AQA, Aqa.of(RawNvme.ENTRIES, RawNvme.ENTRIES));
    DmaBuffer queues = nvme.device.dma().allocate(1 << 17, 1 << 16);
    nvme.registers.write64(NvmeRegisters.ASQ, queues.busAddress());
    nvme.registers.write64(NvmeRegisters.ACQ, queues.busAddress() + PAGE);
    nvme.configure(Cc.withMps(RawNvme.enabledCc(), 4));
    assertThat(Csts.cfs(nvme.csts())).as("ACQ is not aligned to 64 KiB").isTrue();
    nvme.configure(0);
    nvme.registers.write64(NvmeRegisters.ACQ, queues.busAddress() + (1 << 16));
    nvme.configure(Cc.withMps(RawNvme.enabledCc(), 4));
    assertThat(Csts.rdy(nvme.csts())).isTrue();
  }

  @Test
  void aQueueThatIsNotMappedIsFatalUntilReset() {
    RawNvme nvme = enabled();
    Queue queue = nvme.createQueue(1);
    queue.submissions.close();
    nvme.doorbell(1, false, 1);
    assertThat(Csts.cfs(nvme.csts())).isTrue();

    nvme.configure(0);
    assertThat(nvme.csts()).isZero();
    assertThat(bus.iommu().faults()).hasSize(1);
  }

  @Test
  void takesTimeWhenToldTo() {
    RawNvme nvme = start(b -> b.latency(Duration.ofNanos(10_000)));
    nvme.enable();
    Queue queue = nvme.createQueue(1);
    long before = bus.time().nanoTime();
    queue.put(NvmOpcode.FLUSH, 1, 0, 0, 0, 0, 0);
    queue.ring();
    while (!queue.hasCompletion()) {
      bus.time().spin();
    }
    assertThat(bus.time().nanoTime() - before).isEqualTo(10_000);

    queue.take();
    int id = queue.put(NvmOpcode.FLUSH, 1, 0, 0, 0, 0, 0);
    queue.ring();
    Done abort = nvme.admin.run(AdminOpcode.ABORT, 0, 0, 0, AdminCommand.abortDword10(1, id), 0, 0);
    assertThat(AdminCommand.wasAborted(abort.dword0())).isTrue();
    assertThat(queue.take().code()).isEqualTo(NvmeStatus.COMMAND_ABORT_REQUESTED.status());
    bus.time().sleep(Duration.ofSeconds(1));
    assertThat(queue.hasCompletion()).isFalse();
  }

  @Test
  void aCompletionThatIsRepeatedIsTheSame() {
    Faults faults = new Faults();
    RawNvme nvme = new RawNvme(bus.open(bus.plug("nvme", faults.on(new NvmeModel()))));
    nvme.enable();
    Queue queue = nvme.createQueue(1);
    faults.add(Fault.at(Point.COMMAND, new Effect.Repeat(2)).times(2));
    int id = queue.put(0x7f, 1, 0, 0, 0, 0, 0);
    queue.ring();
    for (int i = 0; i < 3; i++) {
      Done done = queue.take();
      assertThat(done.code()).isEqualTo(NvmeStatus.INVALID_COMMAND_OPCODE.status());
      assertThat(done.id()).isEqualTo(id);
    }
    assertThat(queue.hasCompletion()).isFalse();
    nvme.admin.put(AdminOpcode.GET_FEATURES, 0, 0, 0, Features.NUMBER_OF_QUEUES, 0, 0);
    nvme.admin.ring();
    assertThat(nvme.admin.take().dword0())
        .isNotZero()
        .isEqualTo(nvme.admin.take().dword0())
        .isEqualTo(nvme.admin.take().dword0());
  }

  @Test
  void onesThatAreCompletedLaterAreRepeatedThen() {
    Faults faults = new Faults();
    DeviceModel model = NvmeModel.builder().formatTime(Duration.ofMillis(1)).build();
    RawNvme nvme = new RawNvme(bus.open(bus.plug("nvme", faults.on(model))));
    nvme.enable();
    faults.add(Fault.at(Point.COMMAND, new Effect.Repeat(1)).times(2));
    nvme.requestEvent();
    int id = nvme.admin.put(AdminOpcode.FORMAT_NVM, 1, 0, 0, 0, 0, 0);
    nvme.admin.ring();
    assertThat(nvme.admin.hasCompletion()).isFalse();
    bus.time().sleep(Duration.ofMillis(1));
    assertThat(nvme.admin.take()).returns(id, Done::id).returns(0, Done::code);
    assertThat(nvme.admin.take()).returns(id, Done::id).returns(0, Done::code);
    assertThat(nvme.admin.hasCompletion()).isFalse();
  }

  /** NVMe over PCIe 3.5: the pin is a level, whatever was posted when. */
  @Test
  void thePinShowsWhatWasPostedWhileThereWereMessages() {
    RawNvme nvme = start(b -> {});
    DeviceName name = nvme.device.name();
    nvme.device.interrupts().enable(Kind.MSIX, 1);
    nvme.enable();
    nvme.admin.put(AdminOpcode.GET_FEATURES, 0, 0, 0, Features.NUMBER_OF_QUEUES, 0, 0);
    nvme.admin.ring();
    assertThat(bus.interruptLine(name).orElseThrow().isAsserted()).isFalse();
    nvme.device.interrupts().disable();
    Vector pin = nvme.device.interrupts().enable(Kind.INTX, 1).getFirst();
    assertThat(bus.interruptLine(name).orElseThrow().isAsserted()).isTrue();
    assertThat(pin.poll()).isTrue();
    nvme.admin.take();
    assertThat(bus.interruptLine(name).orElseThrow().isAsserted()).isFalse();
    pin.mask(false);
    assertThat(pin.poll()).isFalse();
  }

  @Test
  void aHostThatSubmitsWithoutEndIsHeldBack() {
    RawNvme nvme = start(b -> b.latency(Duration.ofSeconds(1)));
    nvme.enable();
    Queue queue = nvme.createQueue(1);
    for (int i = 0; i < 1000; i++) {
      queue.put(NvmOpcode.FLUSH, 1, 0, 0, 0, 0, 0);
      queue.ring();
    }
    bus.time().sleep(Duration.ofSeconds(2));
    nvme.configure(0);
    assertThat(nvme.csts()).isZero();
  }

  @Test
  void completesWithAnUnknownIdWhenToldTo() {
    RawNvme nvme = start(b -> b.fault(NvmeFault.UNKNOWN_COMMAND_ID).faultAfter(1));
    nvme.enable();
    Queue queue = nvme.createQueue(1);
    queue.run(NvmOpcode.FLUSH, 1, 0, 0, 0, 0, 0);
    int id = queue.put(NvmOpcode.FLUSH, 1, 0, 0, 0, 0, 0);
    queue.ring();
    assertThat(queue.take().id()).isNotEqualTo(id).isGreaterThan(RawNvme.ENTRIES);
  }

  @ParameterizedTest
  @ValueSource(strings = {"DROP", "DROP_ONCE", "HOLD"})
  void leavesCommandsUncompletedWhenToldTo(NvmeFault fault) {
    RawNvme nvme = start(b -> b.fault(fault));
    nvme.enable();
    Queue queue = nvme.createQueue(1);
    int id = queue.put(NvmOpcode.FLUSH, 1, 0, 0, 0, 0, 0);
    queue.ring();
    assertThat(queue.hasCompletion()).isFalse();

    Done abort = nvme.admin.run(AdminOpcode.ABORT, 0, 0, 0, AdminCommand.abortDword10(1, id), 0, 0);

    assertThat(AdminCommand.wasAborted(abort.dword0())).isEqualTo(fault == NvmeFault.HOLD);
    assertThat(queue.hasCompletion()).isEqualTo(fault == NvmeFault.HOLD);
    if (fault == NvmeFault.HOLD) {
      assertThat(queue.take().code()).isEqualTo(NvmeStatus.COMMAND_ABORT_REQUESTED.status());
    }
    queue.put(NvmOpcode.FLUSH, 1, 0, 0, 0, 0, 0);
    queue.ring();
    assertThat(queue.hasCompletion()).isEqualTo(fault == NvmeFault.DROP_ONCE);
  }

  @Test
  void failsWhenToldTo() {
    RawNvme nvme = start(b -> b.fault(NvmeFault.FATAL).faultAfter(1));
    nvme.enable();
    Queue queue = nvme.createQueue(1);
    queue.run(NvmOpcode.FLUSH, 1, 0, 0, 0, 0, 0);
    assertThat(Csts.cfs(nvme.csts())).isFalse();
    queue.put(NvmOpcode.FLUSH, 1, 0, 0, 0, 0, 0);
    queue.ring();
    assertThat(Csts.cfs(nvme.csts())).isTrue();
    assertThat(queue.hasCompletion()).isFalse();
  }

  @Test
  void isGoneOrNeverReadyWhenToldTo() {
    RawNvme gone = start(b -> b.fault(NvmeFault.ALL_ONES));
    assertThat(gone.registers.read64(NvmeRegisters.CAP)).isEqualTo(-1);
    assertThat(gone.csts()).isEqualTo(-1);
    gone.device.close();
    bus.unplug(gone.device.name());

    RawNvme never = start(b -> b.fault(NvmeFault.NEVER_READY));
    never.registers.write32(NvmeRegisters.AQA, Aqa.of(8, 8));
    never.configure(RawNvme.enabledCc());
    bus.time().sleep(Duration.ofDays(1));
    assertThat(never.csts()).isZero();
  }

  private static int create(
      RawNvme nvme, boolean completion, int id, int entries, long base, int dword11) {
    return nvme.admin
        .run(
            completion
                ? AdminOpcode.CREATE_IO_COMPLETION_QUEUE
                : AdminOpcode.CREATE_IO_SUBMISSION_QUEUE,
            0,
            base,
            0,
            (entries - 1) << 16 | id,
            dword11,
            0)
        .code();
  }

  private static int delete(RawNvme nvme, boolean completion, int id) {
    return nvme.admin
        .run(
            completion
                ? AdminOpcode.DELETE_IO_COMPLETION_QUEUE
                : AdminOpcode.DELETE_IO_SUBMISSION_QUEUE,
            0,
            0,
            0,
            AdminCommand.deleteQueueDword10(id),
            0,
            0)
        .code();
  }

  /** A transfer with as many PRP entries as it takes, in one list. */
  private static int ioList(
      Queue queue,
      int opcode,
      long lba,
      int blocks,
      int length,
      DmaBuffer data,
      int pageOffset,
      DmaBuffer list) {
    long prp1 = data.busAddress() + pageOffset;
    int first = Math.min(length, PAGE - pageOffset);
    int pages = (length - first + PAGE - 1) / PAGE;
    MemorySegment entries = list.segment();
    for (int i = 0; i < pages; i++) {
      entries.setAtIndex(ValueLayout.JAVA_LONG, i, data.busAddress() + (i + 1L) * PAGE);
    }
    long prp2 =
        switch (pages) {
          case 0 -> 0;
          case 1 -> data.busAddress() + PAGE;
          default -> list.busAddress();
        };
    return queue.io(opcode, lba, blocks, prp1, prp2).status();
  }
}
