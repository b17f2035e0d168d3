package org.gatun.benchmarks.nvme;

import static java.util.stream.Collectors.toSet;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.gatun.pci.Bar;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.Aqa;
import org.gatun.specs.nvme.Cap;
import org.gatun.specs.nvme.Cc;
import org.gatun.specs.nvme.CompletionEntry;
import org.gatun.specs.nvme.Csts;
import org.gatun.specs.nvme.Features;
import org.gatun.specs.nvme.NvmeRegisters;
import org.gatun.specs.nvme.SubmissionEntry;

/**
 * A controller that is brought up without the driver (Base 3.5.1), with I/O queues for code outside
 * of Java: it has their memory, and the doorbells, at addresses of this process. It is trusted, and
 * waited for without end.
 */
final class RawController implements AutoCloseable {
  private static final int PAGE = 4096;
  private static final int ADMIN_ENTRIES = 16;
  private static final int LOG2_PAGE = 12;
  private static final int LEAST_BATCH = 32;

  private final PciDevice device;
  private final int completionEntries;
  private final Mmio registers;
  private final Mmio doorbells;
  private final MemorySegment mappedDoorbells;
  private final DmaBuffer admin;
  private final List<DmaBuffer> submissions = new ArrayList<>();
  private final List<DmaBuffer> completions = new ArrayList<>();
  private int adminCommands;

  /**
   * @param queues I/O queue pairs
   * @param depth commands in flight on each: one fewer than entries
   */
  RawController(PciDevice device, int queues, int depth) {
    this.device = device;
    int entries = depth + 1;
    Bar bar = device.bar(NvmeRegisters.BAR).orElseThrow();
    registers = bar.map(0, NvmeRegisters.DOORBELLS);
    // As many more as the driver has, so that completions can be acknowledged in batches, too.
    completionEntries =
        Math.min(
            entries + Math.max(entries, LEAST_BATCH),
            Cap.maxQueueEntries(registers.read64(NvmeRegisters.CAP)));
    Set<String> before = mappedMemfds();
    doorbells = bar.map(NvmeRegisters.DOORBELLS, PAGE);
    mappedDoorbells = added(before, mappedMemfds());
    admin = device.dma().allocate(2 * PAGE, PAGE);
    disable();
    enable();
    int wanted = Features.numberOfQueues(queues, queues);
    execute(
        AdminOpcode.SET_FEATURES, 0, Features.setDword10(Features.NUMBER_OF_QUEUES, false), wanted);
    for (int id = 1; id <= queues; id++) {
      createQueues(id, entries);
    }
  }

  private void createQueues(int id, int entries) {
    DmaBuffer submission = zeros(entries * SubmissionEntry.SIZE);
    DmaBuffer completion = zeros(completionEntries * CompletionEntry.SIZE);
    submissions.add(submission);
    completions.add(completion);
    execute(
        AdminOpcode.CREATE_IO_COMPLETION_QUEUE,
        completion.busAddress(),
        AdminCommand.createQueueDword10(id, completionEntries),
        AdminCommand.completionQueueDword11());
    execute(
        AdminOpcode.CREATE_IO_SUBMISSION_QUEUE,
        submission.busAddress(),
        AdminCommand.createQueueDword10(id, entries),
        AdminCommand.submissionQueueDword11(id, AdminCommand.PRIORITY_URGENT));
  }

  private DmaBuffer zeros(int size) {
    DmaBuffer buffer = device.dma().allocate(size, PAGE);
    buffer.segment().fill((byte) 0);
    return buffer;
  }

  /** Of each I/O completion queue. */
  int completionEntries() {
    return completionEntries;
  }

  /** The memory of an I/O submission queue, from 0. */
  MemorySegment submissions(int queue) {
    return submissions.get(queue).segment();
  }

  /** The memory of an I/O completion queue, from 0. */
  MemorySegment completions(int queue) {
    return completions.get(queue).segment();
  }

  /** Of an I/O submission queue, from 0. */
  MemorySegment tailDoorbell(int queue) {
    return doorbell(NvmeRegisters.submissionTailDoorbell(queue + 1, 0));
  }

