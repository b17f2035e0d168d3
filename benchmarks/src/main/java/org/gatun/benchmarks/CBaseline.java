package org.gatun.benchmarks;

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
import java.util.Objects;

/** The same work in C, compiled with {@code cc -O2} when a benchmark starts. */
final class CBaseline {
  private static final SymbolLookup LIBRARY = load();

  private CBaseline() {}

  @SuppressWarnings("restricted")
  static MethodHandle function(String name, FunctionDescriptor descriptor) {
    return Linker.nativeLinker().downcallHandle(LIBRARY.findOrThrow(name), descriptor);
  }

  @SuppressWarnings("restricted")
  private static SymbolLookup load() {
    try (InputStream source = CBaseline.class.getResourceAsStream("baseline.c")) {
      Path folder = Files.createTempDirectory("gatun-benchmarks");
      Path c = folder.resolve("baseline.c");
      Path library = folder.resolve("libbaseline.so");
      Files.copy(Objects.requireNonNull(source), c);
      Process compiler =
          new ProcessBuilder(
                  "cc", "-O2", "-shared", "-fPIC", "-o", library.toString(), c.toString())
              .inheritIO()
              .start();
      if (compiler.waitFor() != 0) {
        throw new IllegalStateException("cc could not compile " + c);
      }
      SymbolLookup lookup = SymbolLookup.libraryLookup(library, Arena.global());
      Files.delete(library);
      Files.delete(c);
      Files.delete(folder);
      return lookup;
    } catch (IOException e) {
      throw new UncheckedIOException("no C compiler: apt-get install gcc libc6-dev", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while compiling", e);
    }
  }
}
