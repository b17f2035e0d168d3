package org.gatun.pci;

import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;

/**
 * A PCI function, opened: by one owner, who closes it. What it gives out (mappings, DMA buffers,
 * vectors) ends with it at the latest.
 *
 * <p>Any thread, unless a part says otherwise. After {@link #close} each use of the device or of a
 * part throws {@link DeviceGoneException}; only the getters {@link #name} and {@link #usage} still
 * answer.
 */
public interface PciDevice extends AutoCloseable {
  /**
   * What a device has given out and not got back.
   *
   * @param mappings of BARs
   * @param buffers of DMA memory
   * @param dmaBytes in those buffers
   * @param vectors enabled
   */
  record Usage(int mappings, int buffers, long dmaBytes, int vectors) {
    /** Nothing. */
    public static final Usage NONE = new Usage(0, 0, 0, 0);
  }

  /** Its name. */
  DeviceName name();

  /** Its config space, as far as the backend lets the caller see and change it. */
  ConfigSpace config();

  /** Its ids, from config space. */
  default PciId id() {
    return PciId.of(config());
  }

  /** Its class code, from config space. */
  default PciClass pciClass() {
    return PciClass.of(config());
  }

  /**
   * A BAR.
   *
   * @param index 0 to 5
   * @return empty if the device has none there, or if it is the high half of a 64-bit BAR
   * @throws IllegalArgumentException if the index is not 0 to 5
   */
  Optional<Bar> bar(int index);

  /** The BARs that the device has, by index. */
  default List<Bar> bars() {
    return IntStream.range(0, 6).mapToObj(this::bar).flatMap(Optional::stream).toList();
  }

  /** The memory that the device can reach. */
  DmaSpace dma();

  /** The interrupts of the device. */
  Interrupts interrupts();

  /**
   * Lets the device do DMA and send message-signalled interrupts (Command bit 2), or stops it. Off
   * after open and after reset.
   */
  void busMaster(boolean on);

  /**
   * Resets the function: interrupts off (their vectors are gone), bus master off, registers as
   * after power-up. Mappings and DMA buffers stay valid.
   *
   * @throws ResetUnavailableException if the device has no usable reset; nothing was changed
   */
  void reset();

  /** From now on this listener hears that the device is wanted back, or gone. */
  void onDetach(DetachListener listener);

  /** What is given out now. */
  Usage usage();

  /**
   * Gives the device back: stops its DMA and interrupts, resets it if it can be reset, unmaps and
   * frees its DMA memory, ends its mappings. Idempotent, from any thread; a second caller returns
   * when the first is done.
   */
  @Override
  void close();
}
