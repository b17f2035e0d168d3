package org.gatun.benchmarks;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.invoke.VarHandle;
import java.lang.reflect.Field;
import java.util.concurrent.TimeUnit;
import org.gatun.pci.DeviceName;
import org.gatun.pci.Mmio;
import org.gatun.pci.RegisterHandler;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * A 32-bit register access: through {@link Mmio}, as a bare opaque VarHandle access to a shared
 * segment in a field, through Unsafe, and in C. Ordinary memory stands for the register: what the
 * bus of a real one costs, on either side, is not in it.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@OperationsPerInvocation(RegisterAccess.ACCESSES)
public class RegisterAccess {
  static final int ACCESSES = 10_000;
  private static final int REGISTER = 16;

  private static final VarHandle INT = ValueLayout.JAVA_INT.varHandle().withInvokeExactBehavior();
  private static final MethodHandle C_STORE =
      CBaseline.function("store32", FunctionDescriptor.ofVoid(ADDRESS, JAVA_LONG));
  private static final MethodHandle C_LOAD =
      CBaseline.function("load32", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG));

  // As constant handles, which compile to the same code: the compiler warns of any mention of
  // Unsafe.
  private static final MethodHandle UNSAFE_STORE =
      unsafe(
          "putOrderedInt", MethodType.methodType(void.class, Object.class, long.class, int.class));
  private static final MethodHandle UNSAFE_LOAD =
      unsafe("getIntVolatile", MethodType.methodType(int.class, Object.class, long.class));

  private final Arena arena = Arena.ofShared();
  private final MemorySegment segment = arena.allocate(4096, 4096);
  private final DeviceName name = new DeviceName("simulated", "memory");
  private final Mmio direct = Mmio.direct(name, segment, () -> {});
  private final Register register = new Register();
  private final Mmio trapped = Mmio.trapped(name, 4096, register, () -> {});
  private final long address = segment.address() + REGISTER;

  private static final class Register implements RegisterHandler {
    private long value;

    @Override
    public long read(long offset, int width) {
      return value;
    }

    @Override
    public void write(long offset, int width, long written) {
      value = written;
    }
  }

  private static MethodHandle unsafe(String method, MethodType type) {
    try {
      Class<?> unsafe = Class.forName("sun.misc.Unsafe");
      Field field = unsafe.getDeclaredField("theUnsafe");
      field.setAccessible(true);
      return MethodHandles.lookup().findVirtual(unsafe, method, type).bindTo(field.get(null));
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  @TearDown
  public void release() {
    arena.close();
  }

  @Benchmark
  public void storeC() throws Throwable {
    C_STORE.invokeExact(segment, (long) ACCESSES);
  }

  @Benchmark
  public void storeMmio() {
    for (int i = 0; i < ACCESSES; i++) {
      direct.write32(REGISTER, i);
    }
  }

  @Benchmark
  public void storeTrapped() {
    for (int i = 0; i < ACCESSES; i++) {
      trapped.write32(REGISTER, i);
    }
  }

  @Benchmark
  public void storeVarHandle() {
    for (int i = 0; i < ACCESSES; i++) {
      INT.setOpaque(segment, (long) REGISTER, i);
    }
  }

  @Benchmark
  public void storeUnsafe() throws Throwable {
    for (int i = 0; i < ACCESSES; i++) {
      UNSAFE_STORE.invokeExact((Object) null, address, i);
    }
  }

  @Benchmark
  public int loadC() throws Throwable {
    return (int) C_LOAD.invokeExact(segment, (long) ACCESSES);
  }

  @Benchmark
  public int loadMmio() {
    int sum = 0;
    for (int i = 0; i < ACCESSES; i++) {
      sum += direct.read32(REGISTER);
    }
    return sum;
  }

  @Benchmark
  public int loadTrapped() {
    int sum = 0;
    for (int i = 0; i < ACCESSES; i++) {
      sum += trapped.read32(REGISTER);
    }
    return sum;
  }

  @Benchmark
  public int loadVarHandle() {
    int sum = 0;
    for (int i = 0; i < ACCESSES; i++) {
      sum += (int) INT.getOpaque(segment, (long) REGISTER);
    }
    return sum;
  }

  @Benchmark
  public int loadUnsafe() throws Throwable {
    int sum = 0;
    for (int i = 0; i < ACCESSES; i++) {
      sum += (int) UNSAFE_LOAD.invokeExact((Object) null, address);
    }
    return sum;
  }
}
