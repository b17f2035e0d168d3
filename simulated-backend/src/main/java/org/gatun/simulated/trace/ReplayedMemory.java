package org.gatun.simulated.trace;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** The driver's DMA memory, by bus address. Any thread. */
final class ReplayedMemory {
  private final TreeMap<Long, MemorySegment> buffers = new TreeMap<>(Long::compareUnsigned);

  synchronized void add(long busAddress, MemorySegment buffer) {
    buffers.put(busAddress, buffer);
  }

  /** Whether a part of that many bytes is the driver's already. */
  synchronized boolean isTaken(long busAddress, long size) {
    Map.Entry<Long, MemorySegment> below = buffers.floorEntry(busAddress + size - 1);
    return below != null
        && Long.compareUnsigned(below.getKey() + below.getValue().byteSize() - 1, busAddress) >= 0;
  }

  synchronized void remove(long busAddress) {
    buffers.remove(busAddress);
  }

  /** Writes it for the device; whether the driver has memory there. */
  synchronized boolean write(long busAddress, byte[] data) {
    MemorySegment target = find(busAddress, data.length);
    if (target == null) {
      return false;
    }
    MemorySegment.copy(data, 0, target, ValueLayout.JAVA_BYTE, 0, data.length);
    return true;
  }

  /** What is wrong with what the driver has written there; null if nothing. */
  synchronized @Nullable String difference(long busAddress, byte[] data) {
    MemorySegment written = find(busAddress, data.length);
    if (written == null) {
      return "it has no DMA memory there";
    }
    long at = written.mismatch(MemorySegment.ofArray(data));
    return at < 0
        ? null
        : "the driver wrote 0x%02x, not 0x%02x, to 0x%x"
            .formatted(written.get(ValueLayout.JAVA_BYTE, at), data[(int) at], busAddress + at);
  }

  private @Nullable MemorySegment find(long busAddress, int length) {
    Map.Entry<Long, MemorySegment> entry = buffers.floorEntry(busAddress);
    if (entry == null) {
      return null;
    }
    long offset = busAddress - entry.getKey();
    MemorySegment buffer = entry.getValue();
    // It is unsigned, and may be so large that it looks negative.
    return offset >= 0 && offset <= buffer.byteSize() - length
        ? buffer.asSlice(offset, length)
        : null;
  }
}
