package org.gatun.driver.nvme;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DeviceTimeoutException;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.TimeSource;
import org.gatun.pci.config.PciClass;
import org.gatun.specs.nvme.Aqa;
import org.gatun.specs.nvme.Cap;
import org.gatun.specs.nvme.Cc;
import org.gatun.specs.nvme.CompletionEntry;
import org.gatun.specs.nvme.Crto;
import org.gatun.specs.nvme.Csts;
import org.gatun.specs.nvme.NvmeRegisters;
import org.gatun.specs.nvme.SubmissionEntry;

/** The controller's registers (Base 3.1.3), and the waits that go with them (Base 3.5, 3.6). */
final class Registers implements AutoCloseable {
  /** The least that CSTS.RDY is given to follow CC.EN: the unit of CAP.TO. */
  private static final Duration LEAST_TIMEOUT = Duration.ofMillis(500);

  /** CAP.TO goes to two minutes, CRTO to nine hours: nobody who opens a disk waits that long. */
  private static final Duration MOST_TIMEOUT = Duration.ofMinutes(5);

  private final DeviceName name;
  private final Bar bar;
  private final Mmio mmio;
  private final TimeSource time;
  private final long cap;

  private Registers(DeviceName name, Bar bar, Mmio mmio, TimeSource time) {
    this.name = name;
    this.bar = bar;
    this.mmio = mmio;
    this.time = time;
    this.cap = read64(mmio, NvmeRegisters.CAP);
  }

  /**
   * Maps the registers, and looks whether they are those of a controller that this driver can
   * drive.
   */
  static Registers map(PciDevice device, TimeSource time) {
    DeviceName name = device.name();
    PciClass pciClass = device.pciClass();
    if (pciClass.code() == 0xffffff) {
      throw allOnes(name, "config space");
    }
    if (pciClass.code() != NvmeRegisters.CLASS_CODE) {
      throw new DeviceProtocolException(
          name,
          "is no NVMe controller: its PCI class is %s, not %06x"
              .formatted(pciClass, NvmeRegisters.CLASS_CODE),
          "name another device",
          null);
    }
    Optional<Bar> bar = device.bar(NvmeRegisters.BAR);
    if (bar.isEmpty() || bar.get().kind() != Bar.Kind.MEMORY) {
      throw new DeviceProtocolException(
          name, "BAR 0 is no memory, where an NVMe controller has its registers", null, null);
    }
    if (bar.get().size() < NvmeRegisters.sizeWithDoorbells(1, 0)) {
      throw new DeviceProtocolException(
          name,
          "BAR 0 has %d bytes, and an NVMe controller's registers need at least %d"
              .formatted(bar.get().size(), NvmeRegisters.sizeWithDoorbells(1, 0)),
          null,
          null);
    }
    Mmio mmio = bar.get().map(0, NvmeRegisters.DOORBELLS);
    try {
      Registers registers = new Registers(name, bar.get(), mmio, time);
      registers.checkCapabilities();
      return registers;
    } catch (RuntimeException e) {
      mmio.close();
      throw e;
    }
  }

  private void checkCapabilities() {
    if (cap == -1) {
      throw allOnes(name, "CAP");
    }
    if ((Cap.css(cap) & Cap.CSS_NVM) == 0) {
      throw new PciException(
          name,
          "the controller lacks the NVM Command Set (CAP.CSS %#x)".formatted(Cap.css(cap)),
          null,
          null);
    }
    if (Cap.minPageSize(cap) > PrpLists.PAGE_SIZE) {
      throw new PciException(
          name,
          "the controller needs memory pages of at least %d bytes (CAP.MPSMIN), and this driver has %d"
              .formatted(Cap.minPageSize(cap), PrpLists.PAGE_SIZE),
          null,
          null);
    }
    if (Cap.mqes(cap) == 0) {
      throw new DeviceProtocolException(
          name, "CAP.MQES is 0: queues of one entry, which can't hold any", null, null);
    }
  }

