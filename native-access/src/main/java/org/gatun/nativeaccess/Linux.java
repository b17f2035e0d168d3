package org.gatun.nativeaccess;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import org.jspecify.annotations.Nullable;

/** The one implementation of {@link LinuxCalls} in use. */
final class Linux {
  /** The system property that chooses the implementation. */
  static final String PROPERTY = "gatun.native";

  // A failure is kept, not thrown from the class initialiser: a caller would see the reason once,
  // wrapped in an
  // ExceptionInInitializerError, and afterwards only a NoClassDefFoundError. Both fields are
  // constants to the compiler,
  // so calls() costs nothing.
  private static final @Nullable LinuxCalls CALLS;
  private static final @Nullable RuntimeException FAILURE;

  static {
    LinuxCalls calls = null;
    RuntimeException failure = null;
    try {
      calls = choose(System.getProperty(PROPERTY, FfmCalls.NAME));
    } catch (RuntimeException e) {
      failure = e;
    }
    CALLS = calls;
    FAILURE = failure;
  }

  private Linux() {}

  /**
   * Returns the implementation.
   *
   * @throws IllegalStateException if there is none that works, saying which flag or module is
   *     missing
   */
  static LinuxCalls calls() {
    LinuxCalls calls = CALLS;
    if (calls == null) {
      throw new IllegalStateException(Objects.requireNonNull(FAILURE).getMessage(), FAILURE);
    }
    return calls;
  }

  /**
   * Turns a call's result into an exception where it failed.
   *
   * @param target what the call was made on: a path, or a descriptor's description
   */
  static long check(long result, String call, Object target) {
    if (result < 0) {
      throw new LinuxException(call, target.toString(), (int) -result);
    }
    return result;
  }

  static int check(int result, String call, Object target) {
    return (int) check((long) result, call, target);
  }

  private static LinuxCalls choose(String name) {
    String os = System.getProperty("os.name", "");
    if (!os.equals("Linux")) {
      throw new IllegalStateException("Gatun drives devices on Linux only; this is " + os);
    }
    Module module = FfmCalls.class.getModule();
    try {
      LinuxCalls calls = name.equals(FfmCalls.NAME) ? new FfmCalls() : provider(name);
      module = calls.nativeModule();
      // Links it, so that a failure is reported here.
      calls.getpagesize();
      return calls;
    } catch (LinkageError | ServiceConfigurationError | IllegalCallerException e) {
      String flag = module.isNamed() ? module.getName() : "ALL-UNNAMED";
      throw new IllegalStateException(
          "no native access: start Java with --enable-native-access="
              + flag
              + " ("
              + rootCause(e)
              + ")",
          e);
    }
  }

  private static LinuxCalls provider(String name) {
    List<String> names = new ArrayList<>(List.of(FfmCalls.NAME));
    for (LinuxCalls calls :
        ServiceLoader.load(LinuxCalls.class, LinuxCalls.class.getClassLoader())) {
      if (calls.name().equals(name)) {
        return calls;
      }
      names.add(calls.name());
    }
    throw new IllegalStateException(
        "-D"
            + PROPERTY
            + "="
            + name
            + ": not among the implementations found, "
            + names
            + "; is the module org.gatun.nativeaccess."
            + name
            + " on the module path?");
  }

  private static Throwable rootCause(Throwable e) {
    Throwable cause = e;
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    return cause;
  }
}
