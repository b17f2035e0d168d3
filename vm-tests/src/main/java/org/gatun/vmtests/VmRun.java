package org.gatun.vmtests;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.gatun.vmtests.inside.Inside;
import org.gatun.vmtests.inside.InsideMain;
import org.gatun.vmtests.inside.Monitor;
import org.gatun.vmtests.machine.Boot;
import org.gatun.vmtests.machine.Host;
import org.gatun.vmtests.machine.HostLacksException;
import org.gatun.vmtests.machine.TestDevice;
import org.gatun.vmtests.machine.VirtualMachine;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DynamicNode;
import org.opentest4j.TestAbortedException;

/**
 * One boot of a machine with a set of devices, and test classes that run in it. Made and run by a
 * {@code @TestFactory}:
 *
 * <pre>{@code
 * @TestFactory
 * Stream<DynamicNode> edu() throws Exception {
 *   return VmRun.named("edu")
 *       .device(new Edu("edu", Place.ROOT_PORT))
 *       .tests(EduInVm.class)
 *       .run();
 * }
 * }</pre>
 *
 * <p>The classes are marked {@link InVm}. They find the devices and properties through {@link
 * Inside}.
 */
public final class VmRun {
  @FunctionalInterface
  private interface HostSearch {
    Host find(Map<String, String> environment) throws HostLacksException, IOException;
  }

  /**
   * What the environment demands, separated by commas: with {@code vm}, a missing QEMU is a
   * failure.
   */
  private static final String REQUIRE = "GATUN_REQUIRE";

  private final Path directory;
  private final List<TestDevice> devices = new ArrayList<>();
  private final List<Class<?>> classes = new ArrayList<>();
  private final Map<String, String> properties = new LinkedHashMap<>();
  private final List<String> jvmOptions = new ArrayList<>();
  private Duration limit = Duration.ofMinutes(3);
  private boolean iommu = true;
  private boolean hotPlug;
  private String kernelOptions = "";

  private VmRun(Path directory) {
    this.directory = directory;
  }

  /**
   * A run with its files in {@code target/vm/NAME} of this module.
   *
   * @throws TestAbortedException if the host lacks something: the test is skipped, or with {@code
   *     GATUN_REQUIRE=vm} an AssertionError, and it fails
   */
  public static VmRun named(String name) throws IOException {
    requireHost(System.getenv());
    // surefire's "basedir" is the module's folder; in an IDE it is mostly the working directory.
    Path module = Path.of(System.getProperty("basedir", "")).toAbsolutePath();
    Path directory = module.resolve("target/vm").resolve(name);
    Files.createDirectories(directory);
    return new VmRun(directory);
  }

  /** A directory for disk images and the like. They are still there after the run. */
  public Path directory() {
    return directory;
  }

  /** The directory that the tests inside can write, at the same path. */
  public Path share() {
    return directory.resolve(VirtualMachine.SHARE);
  }

  public VmRun device(TestDevice device) {
    devices.add(device);
    return this;
  }

  public VmRun tests(Class<?>... testClasses) {
    classes.addAll(List.of(testClasses));
    return this;
  }

  /** Sets a system property inside. */
  public VmRun property(String name, String value) {
    properties.put(name, value);
    return this;
  }

  /** Adds an option of the Java machine inside. */
  public VmRun jvmOption(String option) {
    jvmOptions.add(option);
    return this;
  }

  /** Leaves the machine's IOMMU out. */
  public VmRun withoutIommu() {
    iommu = false;
    return this;
  }

  /** Lets devices be pulled out and plugged in, by {@link Monitor}. */
  public VmRun hotPlug() {
    hotPlug = true;
    return this;
  }

  /** Adds to the kernel's command line. */
  public VmRun kernelOptions(String options) {
    kernelOptions = options;
    return this;
  }

  /** The most that the whole run may take, from QEMU's start to its end; 3 minutes unless set. */
  public VmRun limit(Duration most) {
    limit = most;
    return this;
  }

