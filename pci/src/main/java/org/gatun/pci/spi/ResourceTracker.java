package org.gatun.pci.spi;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;

/**
 * For implementations of {@link PciDevice}: what a device has given out, so that closing it closes
 * all of that, newest first. Any thread.
 */
public final class ResourceTracker {
  /** What is counted in {@link PciDevice.Usage}. */
  public sealed interface Resource {
    /** A mapping of a BAR. */
    record Mapping() implements Resource {}

    /** A buffer of DMA memory. */
    record Buffer(long size) implements Resource {}
  }

  private final DeviceName device;
  private final Map<Object, Entry> open = new LinkedHashMap<>();
  private boolean closed;

  private record Entry(Resource resource, Runnable close) {}

  public ResourceTracker(DeviceName device) {
    this.device = device;
  }

  /**
   * Notes a resource.
   *
   * @param key by which {@link #remove} finds it
   * @param close what closes it
   * @throws DeviceGoneException if the device is closed: the caller frees what it was about to give
   *     out
   */
  public synchronized void add(Object key, Resource resource, Runnable close) {
    if (closed) {
      throw new DeviceGoneException(device, "open", null);
    }
    open.put(key, new Entry(resource, close));
  }

  /** Forgets a resource that was closed. */
  public synchronized void remove(Object key) {
    open.remove(key);
  }

  /** The mappings, buffers and bytes now given out; vectors are for the caller to add. */
  public synchronized PciDevice.Usage usage(int vectors) {
    int mappings = 0;
    int buffers = 0;
    long bytes = 0;
    for (Entry entry : open.values()) {
      switch (entry.resource) {
        case Resource.Mapping() -> mappings++;
        case Resource.Buffer(long size) -> {
          buffers++;
          bytes += size;
        }
      }
    }
    return new PciDevice.Usage(mappings, buffers, bytes, vectors);
  }

  /**
   * Closes all that is still open, newest first, and refuses what comes later. All are tried; the
   * first failure is thrown, with the others suppressed.
   */
  public void closeAll() {
    synchronized (this) {
      closed = true;
    }
    closeOpen();
  }

  /** As {@link #closeAll}, of what is open now: what comes later is not refused. */
  public void closeOpen() {
    close(_ -> true);
  }

  /** As {@link #closeOpen}, of the mappings only. */
  public void closeMappings() {
    close(resource -> resource instanceof Resource.Mapping);
  }

  private void close(Predicate<Resource> which) {
    List<Entry> entries;
    synchronized (this) {
      entries = open.values().stream().filter(entry -> which.test(entry.resource)).toList();
    }
    Throwable failure = null;
    for (Entry entry : entries.reversed()) {
      try {
        entry.close.run();
      } catch (RuntimeException | Error e) { // InternalError too: memory that went away
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    switch (failure) {
      case null -> {}
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> throw new AssertionError(failure);
    }
  }
}
