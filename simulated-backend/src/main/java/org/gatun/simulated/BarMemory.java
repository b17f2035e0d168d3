package org.gatun.simulated;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Iterator;
import java.util.Optional;
import java.util.ServiceLoader;
import org.gatun.pci.spi.SharedMemory;
import org.gatun.pci.spi.SharedMemoryProvider;

/**
 * The memory behind the direct ranges of a BAR: its offsets are those of the BAR, so that one
 * object holds all of them. The model has a view of it, its driver maps parts, each with a lifetime
 * of its own, and another process can be given it.
 */
final class BarMemory implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(BarMemory.class.getName());

  private final String description;
  private final long size;
  private SharedMemory memory;
  private MemorySegment view;

  /** Whether somebody else was given it, who keeps it for as long as he likes. */
  private boolean passedOn;

  BarMemory(String description, long size) {
    this.description = description;
    this.size = size;
    this.memory = create();
    this.view = mapAll();
  }

  /** What the model sees, until it is renewed: from then on another. */
  synchronized MemorySegment view() {
    return view;
  }

  /** Another view, with a lifetime of its own. */
  synchronized MemorySegment map(long offset, long length, Arena lifetime) {
    return memory.map(offset, length, lifetime);
  }

  /** The memory, to pass it on; empty if it can't be. */
  synchronized Optional<SharedMemory> passOn() {
    if (memory instanceof FileMemory) {
      return Optional.empty();
    }
    passedOn = true;
    return Optional.of(memory);
  }

  /** Takes new memory in place of what was passed on, and returns whether that was so. */
  synchronized boolean renew() {
    if (!passedOn) {
      return false;
    }
    SharedMemory old = memory;
    memory = create();
    view = mapAll();
    passedOn = false;
    old.close();
    return true;
  }

  @Override
  public synchronized void close() {
    memory.close();
  }

  /** Ends when nobody uses it any more: who renews the memory does not know who is just reading. */
  private MemorySegment mapAll() {
    return memory.map(0, size, Arena.ofAuto());
  }

  private SharedMemory create() {
    Iterator<SharedMemoryProvider> providers =
        ServiceLoader.load(SharedMemoryProvider.class, BarMemory.class.getClassLoader()).iterator();
    if (providers.hasNext()) {
      try {
        return providers.next().create(description, size);
      } catch (IllegalStateException e) {
        LOG.log(
            System.Logger.Level.DEBUG, description + " can't be passed on: " + e.getMessage(), e);
      }
    }
    return new FileMemory(size);
  }
}
