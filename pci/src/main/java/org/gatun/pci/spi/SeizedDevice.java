package org.gatun.pci.spi;

import java.util.Optional;
import java.util.function.LongConsumer;
import org.gatun.pci.PciDevice;

/**
 * A device in the hands of its owner, a broker: besides driving it, the owner can fence it, and can
 * tell whether anybody else still has it. {@link PciBackend#seize} gives it fenced.
 */
public interface SeizedDevice extends PciDevice {
  /**
   * Lets the device answer at its BARs (Command bits 0 and 1), or stops it. While it is off, each
   * access through a mapping fails, whoever has the mapping, and {@link #reset} leaves it off.
   * Whether a mapping works again when it is on again is not promised: those of this process may be
   * closed by this. Virtual functions ignore it: end those who have mappings first.
   */
  void decode(boolean on);

  /**
   * From now on this owner hears of errors that the device reports, and deals with them; without
   * it, listeners hear that the device is gone.
   *
   * @param recovery called on a thread of the backend's
   */
  void onError(Runnable recovery);

  /**
   * From now on this owner hears of accesses of the device that the IOMMU refused, with their bus
   * addresses: of those that the backend learns of, which may be few, and late.
   *
   * @param listener called on a thread of the backend's: return soon
   */
  void onDmaFault(LongConsumer listener);

  /**
   * Closes the device, as {@link #close} does, and asks whether somebody else has it still: another
   * process with a descriptor, or with a mapping. The last of the open devices of one IOMMU group
   * answers for all of them.
   *
   * @return empty if that is proven not to be so; else why it is not, for people
   */
  Optional<String> release();
}
