package org.gatun.pci.config;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A config space in memory. Registers with a write mask can be written in those bits only. */
final class MemoryConfig implements ConfigSpace {
  final ByteBuffer bytes;
  final List<Integer> written = new ArrayList<>();
  private final Map<Integer, Integer> writeMasks = new HashMap<>();

  MemoryConfig(int size) {
    bytes = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putShort(ConfigRegisters.VENDOR_ID, (short) 0x1234);
  }

  /** A 32-bit register with that value, of which those bits can be written. */
  MemoryConfig register(int offset, int value, int writeMask) {
    bytes.putInt(offset, value);
    writeMasks.put(offset, writeMask);
    return this;
  }

  /** A conventional capability. */
  MemoryConfig capability(int offset, int id, int next) {
    bytes.put(offset, (byte) id);
    bytes.put(offset + 1, (byte) next);
    return this;
  }

  /** Says that there is a list of capabilities, and where it starts. */
  MemoryConfig capabilities(int pointer) {
    bytes.putShort(ConfigRegisters.STATUS, (short) ConfigRegisters.STATUS_CAPABILITIES);
    bytes.put(ConfigRegisters.CAPABILITIES_POINTER, (byte) pointer);
    return this;
  }

  /** An extended capability of version 1. */
  MemoryConfig extended(int offset, int id, int next) {
    bytes.putInt(offset, id | 1 << 16 | next << 20);
    return this;
  }

  @Override
  public int size() {
    return bytes.capacity();
  }

  @Override
  public int read(int offset, int width) {
    ConfigSpace.check(offset, width, size());
    return switch (width) {
      case 1 -> Byte.toUnsignedInt(bytes.get(offset));
      case 2 -> Short.toUnsignedInt(bytes.getShort(offset));
      default -> bytes.getInt(offset);
    };
  }

  @Override
  public void write(int offset, int width, int value) {
    ConfigSpace.check(offset, width, size());
    written.add(offset);
    int mask = writeMasks.getOrDefault(offset, 0);
    bytes.putInt(offset, (bytes.getInt(offset) & ~mask) | (value & mask));
  }
}
