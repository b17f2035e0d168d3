package org.gatun.simulated;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.gatun.pci.Bar;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.simulated.CapabilityDescription.Register;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.FunctionDescription.InterruptDescription;
import org.gatun.simulated.FunctionDescription.Msix;
import org.gatun.simulated.FunctionDescription.Trait;

/**
 * A function with all that a broker's policy governs, for tests of that policy: each capability of
 * {@link StandardCapabilities} and one that nobody knows, a self test, an expansion ROM,
 * undocumented registers wherever there is room. What the specifications let a host write can be
 * written; {@link SimulatedBus#hardware} shows what was.
 *
 * <p>Its BARs, with offsets in bytes:
 *
 * <table>
 * <caption>BARs</caption>
 * <tr><th>BAR</th><th>What is there</th></tr>
 * <tr><td>0</td><td>memory, 64 KiB: {@linkplain #DMA_ADDRESS registers} at 0, trapped; memory at
 *     {@link #DIRECT}, direct; MSI-X table and pending bits at {@link #MSIX_TABLE}, one trapped page
 *     in the middle; memory from there to the end, direct</td></tr>
 * <tr><td>1</td><td>memory, 256 bytes, direct: less than a page</td></tr>
 * <tr><td>2, 3</td><td>memory, 64 bits, prefetchable, 64 KiB, direct: what DMA moves from and
 *     to</td></tr>
 * <tr><td>4</td><td>32 I/O ports, which keep what is written</td></tr>
 * </table>
 *
 * <p>Registers of BAR 0 are 32 bits wide, {@link #DMA_ADDRESS} 64 in one or two accesses. Those
 * below 0x100 that have no name here keep what is written; the rest reads as zero.
 *
 * @param accessControl whether it has Access Control Services: without, it is in one IOMMU group
 *     with the other functions in its slot that have none
 */
public record SpecimenModel(boolean accessControl) implements DeviceModel {
  public static final PciId ID = new PciId(0x1234, 0x5bec, 0x1234, 0x0001);

  /** The BAR with the registers and the MSI-X table. */
  public static final int REGISTERS = 0;

  /** The BAR that is less than a page. */
  public static final int SMALL = 1;

  /** The BAR that DMA moves from and to, from its start. */
  public static final int MEMORY = 2;

  /** The BAR of I/O ports. */
  public static final int PORTS = 4;

  /** The bus address of a transfer, 64 bits. */
  public static final int DMA_ADDRESS = 0x00;

  /** The length of a transfer in bytes; more than {@link #MEMORY_SIZE} moves nothing. */
  public static final int DMA_LENGTH = 0x08;

  /**
   * Starts a transfer: {@link #DMA_READ} or {@link #DMA_WRITE}, done when the write returns; with
   * {@link #DMA_REPEAT} again each microsecond of the bus's time, until 0 is written or until a
   * reset.
   */
  public static final int DMA_COMMAND = 0x0c;

  /** From the host's memory into {@link #MEMORY}. */
  public static final int DMA_READ = 1;

  /** From {@link #MEMORY} into the host's memory. */
  public static final int DMA_WRITE = 2;

  public static final int DMA_REPEAT = 4;

  /** How many transfers were done and how many refused: 16 bits each, done in the low ones. */
  public static final int DMA_STATUS = 0x10;

  /** A write of n sends MSI or MSI-X vector n, or, with neither enabled, asserts the pin. */
  public static final int INTERRUPT = 0x14;

  /** Any write releases the pin. */
  public static final int INTERRUPT_RELEASE = 0x18;

  /** In BAR 0. */
  public static final long DIRECT = 0x1000;

  /** In BAR 0, {@link #VECTORS} entries. */
  public static final long MSIX_TABLE = 0x8000;

  /** In BAR 0. */
  public static final long MSIX_PENDING = 0x8800;

  /** Of MSI, with masks, and of MSI-X. */
  public static final int VECTORS = 8;

  /** The size of BAR 2. */
  public static final int MEMORY_SIZE = 0x10000;

