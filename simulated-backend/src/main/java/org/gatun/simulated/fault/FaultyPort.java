package org.gatun.simulated.fault;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.gatun.pci.DmaDirection;
import org.gatun.simulated.DmaPort;

/** A way to the host's memory on which accesses go wrong. */
final class FaultyPort implements DmaPort {
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final DmaPort inner;
  private final FaultyContext context;
  private final Faults faults;
  private final MemorySegment scratch = MemorySegment.ofArray(new long[1]);

  FaultyPort(DmaPort inner, FaultyContext context, Faults faults) {
    this.inner = inner;
    this.context = context;
    this.faults = faults;
  }

  @Override
  public boolean read(long busAddress, MemorySegment target, long targetOffset, long length) {
    Effect effect = faults.at(Point.DMA_READ, busAddress);
    return switch (effect) {
      case null -> inner.read(busAddress, target, targetOffset, length);
      case Effect.Lose _ -> {
        context.refuseDma(busAddress, length, DmaDirection.TO_DEVICE);
        yield false;
      }
      case Effect.Flip(long bits) -> {
        boolean done = inner.read(busAddress, target, targetOffset, length);
        if (done) {
          flip(target, targetOffset, length, bits);
        }
        yield done;
      }
      default -> {
        context.happens(effect);
        yield inner.read(busAddress, target, targetOffset, length);
      }
    };
  }

  @Override
  public boolean write(long busAddress, MemorySegment source, long sourceOffset, long length) {
    Effect effect = faults.at(Point.DMA_WRITE, busAddress);
    return switch (effect) {
      case null -> inner.write(busAddress, source, sourceOffset, length);
      case Effect.Lose _ -> {
        context.refuseDma(busAddress, length, DmaDirection.FROM_DEVICE);
        yield false;
      }
      case Effect.Flip(long bits) -> {
        try (Arena arena = Arena.ofConfined()) {
          MemorySegment wrong = arena.allocate(Math.max(length, 1));
          MemorySegment.copy(source, sourceOffset, wrong, 0, length);
          flip(wrong, 0, length, bits);
          yield inner.write(busAddress, wrong, 0, length);
        }
      }
      default -> {
        // In the middle: what comes after it may be refused.
        long half = length / 2;
        boolean first = inner.write(busAddress, source, sourceOffset, half);
        context.happens(effect);
        yield inner.write(busAddress + half, source, sourceOffset + half, length - half) && first;
      }
    };
  }

  @Override
  public long readLong(long busAddress, long ifRefused) {
    Effect effect = faults.at(Point.DMA_READ, busAddress);
    return switch (effect) {
      case null -> inner.readLong(busAddress, ifRefused);
      case Effect.Lose _ -> {
        context.refuseDma(busAddress, Long.BYTES, DmaDirection.TO_DEVICE);
        yield ifRefused;
      }
      case Effect.Flip(long bits) -> {
        // Not by readLong, which can't tell what was refused from a value that is the same.
        if (!inner.read(busAddress, scratch, 0, Long.BYTES)) {
          yield ifRefused;
        }
        VarHandle.acquireFence();
        yield scratch.get(LONG, 0) ^ bits;
      }
      default -> {
        context.happens(effect);
        yield inner.readLong(busAddress, ifRefused);
      }
    };
  }

  @Override
  public boolean writeLong(long busAddress, long value) {
    Effect effect = faults.at(Point.DMA_WRITE, busAddress);
    return switch (effect) {
      case null -> inner.writeLong(busAddress, value);
      case Effect.Lose _ -> {
        context.refuseDma(busAddress, Long.BYTES, DmaDirection.FROM_DEVICE);
        yield false;
      }
      case Effect.Flip(long bits) -> inner.writeLong(busAddress, value ^ bits);
      default -> {
        context.happens(effect);
        yield inner.writeLong(busAddress, value);
      }
    };
  }

  private static void flip(MemorySegment memory, long offset, long length, long bits) {
    for (int i = 0; i < Math.min(length, Long.BYTES); i++) {
      byte value = memory.get(ValueLayout.JAVA_BYTE, offset + i);
      memory.set(ValueLayout.JAVA_BYTE, offset + i, (byte) (value ^ bits >>> (Byte.SIZE * i)));
    }
  }
}
