package org.gatun.hostile;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.module.ModuleFinder;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.gatun.pci.Bar;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.ConfigRegisters;

/** Attempts of Java code to get what a guest is not to have. */
final class Attempts {
  /** An attempt, and what it got. */
  @FunctionalInterface
  interface Attempt {
    String make(PciDevice device, List<String> arguments) throws Exception;
  }

  private static final Map<String, Attempt> BY_NAME = byName();

  private Attempts() {}

  private static Map<String, Attempt> byName() {
    Map<String, Attempt> attempts = new TreeMap<>();
    attempts.put("read", (_, arguments) -> read(arguments.getFirst()));
    attempts.put("write", (_, arguments) -> write(arguments.getFirst()));
    attempts.put("list", (_, arguments) -> list(arguments.getFirst()));
    attempts.put("frame", (_, _) -> frame());
    attempts.put("exec", (_, arguments) -> exec(arguments));
    attempts.put("tcp", (_, _) -> tcp());
    attempts.put("udp", (_, _) -> udp());
    attempts.put("unix", (_, arguments) -> unix(arguments.getFirst()));
    attempts.put("destroy", (_, arguments) -> destroy(arguments.getFirst()));
    attempts.put("processes", (_, _) -> "sees " + ProcessHandle.allProcesses().count());
    attempts.put("native", (_, _) -> nativeAccess());
    attempts.put("modules", (_, arguments) -> modules(arguments.getFirst()));
    attempts.put("unsafe", (_, _) -> unsafe(ModuleLayer.boot()));
    attempts.put("own-layer", (_, arguments) -> ownLayer(arguments.getFirst()));
    attempts.put("internal", (_, _) -> internal());
    attempts.put("attach", (_, arguments) -> attach(arguments.getFirst()));
    attempts.put("wire", (_, arguments) -> WireAttempts.device(arguments));
    attempts.put("control", (_, arguments) -> WireAttempts.control(arguments));
    attempts.put("map", (_, arguments) -> MappingAttempts.make(arguments));
    attempts.put("numbers", (_, _) -> NativeAttempts.allNumbers());
    attempts.put("native-memory", (_, arguments) -> NativeAttempts.memory(arguments.getFirst()));
    attempts.put("dma-own", (device, _) -> DmaAttempt.own(device));
    attempts.put(
        "dma-at",
        (device, arguments) -> DmaAttempt.make(device, Long.decode(arguments.getFirst())));
    attempts.put("direct-memory", (_, _) -> directMemory());
    attempts.put("stream", (_, arguments) -> stream(Integer.parseInt(arguments.getFirst())));
    attempts.put("stay", (_, _) -> stay());
    attempts.put("module", (_, arguments) -> layer(arguments.getFirst()));
    attempts.put("config", (device, _) -> config(device));
    attempts.put("bar", (device, _) -> bar(device));
    attempts.put("dma", (device, _) -> dma(device));
    attempts.put("descriptors", (_, _) -> descriptors());
    attempts.put("threads", (_, _) -> threads());
    attempts.put("memory", (_, _) -> memory());
    attempts.put("output", (_, arguments) -> output(Integer.parseInt(arguments.getFirst())));
    attempts.put("exit", (_, arguments) -> exit(Integer.parseInt(arguments.getFirst())));
    return attempts;
  }

  /**
   * Makes some, and prints a line for each that says what came of it.
   *
   * @param texts each the name of an attempt and its arguments, with spaces between
   */
  static void run(PciDevice device, List<String> texts) {
    for (String text : texts) {
      String self = Long.toString(ProcessHandle.current().pid());
      List<String> words = List.of(text.replace("SELF", self).split(" ", -1));
      List<String> arguments = words.subList(1, words.size());
      String outcome;
      try {
        Attempt attempt = BY_NAME.get(words.getFirst());
        outcome =
            attempt != null
                ? attempt.make(device, arguments)
                : NativeAttempts.make(words.getFirst(), arguments);
      } catch (InvocationTargetException e) {
        outcome = "refused: " + e.getCause();
      } catch (Exception | LinkageError e) {
        outcome = "refused: " + e;
      }
      System.out.println("[" + text + "] " + outcome);
    }
  }

