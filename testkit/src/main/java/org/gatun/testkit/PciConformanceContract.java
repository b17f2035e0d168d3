package org.gatun.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.gatun.pci.Bar;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.pci.Vector;
import org.gatun.pci.config.BarRegister;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.specs.edu.EduRegisters;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.Aqa;
import org.gatun.specs.nvme.Cc;
import org.gatun.specs.nvme.Cns;
import org.gatun.specs.nvme.CompletionEntry;
import org.gatun.specs.nvme.Csts;
import org.gatun.specs.nvme.NvmeRegisters;
import org.gatun.specs.nvme.SubmissionEntry;
import org.junit.jupiter.api.Test;

/**
 * How PCI devices behave that others have written, and how those on the simulated bus have to: an
 * NVMe controller with MSI-X, PCI Express and function level reset, and two edu devices with an
 * interrupt pin. QEMU's q35 and the simulated bus run the same tests.
 */
public abstract class PciConformanceContract {
  private static final Duration LONG = Duration.ofSeconds(30);
  private static final Duration QUIET = Duration.ofMillis(100);
  private static final Duration INTERVAL = Duration.ofMillis(1);
  private static final int PAGE = 4096;
  private static final int ENTRIES = 8;

  /** Bits of a BAR that are not the address (PCI Local Bus Specification 3.0, 6.2.5.1). */
  private static final int BAR_FLAGS = 0xf;

  /** PCI Express: Device Capabilities, Function Level Reset (PCIe 5.0, 7.5.3.3). */
  private static final int DEVICE_CAPABILITIES = 4;

  private static final int FUNCTION_LEVEL_RESET = 1 << 28;

  /** MSI-X Message Control: the size of the table, less one (PCI 3.0, 6.8.2.3). */
  private static final int MESSAGE_CONTROL = 2;

  private static final int TABLE_SIZE = 0x7ff;

  /** For subclasses. */
  protected PciConformanceContract() {}

  /** An NVMe controller, opened. */
  protected abstract PciDevice nvme();

  /** Two edu devices, opened, whose pins are routed to one interrupt line. */
  protected abstract List<PciDevice> edus();

  /** The time of the devices. */
  protected abstract TimeSource time();

  @Test
  void aBarTellsItsSize() {
    try (PciDevice device = nvme()) {
      ConfigSpace config = device.config();
      Bar bar = device.bar(NvmeRegisters.BAR).orElseThrow();
      int low = config.read32(ConfigRegisters.BAR0);
      int high = config.read32(ConfigRegisters.BAR0 + 4);
      config.write32(ConfigRegisters.BAR0, -1);
      config.write32(ConfigRegisters.BAR0 + 4, -1);
      long mask =
          Integer.toUnsignedLong(config.read32(ConfigRegisters.BAR0) & ~BAR_FLAGS)
              | (long) config.read32(ConfigRegisters.BAR0 + 4) << Integer.SIZE;
      config.write32(ConfigRegisters.BAR0, low);
      config.write32(ConfigRegisters.BAR0 + 4, high);

      assertThat(-mask).as("size by the mask 0x%x", mask).isEqualTo(bar.size());
      assertThat(config.read32(ConfigRegisters.BAR0)).as("address and flags").isEqualTo(low);
      assertThat(low & BAR_FLAGS).as("64 bits, not prefetchable").isEqualTo(4);
      assertThat(config.read32(ConfigRegisters.BAR0 + 8)).as("there is no BAR 2").isZero();
      assertThat(BarRegister.size(config))
          .filteredOn(b -> b.index() == NvmeRegisters.BAR)
          .singleElement()
          .satisfies(b -> assertThat(b.size()).isEqualTo(bar.size()));
    }
  }

  @Test
  void capabilitiesAreInOneSoundList() {
    try (PciDevice device = nvme()) {
      Capabilities found = Capabilities.walk(device.config());
      assertThat(found.faults()).isEmpty();
      assertThat(found.list())
          .filteredOn(c -> !c.extended())
          .extracting(Capability::id)
          .contains(Capability.MSIX, Capability.PCI_EXPRESS)
          .doesNotHaveDuplicates();
      int express = found.find(Capability.PCI_EXPRESS).orElseThrow().offset();
      assertThat(device.config().read32(express + DEVICE_CAPABILITIES) & FUNCTION_LEVEL_RESET)
          .isNotZero();
      int msix = found.find(Capability.MSIX).orElseThrow().offset();
      assertThat((device.config().read16(msix + MESSAGE_CONTROL) & TABLE_SIZE) + 1)
          .isEqualTo(device.interrupts().count(Kind.MSIX))
          .isGreaterThan(1);
      int id = device.config().read32(msix);
      device.config().write16(msix, -1);
      assertThat(device.config().read32(msix)).as("id and next are read-only").isEqualTo(id);
    }
  }

  @Test
  void aMessageThatIsMaskedComesWhenItIsUnmasked() {
    try (PciDevice device = nvme();
        Queues queues = new Queues(device, time())) {
      Vector vector = device.interrupts().enable(Kind.MSIX, 2).getFirst();
      queues.start();
      queues.identify();
      assertThat(vector.await(LONG)).as("unmasked").isTrue();
      vector.mask(true);
      queues.identify();
      assertThat(vector.await(QUIET)).as("masked").isFalse();
      vector.mask(false);
      assertThat(vector.await(LONG)).as("unmasked again").isTrue();
      assertThat(vector.await(QUIET)).as("once").isFalse();
    }
  }