  /**
   * Boots, runs the classes, waits for the end, and returns the results as tests that pass, fail or
   * are skipped.
   */
  public Stream<DynamicNode> run() throws IOException, InterruptedException {
    VirtualMachine machine =
        new VirtualMachine(requireHost(System.getenv()), directory, devices)
            .kernelOptions(kernelOptions);
    if (!iommu) {
      machine.withoutIommu();
    }
    if (hotPlug) {
      machine.hotPlug();
    }
    Path events = machine.share().resolve("events");
    Files.deleteIfExists(events);
    Boot boot = machine.run(javaCommand(machine, events), limit);
    System.out.println(directory.getFileName() + ": " + boot.summary());
    return new VmReport(boot, events).nodes();
  }

  private List<String> javaCommand(VirtualMachine machine, Path events) throws IOException {
    List<String> arguments = new ArrayList<>();
    arguments.add("-ea");
    // An emulated processor is slow, and most of what is compiled best never pays for that.
    arguments.add("-XX:TieredStopAtLevel=1");
    arguments.add("-XX:+UseSerialGC");
    arguments.add("--enable-native-access=ALL-UNNAMED");
    arguments.add("--illegal-native-access=deny");
    arguments.addAll(jvmOptions);
    Map<String, String> all = new LinkedHashMap<>(properties);
    all.put(Inside.SHARE, machine.share().toString());
    machine.addresses().forEach((id, address) -> all.put(Inside.DEVICE + id, address));
    all.forEach((name, value) -> arguments.add("-D" + name + "=" + value));
    arguments.addAll(List.of("-cp", classPath(), InsideMain.class.getName(), events.toString()));
    classes.forEach(testClass -> arguments.add(testClass.getName()));
    // A class path is longer than some limits; a file is not. Quotes and backslashes are escaped in
    // such a file.
    Path file = machine.share().resolve("java.arguments");
    Files.write(
        file,
        arguments.stream()
            .map(a -> '"' + a.replace("\\", "\\\\").replace("\"", "\\\"") + '"')
            .toList());
    return List.of(Path.of(System.getProperty("java.home"), "bin/java").toString(), "@" + file);
  }

  /** This process's class path, absolute: the machine has the same files at the same paths. */
  static String classPath() {
    // surefire starts its process with a jar that holds only the class path, and tells the real one
    // in this property.
    String path =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    return String.join(
        File.pathSeparator,
        Arrays.stream(path.split(File.pathSeparator))
            .filter(entry -> !entry.isEmpty())
            .map(entry -> Path.of(entry).toAbsolutePath().toString())
            .toList());
  }

  /**
   * The host if it has all; otherwise skips the test, or fails it if the environment demands the
   * machine.
   */
  static Host requireHost(Map<String, String> environment) throws IOException {
    return require(environment, Host::find);
  }

  /** The same for a host whose QEMU has vfio-user-pci. */
  static Host requireVfioUserHost(Map<String, String> environment) throws IOException {
    return require(environment, Host::findWithVfioUser);
  }

  /** Skips the test, or fails it, as those do, if the host lacks a program. */
  static void requireProgram(Map<String, String> environment, String program, String remedy) {
    boolean there =
        Arrays.stream(environment.getOrDefault("PATH", "").split(File.pathSeparator))
            .anyMatch(directory -> Files.isExecutable(Path.of(directory, program)));
    if (!there) {
      throw lacks(environment, "there is no " + program + "; " + remedy, null);
    }
  }

  private static Host require(Map<String, String> environment, HostSearch search)
      throws IOException {
    try {
      return search.find(environment);
    } catch (HostLacksException e) {
      throw lacks(environment, String.valueOf(e.getMessage()), e);
    }
  }

  private static TestAbortedException lacks(
      Map<String, String> environment, String what, @Nullable Throwable cause) {
    String required = environment.getOrDefault(REQUIRE, "");
    if (Arrays.asList(required.split(",")).contains("vm")) {
      throw new AssertionError(what + " (" + REQUIRE + "=" + required + ")", cause);
    }
    return new TestAbortedException(what, cause);
  }
}