  private static String read(String path) throws IOException {
    try (var in = Files.newInputStream(Path.of(path))) {
      return "read " + in.readNBytes(1).length;
    }
  }

  private static String write(String path) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(path, "rw")) {
      return "can write to " + path + " of " + file.length();
    }
  }

  private static String list(String path) throws IOException {
    try (Stream<Path> files = Files.list(Path.of(path))) {
      return "found " + files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  /** Where in the machine's memory a page is that it has written to. */
  private static String frame() throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      return Page.at(arena.allocate(Page.SIZE, Page.SIZE).fill((byte) 1).address()).toString();
    }
  }

  private static String exec(List<String> command) throws IOException {
    return "started " + new ProcessBuilder(command).start().pid();
  }

  private static String tcp() throws IOException {
    try (SocketChannel channel = SocketChannel.open()) {
      return "connected "
          + channel.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), 22));
    }
  }

  private static String udp() throws IOException {
    try (DatagramChannel channel = DatagramChannel.open(StandardProtocolFamily.INET6)) {
      return "opened " + channel;
    }
  }

  private static String unix(String path) throws IOException {
    try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
      return "connected " + channel;
    }
  }

  private static String destroy(String pid) {
    return ProcessHandle.of(Long.parseLong(pid))
        .map(process -> process.destroyForcibly() ? "killed" : "refused")
        .orElse("refused: sees no such process");
  }

  /** As code does that has a linker and no right to it. */
  @SuppressWarnings("restricted") // that is the point
  private static String nativeAccess() {
    return "linked "
        + java.lang.foreign.Linker.nativeLinker()
            .downcallHandle(java.lang.foreign.FunctionDescriptor.ofVoid());
  }

  /** Whether code of the launcher's can be named. */
  private static String layer(String name) throws ReflectiveOperationException {
    Method first =
        Stream.of(Class.forName(name).getMethods())
            .filter(method -> Modifier.isStatic(method.getModifiers()))
            .findFirst()
            .orElseThrow();
    return "got " + first.invoke(null, new Object[first.getParameterCount()]);
  }

  /** What there is besides its own, of those whose names begin so. */
  private static String modules(String prefix) {
    return ModuleLayer.boot().modules().stream()
        .map(Module::getName)
        .filter(name -> name.startsWith(prefix))
        .sorted()
        .toList()
        .toString();
  }

  /** Raw memory, if the JDK's own way to it is there. */
  private static String unsafe(ModuleLayer layer) throws ReflectiveOperationException {
    Class<?> unsafe =
        Class.forName(layer.findModule("jdk.unsupported").orElseThrow(), "sun.misc.Unsafe");
    if (unsafe == null) {
      return "refused: no such class";
    }
    var field = unsafe.getDeclaredField("theUnsafe");
    field.setAccessible(true);
    return "read " + unsafe.getMethod("getLong", long.class).invoke(field.get(null), 0x1000L);
  }

  /** A module of the JDK's that was left out, brought in by the guest itself. */
  private static String ownLayer(String module) throws ReflectiveOperationException {
    ModuleLayer boot = ModuleLayer.boot();
    var configuration =
        boot.configuration().resolve(ModuleFinder.ofSystem(), ModuleFinder.of(), Set.of(module));
    ModuleLayer layer =
        boot.defineModulesWithOneLoader(configuration, ClassLoader.getPlatformClassLoader());
    return module.equals("jdk.unsupported") ? unsafe(layer) : manage(layer);
  }

  /** What a guest could do with its JVM's management: write the heap to a file. */
  private static String manage(ModuleLayer layer) throws ReflectiveOperationException {
    Class<?> bean =
        Class.forName(
            layer.findModule("jdk.management").orElseThrow(),
            "com.sun.management.HotSpotDiagnosticMXBean");
    Class<?> factory =
        Class.forName(
            layer.findModule("java.management").orElseThrow(),
            "java.lang.management.ManagementFactory");
    Object diagnostics = factory.getMethod("getPlatformMXBean", Class.class).invoke(null, bean);
    bean.getMethod("dumpHeap", String.class, boolean.class)
        .invoke(diagnostics, "/heap.hprof", true);
    return "dumped";
  }

  private static String internal() throws ReflectiveOperationException {
    return "got " + Class.forName("jdk.internal.misc.Unsafe").getMethod("getUnsafe").invoke(null);
  }

  private static String attach(String pid) throws ReflectiveOperationException {
    return "attached "
        + Class.forName("com.sun.tools.attach.VirtualMachine")
            .getMethod("attach", String.class)
            .invoke(null, pid);
  }

  private static String config(PciDevice device) {
    int bar = device.config().read32(ConfigRegisters.BAR0);
    device.config().write32(ConfigRegisters.BAR0, bar ^ 0x1000_0000);
    device.config().write32(ConfigRegisters.VENDOR_ID, 0x1111_2222);
    return device.config().read32(ConfigRegisters.BAR0) == bar ? "unchanged" : "changed";
  }

  private static String bar(PciDevice device) {
    Bar bar = device.bars().getFirst();
    return "mapped " + bar.map(bar.size() - 4, 8);
  }

  private static String dma(PciDevice device) {
    try (Arena arena = Arena.ofConfined()) {
      return "mapped "
          + device
              .dma()
              .mapAt(0x1000, arena.allocate(4096, 4096), DmaDirection.BIDIRECTIONAL)
              .busAddress();
    }
  }

  private static String descriptors() {
    List<RandomAccessFile> files = new ArrayList<>();
    try {
      while (true) {
        files.add(new RandomAccessFile("/dev/null", "r"));
      }
    } catch (IOException e) {
      int count = files.size();
      files.forEach(Attempts::close);
      return "got " + count + ", then " + e.getMessage();
    }
  }

  private static void close(RandomAccessFile file) {
    try {
      file.close();
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String threads() {
    int count = 0;
    try {
      for (; count < 100_000; count++) {
        Thread.ofPlatform()
            .daemon()
            .start(
                () -> {
                  try {
                    Thread.sleep(Long.MAX_VALUE);
                  } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                  }
                });
      }
    } catch (OutOfMemoryError e) {
      return "got " + count + ", then " + e.getMessage();
    }
    return "got " + count;
  }

  private static String memory() {
    List<byte[]> all = new ArrayList<>();
    while (true) {
      all.add(new byte[1 << 20]);
      if (all.size() > 100_000) {
        return "got " + all.size() + " MiB";
      }
    }
  }

  /** Off the heap, as much as there is. */
  private static String directMemory() {
    List<MemorySegment> all = new ArrayList<>();
    try (Arena arena = Arena.ofConfined()) {
      while (all.size() < 4096) {
        all.add(arena.allocate(1 << 20).fill((byte) 1));
      }
    } catch (OutOfMemoryError e) {
      return "got " + all.size() + " MiB, then " + e.getMessage();
    }
    return "got " + all.size() + " MiB";
  }

  /** Output of one line that does not end. */
  private static String stream(int kibibytes) {
    String text = "x".repeat(1024);
    for (int i = 0; i < kibibytes; i++) {
      System.out.print(text);
    }
    System.out.println();
    return "printed " + kibibytes;
  }

  private static String stay() throws InterruptedException {
    new CountDownLatch(1).await();
    return "left";
  }

  private static String output(int lines) {
    for (int i = 0; i < lines; i++) {
      System.out.println("line " + i + " " + "x".repeat(1000));
    }
    return "printed " + lines;
  }

  private static String exit(int status) {
    System.exit(status);
    return "still there";
  }
}
