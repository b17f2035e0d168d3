package org.gatun.vfiouser.fuzz;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Bytes of messages, chosen by the fuzzer: mostly of values that mean something. */
final class Words {
  static final int HEADER = 16;
  static final long ADDRESS = 0x1_0000_0000L;

  private static final long[] TELLING = {
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    9,
    15,
    16,
    32,
    0x22,
    0x24,
    0x14,
    0x21,
    63,
    64,
    255,
    256,
    4095,
    4096,
    0x8000,
    0x10000,
    -1,
    0x7fff_ffff,
    0x8000_0000L,
    ADDRESS,
    ADDRESS + 4096,
    Long.MAX_VALUE,
    Long.MIN_VALUE,
    -4096
  };

  private Words() {}

  /** Any number, of those with a meaning more often than of others. */
  static long number(FuzzedDataProvider data) {
    return data.consumeInt(0, 7) == 0
        ? data.consumeLong()
        : TELLING[data.consumeInt(0, TELLING.length - 1)];
  }

  /** Fields of four and eight bytes. */
  static byte[] fields(FuzzedDataProvider data, int most) {
    int count = data.consumeInt(0, most);
    ByteBuffer bytes = ByteBuffer.allocate(8 * count).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < count; i++) {
      if (data.consumeInt(0, 2) == 0) {
        bytes.putLong(number(data));
      } else {
        bytes.putInt((int) number(data));
      }
    }
    byte[] fields = new byte[bytes.position()];
    bytes.get(0, fields);
    return fields;
  }

  static byte[] message(int id, int command, int size, int flags, int error, byte[] payload) {
    byte[] bytes = new byte[HEADER + payload.length];
    ByteBuffer.wrap(bytes)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putShort((short) id)
        .putShort((short) command)
        .putInt(size)
        .putInt(flags)
        .putInt(error)
        .put(payload);
    return bytes;
  }

  static byte[] message(int id, int command, int flags, byte[] payload) {
    return message(id, command, HEADER + payload.length, flags, 0, payload);
  }
}
