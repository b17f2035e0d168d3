package org.gatun.benchmarks;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** The same work in C, compiled with {@code cc -O2} when a benchmark starts. */
public final class CBaseline {
  private static final SymbolLookup LIBRARY = library("baseline.c");

  private static final MethodHandle CLOSE =
      function("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));

  private CBaseline() {}

  static MethodHandle function(String name, FunctionDescriptor descriptor) {
    return function(LIBRARY, name, descriptor);
  }

  /** A function of a {@link #library}. */
  @SuppressWarnings("restricted")
  public static MethodHandle function(
      SymbolLookup library, String name, FunctionDescriptor descriptor) {
    return Linker.nativeLinker().downcallHandle(library.findOrThrow(name), descriptor);
  }

  /** Closes a descriptor that was opened in C. */
  static void close(int fd) throws Throwable {
    if ((int) CLOSE.invokeExact(fd) != 0) {
      throw new IllegalStateException("descriptor " + fd + " is not open");
    }
  }

  /**
   * Compiles a source that is beside this class.
   *
   * @param options that say what becomes of it
   */
  static void compile(String source, Path target, String... options) throws IOException {
    Path c = Files.createTempFile("gatun-benchmarks", ".c");
    try (InputStream resource = CBaseline.class.getResourceAsStream(source)) {
      Files.copy(Objects.requireNonNull(resource), c, StandardCopyOption.REPLACE_EXISTING);
      // Without the checks that some distributions' compilers have on.
      List<String> command = new ArrayList<>(List.of("cc", "-O2", "-U_FORTIFY_SOURCE"));
      command.add("-D_FORTIFY_SOURCE=0");
      command.addAll(List.of(options));
      command.addAll(List.of("-o", target.toString(), c.toString()));
      Process compiler = new ProcessBuilder(command).inheritIO().start();
      if (compiler.waitFor() != 0) {
        throw new IllegalStateException("cc could not compile " + source);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while compiling", e);
    } finally {
      Files.delete(c);
    }
  }

  /** Compiles a source that is beside this class, and loads it for good. */
  @SuppressWarnings("restricted")
  public static SymbolLookup library(String source) {
    try {
      Path library = Files.createTempFile("gatun-benchmarks", ".so");
      try {
        compile(source, library, "-shared", "-fPIC");
        return SymbolLookup.libraryLookup(library, Arena.global());
      } finally {
        Files.delete(library);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("no C compiler: apt-get install gcc libc6-dev", e);
    }
  }
}