  /** The most entries of an I/O queue: 2 to 65536. */
  int maxQueueEntries() {
    return Cap.maxQueueEntries(cap);
  }

  /** VS, for {@link org.gatun.specs.nvme.Version}. */
  int version() {
    return mmio.read32(NvmeRegisters.VS);
  }

  /** Whether a namespace may be of another I/O Command Set than NVM (CAP.CSS). */
  boolean hasCommandSets() {
    return (Cap.css(cap) & Cap.CSS_IO_COMMAND_SETS) != 0;
  }

  private int doorbellStride() {
    return Cap.dstrd(cap);
  }

  /** The page size in which MDTS counts. */
  int minPageSize() {
    return Cap.minPageSize(cap);
  }

  /** Interrupt Mask Set, for pins and MSI only (Base 3.1.3.3). */
  void maskInterrupt(int vector) {
    mmio.write32(NvmeRegisters.INTMS, 1 << vector);
  }

  /** Interrupt Mask Clear, for pins and MSI only (Base 3.1.3.4). */
  void unmaskInterrupt(int vector) {
    mmio.write32(NvmeRegisters.INTMC, 1 << vector);
  }

  /**
   * How many I/O queues have room for their doorbells in BAR 0, of as many as asked for. What
   * follows the doorbells may be reached in another way: the MSI-X table of many controllers does.
   */
  int queuesWithDoorbells(int wanted) {
    long end = NvmeRegisters.DOORBELLS;
    Bar.Access access = null;
    List<Bar.Range> ranges = bar.ranges();
    for (Bar.Range range : ranges) {
      if (range.contains(NvmeRegisters.DOORBELLS, 1)) {
        access = range.access();
      }
      if (access != null) {
        if (range.access() != access) {
          break;
        }
        end = range.offset() + range.length();
      }
    }
    int queues = wanted;
    while (queues > 0 && NvmeRegisters.sizeWithDoorbells(queues, doorbellStride()) > end) {
      queues--;
    }
    if (queues == 0) {
      throw new DeviceProtocolException(
          name,
          "BAR 0 has no room for the doorbells of an I/O queue: they end at offset %#x, and need %#x"
              .formatted(end, NvmeRegisters.sizeWithDoorbells(1, doorbellStride())),
          null,
          null);
    }
    return queues;
  }

  /** Maps the doorbells of the admin queue and that many I/O queues: a mapping from 1000h on. */
  Doorbells mapDoorbells(int queues) {
    int stride = doorbellStride();
    Mmio doorbells =
        bar.map(
            NvmeRegisters.DOORBELLS,
            NvmeRegisters.sizeWithDoorbells(queues, stride) - NvmeRegisters.DOORBELLS);
    return new Doorbells(doorbells, stride, queues);
  }

  /**
   * Disables the controller, and waits until it is: then it has stopped all DMA and forgotten its
   * queues (Base 3.7.2, Controller Reset).
   */
  void disable() {
    int cc = mmio.read32(NvmeRegisters.CC);
    // One that was left enabled and is not ready yet is disabled too: it may never become ready.
    if (Cc.en(cc)) {
      mmio.write32(NvmeRegisters.CC, Cc.withShn(Cc.withEn(cc, false), Cc.SHN_NONE));
    }
    Duration limit = readyTimeout();
    if (!Patience.await(time, limit, () -> !Csts.rdy(status()))) {
      throw readyTimeout("CC.EN was cleared, and CSTS.RDY did not follow", limit);
    }
  }

