package org.gatun.broker.fuzz;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import java.util.Random;

/** Where a hostile party's choices come from. */
interface Choices {
  /** 0 to bound - 1. */
  int below(int bound);

  /** Any 64 bits. */
  long bits();

  /** Any of these. */
  default long oneOf(long... values) {
    return values[below(values.length)];
  }

  /** Repeatable, by its seed. */
  static Choices of(Random random) {
    return new Choices() {
      @Override
      public int below(int bound) {
        return random.nextInt(bound);
      }

      @Override
      public long bits() {
        return random.nextLong();
      }
    };
  }

  /** What the fuzzer says; zeros when it has no more to say. */
  static Choices of(FuzzedDataProvider data) {
    return new Choices() {
      @Override
      public int below(int bound) {
        return data.consumeInt(0, bound - 1);
      }

      @Override
      public long bits() {
        return data.consumeLong();
      }
    };
  }
}
