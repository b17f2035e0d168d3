package org.gatun.broker.guest;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.module.ModuleFinder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.gatun.driver.edu.EduDevice;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.hostile.Sources;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What classes may name, checked on what javac makes of sources. */
class ClassCheckTest {
  private final ClassCheck check = new ClassCheck(AllowedApi.read(), name -> name.startsWith("g."));

  @TempDir private Path folder;

  private List<String> check(String source) throws Exception {
    Path classes = Sources.compile(folder, Map.of("g/G.java", source));
    List<String> reasons = new ArrayList<>();
    try (Stream<Path> files = Files.walk(classes)) {
      for (Path file :
          (Iterable<Path>) files.filter(f -> f.toString().endsWith(".class"))::iterator) {
        reasons.addAll(check.check(classes.relativize(file).toString(), Files.readAllBytes(file)));
      }
    }
    return reasons;
  }

  @Test
  void ordinaryCodeIsAllowed() throws Exception {
    assertThat(
            check(
                """
                package g;
                import java.lang.foreign.*;
                import java.util.*;
                import java.util.concurrent.*;
                import java.util.function.*;
                import java.util.stream.*;
                class G {
                  sealed interface Shape {}
                  record Circle(double radius) implements Shape {}
                  record Square(double side) implements Shape {}
                  enum Colour { RED, GREEN }
                  static double area(Shape shape) {
                    return switch (shape) {
                      case Circle(double r) when r > 0 -> Math.PI * r * r;
                      case Circle _ -> 0;
                      case Square s -> s.side() * s.side();
                    };
                  }
                  static String name(Colour colour) {
                    return switch (colour) { case RED -> "r"; case GREEN -> "g"; };
                  }
                  static String any(Object any) {
                    return switch (any) {
                      case Colour c when c == Colour.RED -> "red";
                      case Colour.GREEN -> "green";
                      case Integer i -> "i" + i;
                      case null -> "null";
                      default -> any.toString();
                    };
                  }
                  static List<String> sorted(Collection<String> in) {
                    Supplier<TreeSet<String>> set = TreeSet::new;
                    return in.stream().map(s -> s + in.size()).collect(Collectors.toCollection(set))
                        .stream().toList();
                  }
                  static int sum(MemorySegment memory) {
                    int sum = 0;
                    for (long i = 0; i < memory.byteSize(); i += 4) {
                      sum += memory.get(ValueLayout.JAVA_INT, i);
                    }
                    assert sum > 0;
                    return sum;
                  }
                  static void run(ThreadFactory threads) throws InterruptedException {
                    Thread thread = threads.newThread(() -> System.out.println("hello"));
                    thread.start();
                    thread.join();
                    try (Arena arena = Arena.ofConfined()) {
                      arena.allocate(8);
                    }
                  }
                  static int[] copy(int[] in) { return in.clone(); }
                  static class Own extends RuntimeException {}
                }
                """))
        .isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          System.exit(1);                                            | System.exit
          Runtime.getRuntime().halt(1);                              | java.lang.Runtime
          System.load("/x.so");                                      | System.load
          System.setProperty("a", "b");                              | System.setProperty
          new ProcessBuilder("sh").start();                          | java.lang.ProcessBuilder
          new java.io.FileInputStream("/etc/passwd");                | java.io.FileInputStream
          new java.io.PrintStream("/tmp/x");                         | PrintStream.<init>
          new java.util.Scanner(new java.io.File("/x"));             | java.util.Scanner
          new java.util.Formatter("/tmp/x");                         | java.util.Formatter
          java.nio.file.Files.readString(java.nio.file.Path.of("x")); | java.nio.file.Files
          java.nio.channels.FileChannel.open(null);                  | java.nio.channels.FileChannel
          new java.net.Socket("localhost", 1);                       | java.net.Socket
          new Thread(() -> {}).start();                              | Thread.<init>
          Thread.ofVirtual();                                        | Thread.ofVirtual
          java.util.concurrent.Executors.newCachedThreadPool();      | java.util.concurrent.Executors
          Class.forName("java.lang.Runtime");                        | Class.forName
          G.class.getClassLoader();                                  | Class.getClassLoader
          G.class.getDeclaredMethods();                              | Class.getDeclaredMethods
          G.class.getModule();                                       | Class.getModule
          Object o = (Runnable) System::gc;                          | System.gc
          Object o = (java.util.function.IntConsumer) System::exit;  | System.exit
          Object o = new java.lang.reflect.Method[0];                | java.lang.reflect.Method
          Object o = (java.util.function.Supplier<Object>) ProcessBuilder::new; | java.lang.ProcessBuilder
          java.lang.invoke.MethodHandles.lookup();                   | MethodHandles.lookup
          java.lang.foreign.Linker.nativeLinker();                   | java.lang.foreign.Linker
          java.lang.foreign.MemorySegment.NULL.reinterpret(8);       | MemorySegment.reinterpret
          java.util.ServiceLoader.load(Runnable.class);              | java.util.ServiceLoader
          org.gatun.pci.spi.Backends.installed();                    | org.gatun.pci.spi.Backends
          class Loader extends ClassLoader {}                        | may not extend java.lang.ClassLoader
          class Worker extends Thread {}                             | may not extend java.lang.Thread
          class Sink extends java.io.PrintStream { Sink() { super(System.out); } } | may not extend java.io.PrintStream
          native class                                               | is native
          """)
  void whatIsNotOnTheListIsRefused(String statement, String reason) throws Exception {
    String source =
        statement.equals("native class")
            ? "package g; class G { native void go(); }"
            : "package g; class G { void go() throws Exception { %s } }".formatted(statement);
    List<String> reasons = check(source);
    assertThat(reasons).anyMatch(text -> text.contains(reason));
  }

  @Test
  void descriptorsAndConstantsCountToo() throws Exception {
    assertThat(check("package g; class G { ProcessHandle handle; }"))
        .containsExactly("g/G.class: it may not use java.lang.ProcessHandle");
    assertThat(check("package g; abstract class G { abstract java.net.URI uri(); }"))
        .containsExactly("g/G.class: it may not use java.net.URI");
    assertThat(check("package g; class G { Object o = java.nio.file.Path[][].class; }"))
        .containsExactly("g/G.class: it may not use java.nio.file.Path");
  }

  @Test
  void whatIsNoClassFileIsRefused() {
    for (byte[] bytes : List.of(new byte[0], new byte[] {1, 2, 3}, "not a class".getBytes(UTF_8))) {
      assertThat(check.check("g/G.class", bytes)).singleElement().asString().contains("no class");
    }
  }

  @ParameterizedTest
  @ValueSource(classes = {NvmeController.class, EduDevice.class})
  void ourDriversPass(Class<?> driver) throws Exception {
    Path path = Path.of(driver.getProtectionDomain().getCodeSource().getLocation().toURI());
    String module = ModuleFinder.of(path).findAll().iterator().next().descriptor().name();
    CheckedModules modules = CheckedModules.read(ModuleFinder.of(path), module);
    ClassCheck own =
        new ClassCheck(AllowedApi.read(), name -> name.startsWith(driver.getPackageName() + "."));
    List<String> reasons = new ArrayList<>();
    modules
        .resources(module)
        .forEach(
            (name, bytes) -> {
              if (name.endsWith(".class") && !name.equals("module-info.class")) {
                reasons.addAll(own.check(name, bytes));
              }
            });
    assertThat(modules.resources(module)).hasSizeGreaterThan(3);
    assertThat(reasons).isEmpty();
  }
}
