package org.gatun.benchmarks;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.gatun.nativeaccess.Access;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.Ioctl;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * System calls as the VFIO backend makes them, with all of {@link Fd}'s checks, through FFM and
 * through JNA, against C: an ioctl that succeeds, and the read of a register that is trapped.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@OperationsPerInvocation(NativeCalls.CALLS)
public class NativeCalls {
  static final int CALLS = 1_000;

  /** asm-generic/ioctls.h: sets close-on-exec, which is set already. */
  private static final Ioctl FIOCLEX = Ioctl.io("FIOCLEX", 0x54, 0x51);

  private static final MethodHandle C_IOCTL =
      CBaseline.function(
          "set_close_on_exec", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG));
  private static final MethodHandle C_READ =
      CBaseline.function("read_word", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG));
  private static final MethodHandle C_OPEN =
      CBaseline.function("open_for_reading", FunctionDescriptor.of(JAVA_INT, ADDRESS));

  private static final String FILE = "/proc/self/exe";

  private final Fd fd = Fd.open(Path.of(FILE), Access.READ);
  private final int cFd = openInC();

  private static int openInC() {
    try (Arena arena = Arena.ofConfined()) {
      return (int) C_OPEN.invokeExact(arena.allocateFrom(FILE));
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  @TearDown
  public void release() {
    fd.close();
  }

  @Benchmark
  public long ioctlC() throws Throwable {
    return (long) C_IOCTL.invokeExact(cFd, (long) CALLS);
  }

  @Benchmark
  @Fork(jvmArgsAppend = "-Dgatun.native=ffm")
  public long ioctlFfm() {
    return ioctls();
  }

  @Benchmark
  @Fork(jvmArgsAppend = "-Dgatun.native=jna")
  public long ioctlJna() {
    return ioctls();
  }

  @Benchmark
  public long readC() throws Throwable {
    return (long) C_READ.invokeExact(cFd, (long) CALLS);
  }

  @Benchmark
  @Fork(jvmArgsAppend = "-Dgatun.native=ffm")
  public long readFfm() {
    return reads();
  }

  @Benchmark
  @Fork(jvmArgsAppend = "-Dgatun.native=jna")
  public long readJna() {
    return reads();
  }

  private long ioctls() {
    long sum = 0;
    for (int i = 0; i < CALLS; i++) {
      sum += fd.ioctl(FIOCLEX);
    }
    return sum;
  }

  private long reads() {
    long sum = 0;
    for (int i = 0; i < CALLS; i++) {
      sum += fd.readAt(0, 4);
    }
    return sum;
  }
}
