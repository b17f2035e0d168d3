package org.gatun.vfiouser;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/** Puts bytes together, little-endian. */
final class Bytes {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  static Bytes of() {
    return new Bytes();
  }

  Bytes u16(int value) {
    return little(value, 2);
  }

  Bytes u32(int value) {
    return little(value, 4);
  }

  Bytes u64(long value) {
    return little(value, 8);
  }

  Bytes text(String text) {
    return raw(text.getBytes(StandardCharsets.UTF_8));
  }

  Bytes zeros(int count) {
    return raw(new byte[count]);
  }

  Bytes raw(byte[] bytes) {
    out.writeBytes(bytes);
    return this;
  }

  byte[] get() {
    return out.toByteArray();
  }

  private Bytes little(long value, int width) {
    for (int i = 0; i < width; i++) {
      out.write((int) (value >>> (8 * i)));
    }
    return this;
  }
}
