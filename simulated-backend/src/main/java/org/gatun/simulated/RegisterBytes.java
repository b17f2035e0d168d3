package org.gatun.simulated;

/** Little-endian registers in an array. Not thread-safe. */
final class RegisterBytes {
  private final byte[] bytes;

  RegisterBytes(int size) {
    this(new byte[size]);
  }

  private RegisterBytes(byte[] bytes) {
    this.bytes = bytes;
  }

  int size() {
    return bytes.length;
  }

  int get(int offset, int width) {
    int value = 0;
    for (int i = 0; i < width; i++) {
      value |= (bytes[offset + i] & 0xff) << (8 * i);
    }
    return value;
  }

  void put(int offset, int width, int value) {
    for (int i = 0; i < width; i++) {
      bytes[offset + i] = (byte) (value >>> (8 * i));
    }
  }

  /** Sets bits, of a register. */
  void add(int offset, int width, int bits) {
    put(offset, width, get(offset, width) | bits);
  }

  void copyFrom(RegisterBytes other) {
    System.arraycopy(other.bytes, 0, bytes, 0, bytes.length);
  }

  RegisterBytes copy() {
    return new RegisterBytes(bytes.clone());
  }
}