  @Test
  void eachOfTwoDevicesHearsItsOwnPin() {
    List<PciDevice> devices = edus();
    try (PciDevice one = devices.getFirst();
        PciDevice other = devices.getLast();
        Mmio ofOne = registers(one);
        Mmio ofOther = registers(other)) {
      Vector pinOfOne = one.interrupts().enable(Kind.INTX, 1).getFirst();
      Vector pinOfOther = other.interrupts().enable(Kind.INTX, 1).getFirst();
      ofOne.write32(EduRegisters.INTERRUPT_RAISE, 1);
      assertThat(pinOfOne.await(LONG)).isTrue();
      assertThat(pinOfOther.await(QUIET)).as("the other one's").isFalse();
      ofOther.write32(EduRegisters.INTERRUPT_RAISE, 2);
      assertThat(pinOfOther.await(LONG)).as("while the first one's is asserted").isTrue();

      pinOfOne.mask(false);
      assertThat(pinOfOne.await(LONG)).as("a level, which is still there").isTrue();
      ofOne.write32(EduRegisters.INTERRUPT_ACKNOWLEDGE, 1);
      pinOfOne.mask(false);
      assertThat(pinOfOne.await(QUIET)).as("which is not there any more").isFalse();
      ofOther.write32(EduRegisters.INTERRUPT_ACKNOWLEDGE, 2);
      pinOfOther.mask(false);
      assertThat(pinOfOther.await(QUIET)).isFalse();
    }
  }

  private static Mmio registers(PciDevice edu) {
    return edu.bar(EduRegisters.BAR).orElseThrow().map(0, PAGE);
  }

  @Test
  void aFunctionLevelResetPutsRegistersBack() {
    try (PciDevice device = nvme();
        Queues queues = new Queues(device, time())) {
      long capabilities = queues.registers.read64(NvmeRegisters.CAP);
      int low = device.config().read32(ConfigRegisters.BAR0);
      queues.start();
      device.interrupts().enable(Kind.MSIX, 1);
      device.reset();

      assertThat(queues.registers.read32(NvmeRegisters.CC)).isZero();
      assertThat(queues.registers.read32(NvmeRegisters.CSTS)).isZero();
      assertThat(queues.registers.read64(NvmeRegisters.CAP)).isEqualTo(capabilities);
      assertThat(device.config().read32(ConfigRegisters.BAR0)).isEqualTo(low);
      assertThat(
              device.config().read16(ConfigRegisters.COMMAND) & ConfigRegisters.COMMAND_BUS_MASTER)
          .isZero();
      queues.start();
      queues.identify();
    }
  }

  /** The admin queues of a controller, by hand (NVM Express Base 2.0, 3.5.1). */
  private static final class Queues implements AutoCloseable {
    private final PciDevice device;
    private final TimeSource time;
    private final Mmio registers;
    private final DmaBuffer memory;
    private int tail;

    Queues(PciDevice device, TimeSource time) {
      this.device = device;
      this.time = time;
      registers = device.bar(NvmeRegisters.BAR).orElseThrow().map(0, 2 * PAGE);
      memory = device.dma().allocate(3 * PAGE, PAGE);
    }

    void start() {
      memory.segment().fill((byte) 0);
      tail = 0;
      device.busMaster(true);
      registers.write32(NvmeRegisters.AQA, Aqa.of(ENTRIES, ENTRIES));
      registers.write64(NvmeRegisters.ASQ, memory.busAddress());
      registers.write64(NvmeRegisters.ACQ, memory.busAddress() + PAGE);
      int cc = Cc.withIosqes(Cc.withEn(0, true), SubmissionEntry.SIZE_LOG2);
      registers.write32(NvmeRegisters.CC, Cc.withIocqes(cc, CompletionEntry.SIZE_LOG2));
      await("ready", () -> Csts.rdy(registers.read32(NvmeRegisters.CSTS)));
    }

    /** Identifies the controller, and waits for the completion, but not for its interrupt. */
    void identify() {
      long at = (long) tail * SubmissionEntry.SIZE;
      memory.putIntRelease(
          at + SubmissionEntry.DWORD0, SubmissionEntry.dword0(AdminOpcode.IDENTIFY, tail));
      memory.putLongRelease(at + SubmissionEntry.PRP1, memory.busAddress() + 2 * PAGE);
      memory.putIntRelease(
          at + SubmissionEntry.DWORD10, AdminCommand.identifyDword10(Cns.CONTROLLER));
      long completion = PAGE + (long) tail * CompletionEntry.SIZE;
      tail++;
      registers.write32(NvmeRegisters.DOORBELLS, tail);
      await(
          "completed",
          () -> CompletionEntry.phase(memory.getIntAcquire(completion + CompletionEntry.DWORD3)));
      assertThat(CompletionEntry.status(memory.getIntAcquire(completion + CompletionEntry.DWORD3)))
          .isZero();
      registers.write32(NvmeRegisters.DOORBELLS + Integer.BYTES, tail);
    }

    private void await(String what, BooleanSupplier condition) {
      assertThat(time.await(condition, LONG, INTERVAL)).as(what).isTrue();
    }

    @Override
    public void close() {
      device.reset();
      memory.close();
      registers.close();
    }
  }
}
