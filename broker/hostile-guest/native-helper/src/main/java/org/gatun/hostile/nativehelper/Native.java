package org.gatun.hostile.nativehelper;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;

/** Any system call, with any argument, any memory, and any code. */
public final class Native {
  private static final MethodHandle SYSCALL = link();

  private Native() {}

  @SuppressWarnings("restricted") // what this module is for
  private static MethodHandle link() {
    Linker linker = Linker.nativeLinker();
    return linker.downcallHandle(
        linker.defaultLookup().findOrThrow("syscall"),
        FunctionDescriptor.of(
            JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
        Linker.Option.captureCallState("errno"),
        Linker.Option.firstVariadicArg(1));
  }

  /**
   * Makes a system call.
   *
   * @return its result, or the negative of errno
   */
  public static long call(long number, long... arguments) {
    long[] a = Arrays.copyOf(arguments, 6);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment errno = arena.allocate(Linker.Option.captureStateLayout());
      long result = (long) SYSCALL.invokeExact(errno, number, a[0], a[1], a[2], a[3], a[4], a[5]);
      return result == -1 ? -errno.get(JAVA_INT, 0) : result;
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  /** Executes code, wherever it is, and returns what is in {@code eax} then. */
  @SuppressWarnings("restricted") // what this module is for
  public static int execute(long address) {
    MethodHandle code =
        Linker.nativeLinker()
            .downcallHandle(MemorySegment.ofAddress(address), FunctionDescriptor.of(JAVA_INT));
    try {
      return (int) code.invokeExact();
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  /** Memory, wherever it is and whether it is there or not. */
  @SuppressWarnings("restricted") // what this module is for
  public static MemorySegment memory(long address, long size) {
    return MemorySegment.ofAddress(address).reinterpret(size);
  }
}
