package org.gatun.specs.edu;

/**
 * The identity, registers and bits of QEMU's educational device, all in BAR 0 (QEMU {@code
 * docs/specs/edu.rst}).
 *
 * <p>Registers below {@link #DMA_SOURCE} take 32-bit accesses only; those from there on take 32-bit
 * and 64-bit ones. An access of another width is ignored, and reads all ones.
 */
public final class EduRegisters {
  // "PCI specs"

  /** PCI vendor id (QEMU's). */
  public static final int VENDOR_ID = 0x1234;

  /** PCI device id. */
  public static final int DEVICE_ID = 0x11e8;

  /** The only BAR: 32-bit memory, not prefetchable. */
  public static final int BAR = 0;

  /** Size of the BAR in bytes: 1 MiB. */
  public static final long BAR_SIZE = 1L << 20;

  // "MMIO area spec"

  /** Read only, 32 bits: {@code RRrr00ed} hexadecimal, RR the major, rr the minor version. */
  public static final long IDENTIFICATION = 0x00;

  /** Read and write, 32 bits: reads the inverse ({@code ~}) of what was last written. */
  public static final long LIVENESS = 0x04;

  /**
   * Read and write, 32 bits: a write starts the computation of the factorial modulo 2^32, and is
   * ignored while {@link #STATUS_COMPUTING} is set; the result is valid once that is clear.
   */
  public static final long FACTORIAL = 0x08;

  /** Read and write, 32 bits: {@link #STATUS_COMPUTING}, {@link #STATUS_RAISE_INTERRUPT}. */
  public static final long STATUS = 0x20;

  /** Read only, 32 bits: the values which raised the interrupt, or-ed. */
  public static final long INTERRUPT_STATUS = 0x24;

  /** Write only, 32 bits: or-s the value into the interrupt status, and raises the interrupt. */
  public static final long INTERRUPT_RAISE = 0x60;

  /**
   * Write only, 32 bits: clears these bits of the interrupt status. INTx stays asserted until the
   * status is 0; with MSI the write is needed too.
   */
  public static final long INTERRUPT_ACKNOWLEDGE = 0x64;

  /** Read and write, 64 bits: source address of the DMA. Writes are ignored while it runs. */
  public static final long DMA_SOURCE = 0x80;

  /** Read and write, 64 bits: destination address of the DMA. */
  public static final long DMA_DESTINATION = 0x88;

  /** Read and write, 64 bits: bytes to transfer, at most {@link #DMA_BUFFER_SIZE}. */
  public static final long DMA_COUNT = 0x90;

  /** Read and write, 64 bits: {@link #DMA_RUN}, {@link #DMA_TO_MEMORY}, {@link #DMA_INTERRUPT}. */
  public static final long DMA_COMMAND = 0x98;

  /** {@link #STATUS}: the factorial is being computed (read only). */
  public static final int STATUS_COMPUTING = 0x01;

  /** {@link #STATUS}: raise {@link #FACTORIAL_INTERRUPT} when the factorial is done. */
  public static final int STATUS_RAISE_INTERRUPT = 0x80;

  /** {@link #DMA_COMMAND}: start; reads 1 until the transfer has ended. */
  public static final int DMA_RUN = 0x01;

  /** {@link #DMA_COMMAND}: from the device's buffer to memory; clear: from memory to the buffer. */
  public static final int DMA_TO_MEMORY = 0x02;

  /** {@link #DMA_COMMAND}: raise {@link #DMA_DONE_INTERRUPT} at the end of the transfer. */
  public static final int DMA_INTERRUPT = 0x04;

  /** {@link #INTERRUPT_STATUS}: a factorial is done (QEMU {@code hw/misc/edu.c}). */
  public static final int FACTORIAL_INTERRUPT = 0x001;

  /** {@link #INTERRUPT_STATUS}: a DMA transfer has ended. */
  public static final int DMA_DONE_INTERRUPT = 0x100;

  // "DMA controller"

  /**
   * Where the device's own buffer is in the address space of its DMA registers (not in the BAR).
   */
  public static final long DMA_BUFFER = 0x40000;

  /** Size of the device's own buffer in bytes. */
  public static final int DMA_BUFFER_SIZE = 4096;

  /**
   * How much of its buffer can be used with any QEMU: QEMU 7.2 ends with a hardware error when a
   * transfer reaches the last byte (off by one in {@code edu_check_range} of {@code
   * hw/misc/edu.c}).
   */
  public static final int DMA_USABLE_SIZE = DMA_BUFFER_SIZE - 1;

  /** The device masks bus addresses to 28 bits (256 MiB), unless started with another dma_mask. */
  public static final long DMA_MASK = (1L << 28) - 1;

  private EduRegisters() {}

  /**
   * Says whether an {@link #IDENTIFICATION} is that of an edu device of any version; all ones, as a
   * device that is gone reads, is not.
   */
  public static boolean isEdu(int identification) {
    return (identification & 0xffff) == 0x00ed;
  }

  /** Returns the major version, 0 to 255. */
  public static int majorVersion(int identification) {
    return identification >>> 24;
  }

  /** Returns the minor version, 0 to 255. */
  public static int minorVersion(int identification) {
    return (identification >>> 16) & 0xff;
  }

  /** Returns the identification of that version; each part is 0 to 255. */
  public static int identification(int major, int minor) {
    if ((major & ~0xff) != 0 || (minor & ~0xff) != 0) {
      throw new IllegalArgumentException(
          "edu version " + major + "." + minor + ": each part is 0 to 255");
    }
    return (major << 24) | (minor << 16) | 0xed;
  }
}
