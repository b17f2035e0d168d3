package org.gatun.pci.spi;

import org.gatun.pci.DmaDirection;

/** What a device that is software can do besides: reach memory by calls. For exporters. */
public interface RemoteDma {
  /** A range of bus addresses behind which there is remote memory. */
  interface Window extends AutoCloseable {
    /** When it returns, no DMA reaches the memory any more. Idempotent, from any thread. */
    @Override
    void close();
  }

  /**
   * Puts memory behind bus addresses, as {@link org.gatun.pci.DmaSpace#mapAt} does. It ends with
   * the device at the latest.
   *
   * @param size in bytes, whole pages
   * @throws IllegalArgumentException if address or size are not whole pages
   * @throws org.gatun.pci.DmaException if the address is not usable, or something is mapped there
   */
  Window mapAt(long busAddress, long size, RemoteMemory memory, DmaDirection direction);
}