  /** Tells the controller, which must be disabled, where its admin queues are, and enables it. */
  void enable(int entries, long submissionQueue, long completionQueue) {
    mmio.write32(NvmeRegisters.AQA, Aqa.of(entries, entries));
    write64(NvmeRegisters.ASQ, submissionQueue);
    write64(NvmeRegisters.ACQ, completionQueue);
    int cc = Cc.withCss(0, Cc.CSS_NVM);
    cc = Cc.withMps(cc, Integer.numberOfTrailingZeros(PrpLists.PAGE_SIZE) - 12);
    cc = Cc.withIosqes(cc, SubmissionEntry.SIZE_LOG2);
    cc = Cc.withIocqes(cc, CompletionEntry.SIZE_LOG2);
    mmio.write32(NvmeRegisters.CC, Cc.withEn(cc, true));
    Duration limit = readyTimeout();
    if (!Patience.await(time, limit, () -> Csts.rdy(soundStatus("enabling the controller")))) {
      throw readyTimeout("the controller never became ready", limit);
    }
  }

  /** Notifies the controller of a normal shutdown, and waits until it is complete (Base 3.6.1). */
  void shutDown(Duration limit) {
    int cc = mmio.read32(NvmeRegisters.CC);
    mmio.write32(NvmeRegisters.CC, Cc.withShn(cc, Cc.SHN_NORMAL));
    if (!Patience.await(
        time,
        limit,
        () -> Csts.shst(soundStatus("shutting the controller down")) == Csts.SHST_COMPLETE)) {
      throw new DeviceTimeoutException(
          name,
          "shutdown was not complete after %d ms (CSTS %#x)".formatted(limit.toMillis(), status()),
          "data in the controller's cache may be lost",
          null);
    }
  }

  /**
   * CSTS.
   *
   * @throws DeviceGoneException if it reads all ones
   */
  int status() {
    int csts = mmio.read32(NvmeRegisters.CSTS);
    if (Csts.isGone(csts)) {
      throw new DeviceGoneException(name, "reading CSTS, which answers all ones", null);
    }
    return csts;
  }

  /**
   * CSTS of a controller that has to do something.
   *
   * @throws NvmeFatalStatusException if it will not, because of a fatal error (CSTS.CFS)
   * @throws DeviceGoneException if it reads all ones
   */
  int soundStatus(String during) {
    int csts = status();
    if (Csts.cfs(csts)) {
      throw new NvmeFatalStatusException(name, during, csts);
    }
    return csts;
  }

  @Override
  public void close() {
    mmio.close();
  }

  /** CAP.TO; and CRTO, which may say more, where there is one (Base 3.1.3, CRTO); within limits. */
  private Duration readyTimeout() {
    int millis = Cap.timeoutMillis(cap);
    if ((Cap.crms(cap) & 1) != 0) {
      millis = Math.max(millis, Crto.withMediaMillis(mmio.read32(NvmeRegisters.CRTO)));
    }
    Duration timeout = Duration.ofMillis(millis);
    if (timeout.compareTo(MOST_TIMEOUT) > 0) {
      return MOST_TIMEOUT;
    }
    return timeout.compareTo(LEAST_TIMEOUT) < 0 ? LEAST_TIMEOUT : timeout;
  }

  private DeviceTimeoutException readyTimeout(String problem, Duration limit) {
    return new DeviceTimeoutException(
        name,
        "%s within %d ms (CAP.TO is %d, in 500 ms; CSTS is %#x)"
            .formatted(problem, limit.toMillis(), Cap.to(cap), mmio.read32(NvmeRegisters.CSTS)),
        "reset the device",
        null);
  }

  private static DeviceProtocolException allOnes(DeviceName name, String what) {
    return new DeviceProtocolException(
        name,
        what + " answers all ones: there is no device, or its memory is not decoded",
        "look whether it is still plugged in, and reset it",
        null);
  }

  /** As two accesses, low first, which each controller takes (Base 3.1.3). */
  private static long read64(Mmio mmio, long offset) {
    long low = Integer.toUnsignedLong(mmio.read32(offset));
    return (long) mmio.read32(offset + 4) << 32 | low;
  }

  private void write64(long offset, long value) {
    mmio.write32(offset, (int) value);
    mmio.write32(offset + 4, (int) (value >>> 32));
  }
}
