package org.gatun.simulated;

import java.util.function.LongConsumer;
import java.util.function.LongSupplier;

/** The registers behind a BAR, at work. Not thread-safe. */
final class RegisterFile {
  private final Register[] registers;
  private final long[] values;
  private final LongSupplier[] reads;
  private final LongConsumer[] writes;

  RegisterFile(RegisterMap map) {
    registers = map.registers().toArray(Register[]::new);
    values = new long[registers.length];
    reads = new LongSupplier[registers.length];
    writes = new LongConsumer[registers.length];
    for (int i = 0; i < registers.length; i++) {
      int at = i;
      reads[i] = () -> values[at];
      writes[i] = _ -> {};
    }
    reset();
  }

  boolean has(Register register) {
    int index = firstEndingAfter(register.offset());
    return index < registers.length && registers[index].equals(register);
  }

  /** Of a register that it has, as in what follows. */
  long get(Register register) {
    return values[firstEndingAfter(register.offset())];
  }

  void set(Register register, long value) {
    values[firstEndingAfter(register.offset())] = value & Register.ones(register.width());
  }

  void onRead(Register register, LongSupplier value) {
    reads[firstEndingAfter(register.offset())] = value;
  }

  void onWrite(Register register, LongConsumer action) {
    writes[firstEndingAfter(register.offset())] = action;
  }

  void reset() {
    for (int i = 0; i < registers.length; i++) {
      values[i] = registers[i].reset();
    }
  }

  /** One access may read a part of a register, or several. */
  long read(long offset, int width) {
    long result = 0;
    for (int i = firstEndingAfter(offset);
        i < registers.length && registers[i].offset() < offset + width;
        i++) {
      Register register = registers[i];
      long lanes = lanes(register, offset, width);
      long value = reads[i].getAsLong() & lanes;
      values[i] &= ~(register.readToClear() & lanes);
      result |= shifted(value, register.offset() - offset);
    }
    return result;
  }

  /** Of the registers that one access reaches, those before have their value when one acts. */
  void write(long offset, int width, long value) {
    for (int i = firstEndingAfter(offset);
        i < registers.length && registers[i].offset() < offset + width;
        i++) {
      Register register = registers[i];
      long lanes = lanes(register, offset, width);
      long written = shifted(value, offset - register.offset()) & lanes;
      long kept = register.readWrite() & lanes;
      values[i] =
          ((values[i] & ~kept) | (written & kept)) & ~(written & register.writeOneToClear());
      writes[i].accept(written);
    }
  }

  private int firstEndingAfter(long offset) {
    int low = 0;
    int high = registers.length;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (registers[middle].end() <= offset) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /** The bits of a register that an access reaches. */
  private static long lanes(Register register, long offset, int width) {
    return shifted(Register.ones(width), offset - register.offset())
        & Register.ones(register.width());
  }

  /** Shifts up by so many bytes, or down. */
  private static long shifted(long value, long bytes) {
    return bytes >= 0 ? value << (8 * bytes) : value >>> (-8 * bytes);
  }
}