  /** Of an I/O completion queue, from 0. */
  MemorySegment headDoorbell(int queue) {
    return doorbell(NvmeRegisters.completionHeadDoorbell(queue + 1, 0));
  }

  private MemorySegment doorbell(long register) {
    return mappedDoorbells.asSlice(register - NvmeRegisters.DOORBELLS, Integer.BYTES);
  }

  private void disable() {
    int cc = registers.read32(NvmeRegisters.CC);
    registers.write32(NvmeRegisters.CC, Cc.withShn(Cc.withEn(cc, false), Cc.SHN_NONE));
    while (Csts.rdy(registers.read32(NvmeRegisters.CSTS))) {
      Thread.onSpinWait();
    }
  }

  private void enable() {
    admin.segment().fill((byte) 0);
    device.busMaster(true);
    registers.write32(NvmeRegisters.AQA, Aqa.of(ADMIN_ENTRIES, ADMIN_ENTRIES));
    registers.write64(NvmeRegisters.ASQ, admin.busAddress());
    registers.write64(NvmeRegisters.ACQ, admin.busAddress() + PAGE);
    int cc = Cc.withCss(0, Cc.CSS_NVM);
    cc = Cc.withMps(cc, Integer.numberOfTrailingZeros(PAGE) - LOG2_PAGE);
    cc = Cc.withIosqes(cc, SubmissionEntry.SIZE_LOG2);
    cc = Cc.withIocqes(cc, CompletionEntry.SIZE_LOG2);
    registers.write32(NvmeRegisters.CC, Cc.withEn(cc, true));
    while (!Csts.rdy(registers.read32(NvmeRegisters.CSTS))) {
      Thread.onSpinWait();
    }
  }

  private void execute(int opcode, long prp1, int dword10, int dword11) {
    int index = adminCommands % ADMIN_ENTRIES;
    boolean phase = adminCommands / ADMIN_ENTRIES % 2 == 0;
    adminCommands++;
    long entry = (long) index * SubmissionEntry.SIZE;
    admin.putInt(entry + SubmissionEntry.DWORD0, SubmissionEntry.dword0(opcode, index));
    admin.putLong(entry + SubmissionEntry.PRP1, prp1);
    admin.putInt(entry + SubmissionEntry.DWORD10, dword10);
    admin.putInt(entry + SubmissionEntry.DWORD11, dword11);
    int next = adminCommands % ADMIN_ENTRIES;
    ring(NvmeRegisters.submissionTailDoorbell(0, 0), next);
    long completion = PAGE + (long) index * CompletionEntry.SIZE + CompletionEntry.DWORD3;
    int dword3 = admin.getIntAcquire(completion);
    while (CompletionEntry.phase(dword3) != phase) {
      Thread.onSpinWait();
      dword3 = admin.getIntAcquire(completion);
    }
    ring(NvmeRegisters.completionHeadDoorbell(0, 0), next);
    if (CompletionEntry.status(dword3) != 0) {
      throw new IllegalStateException(
          "%s ended with status %#x"
              .formatted(AdminOpcode.name(opcode), CompletionEntry.status(dword3)));
    }
  }

  private void ring(long register, int value) {
    doorbells.write32(register - NvmeRegisters.DOORBELLS, value);
  }

  /**
   * Where shared mappings of memfds are in this process (proc_pid_maps(5)): an {@link Mmio} does
   * not tell its address.
   */
  private static Set<String> mappedMemfds() {
    try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
      return maps.filter(map -> map.contains("rw-s") && map.contains("/memfd:"))
          .map(map -> map.substring(0, map.indexOf('-')))
          .collect(toSet());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @SuppressWarnings("restricted")
  private static MemorySegment added(Set<String> before, Set<String> after) {
    List<String> added = after.stream().filter(start -> !before.contains(start)).toList();
    if (added.size() != 1) {
      throw new IllegalStateException("the doorbells are not in one memfd that is mapped here");
    }
    return MemorySegment.ofAddress(Long.parseUnsignedLong(added.getFirst(), 16)).reinterpret(PAGE);
  }

  @Override
  public void close() {
    disable();
    device.busMaster(false);
    submissions.forEach(DmaBuffer::close);
    completions.forEach(DmaBuffer::close);
    admin.close();
    doorbells.close();
    registers.close();
  }
}