  /** Vital product data: 64 bytes, each its own offset. */
  public static final int VITAL_DATA_SIZE = 64;

  /** The extended capability that nobody knows. */
  public static final int UNKNOWN_CAPABILITY = 0x0fee;

  static final int REGISTERS_END = 0x100;
  static final int PORTS_SIZE = 0x20;

  private static final int PAGE = 0x1000;
  private static final int REGISTERS_SIZE = 0x10000;
  private static final int SMALL_SIZE = 0x100;
  private static final int ROM_SIZE = 0x10000;

  /** "Other system peripheral". */
  private static final int CLASS = 0x088000;

  private static final Register UNKNOWN = new Register(4, 4, 0, -1, 0);

  /** One with Access Control Services. */
  public SpecimenModel() {
    this(true);
  }

  /** One that the IOMMU can't tell from other functions in its slot. */
  public static SpecimenModel withoutAcs() {
    return new SpecimenModel(false);
  }

  @Override
  public FunctionDescription description() {
    return new FunctionDescription(
        ID,
        new PciClass(CLASS),
        1,
        bars(),
        ROM_SIZE,
        new InterruptDescription(
            1, VECTORS, true, Optional.of(new Msix(VECTORS, REGISTERS, MSIX_TABLE, MSIX_PENDING))),
        capabilities().stream().filter(c -> accessControl || !c.isolates()).toList(),
        Set.of(Trait.SELF_TEST, Trait.UNDOCUMENTED_REGISTERS));
  }

  @Override
  public RunningModel start(ModelContext context) {
    return new Specimen(context);
  }

  private static List<BarDescription> bars() {
    return List.of(
        new BarDescription(
            REGISTERS,
            REGISTERS_SIZE,
            false,
            false,
            List.of(
                new Bar.Range(0, DIRECT, Bar.Access.TRAPPED),
                new Bar.Range(DIRECT, MSIX_TABLE - DIRECT, Bar.Access.DIRECT),
                new Bar.Range(MSIX_TABLE, PAGE, Bar.Access.TRAPPED),
                new Bar.Range(
                    MSIX_TABLE + PAGE, REGISTERS_SIZE - MSIX_TABLE - PAGE, Bar.Access.DIRECT))),
        new BarDescription(
            SMALL,
            SMALL_SIZE,
            false,
            false,
            List.of(new Bar.Range(0, SMALL_SIZE, Bar.Access.DIRECT))),
        new BarDescription(
            MEMORY,
            MEMORY_SIZE,
            true,
            true,
            List.of(new Bar.Range(0, MEMORY_SIZE, Bar.Access.DIRECT))),
        BarDescription.ports(PORTS, PORTS_SIZE));
  }

  private static List<CapabilityDescription> capabilities() {
    byte[] vitalData = new byte[VITAL_DATA_SIZE];
    for (int i = 0; i < vitalData.length; i++) {
      vitalData[i] = (byte) i;
    }
    return List.of(
        StandardCapabilities.powerManagement(true),
        StandardCapabilities.vitalProductData(vitalData),
        StandardCapabilities.expressEndpoint(true),
        StandardCapabilities.advancedFeatures(),
        StandardCapabilities.vendorSpecific(0x10),
        StandardCapabilities.errorReporting(),
        StandardCapabilities.serialNumber(0x0123_4567_89ab_cdefL),
        StandardCapabilities.accessControl(),
        StandardCapabilities.virtualFunctions(),
        StandardCapabilities.addressTranslation(),
        StandardCapabilities.pageRequest(),
        StandardCapabilities.processAddressSpaces(),
        StandardCapabilities.resizableBar(),
        StandardCapabilities.latencyTolerance(),
        StandardCapabilities.processingHints(),
        StandardCapabilities.vendorSpecificExtended(0x1234, 0x18),
        StandardCapabilities.designatedVendorSpecific(0x1234, 1, 0x1c),
        new CapabilityDescription(UNKNOWN_CAPABILITY, 1, true, 8, List.of(UNKNOWN)));
  }
}
