package org.gatun.pci.spi;

/**
 * Makes memory that another process can be given, found by {@link java.util.ServiceLoader}: for
 * backends without native access.
 */
public interface SharedMemoryProvider {
  /**
   * Makes some, whose size nobody can change: not even who has it, to harm others who use it.
   *
   * @param description for messages
   * @param size in bytes, above 0
   * @throws IllegalStateException if this process may not make such memory
   */
  SharedMemory create(String description, long size);
}
