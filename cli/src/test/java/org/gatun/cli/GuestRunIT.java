package org.gatun.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import org.gatun.nativeaccess.Landlock;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Guests, compiled as a user would, run by the shipped command: in its process or in their own. */
@Timeout(120)
class GuestRunIT {
  private static final String MODULE =
      """
      module org.example.guest {
        requires org.gatun.driver.edu;
        provides org.gatun.pci.spi.PciGuest with org.example.guest.Guest;
      }
      """;

  /** A guest whose thread does what is put in. */
  private static final String GUEST =
      """
      package org.example.guest;

      import java.time.Duration;
      import java.util.List;
      import org.gatun.driver.edu.EduDevice;
      import org.gatun.driver.edu.EduOptions;
      import org.gatun.pci.PciDevice;
      import org.gatun.pci.spi.*;

      public final class Guest implements PciGuest {
        @Override
        public List<DeviceMatch> matches() {
          return List.of(new DeviceMatch.ById(0x1234, 0x11e8));
        }

        @Override
        public Attachment attach(PciDevice device, GuestContext context) {
          EduDevice edu =
              EduDevice.open(device, EduOptions.defaults().withTime(context.time()));
          context.threads().newThread(() -> work(edu, context)).start();
          return deadline -> {
            edu.close();
            System.out.println("let go");
          };
        }

        private static void work(EduDevice edu, GuestContext context) {
          %s
        }
      }
      """;

  @TempDir private Path folder;

  private Path classes(String moduleInfo, String guest) throws IOException {
    Path classes = folder.resolve("modules/org.example.guest");
    List<String> arguments = new ArrayList<>();
    arguments.addAll(List.of("-d", classes.toString(), "-p", ModulePathRun.MODULES.toString()));
    arguments.addAll(List.of("-proc:none", "-Xlint:none", "-nowarn"));
    for (Map.Entry<String, String> file :
        Map.of("module-info.java", moduleInfo, "org/example/guest/Guest.java", guest).entrySet()) {
      Path source = folder.resolve("src").resolve(file.getKey());
      Files.createDirectories(Optional.ofNullable(source.getParent()).orElseThrow());
      arguments.add(Files.writeString(source, file.getValue()).toString());
    }
    run("javac", arguments);
    return classes;
  }

  private static void run(String tool, List<String> arguments) {
    assertThat(
            ToolProvider.findFirst(tool)
                .orElseThrow()
                .run(System.out, System.err, arguments.toArray(String[]::new)))
        .as("%s %s", tool, arguments)
        .isZero();
  }

  private static Path driver() throws IOException {
    try (Stream<Path> files = Files.list(ModulePathRun.MODULES)) {
      return files.filter(file -> file.toString().contains("driver-edu")).findFirst().orElseThrow();
    }
  }

  /** As an in-process guest, and without its host's leave to be one. */
  private static ModulePathRun guestInProcess(Path modules, String device, String... arguments)
      throws Exception {
    return ModulePathRun.of(List.of(), processCommand(modules, device, arguments));
  }

  private static String[] processCommand(Path modules, String device, String... arguments)
      throws IOException {
    List<String> words = new ArrayList<>(List.of(command(modules, device, arguments)));
    words.remove("--in-process");
    if (Landlock.version() == 0) {
      words.add("--without=landlock");
    }
    return words.toArray(String[]::new);
  }

  private static String[] command(Path modules, String device, String... arguments)
      throws IOException {
    List<String> all = new ArrayList<>(List.of("guest", "run", "--in-process", "--module-path"));
    all.addAll(List.of(modules + ":" + driver(), "--module", "org.example.guest"));
    all.addAll(List.of("--device", device));
    for (String argument : arguments) {
      all.addAll(List.of("--arg", argument));
    }
    return all.toArray(String[]::new);
  }

  private static ModulePathRun guest(Path modules, String device, String... arguments)
      throws Exception {
    return ModulePathRun.of(List.of(), command(modules, device, arguments));
  }

  @Test
  void doesItsWorkAndIsDone() throws Exception {
    Path modules =
        classes(
            MODULE,
            GUEST.formatted(
                """
                int n = Integer.parseInt(context.arguments().getFirst());
                System.out.println(n + "! = " + edu.factorial(n));
                """));
    ModulePathRun run = guest(modules, "simulated:edu", "10");
    assertThat(run.err()).isEmpty();
    assertThat(run.out()).isEqualToIgnoringNewLines("10! = 3628800let go");
    assertThat(run.status()).isZero();

    ModulePathRun wrong = guest(modules, "simulated:nvme", "10");
    assertThat(wrong.err()).contains("org.example.guest can't drive simulated:nvme");
    assertThat(wrong.status()).isEqualTo(ExitCode.USAGE);

    ModulePathRun failing = guest(modules, "simulated:edu", "ten");
    assertThat(failing.err()).contains("guest org.example.guest failed", "\"ten\"");
    assertThat(failing.out()).contains("let go");
    assertThat(failing.status()).isEqualTo(ExitCode.FAILED);
  }

  private static void needsRoot() throws IOException {
    assumeTrue(
        Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0),
        "a guest's locks need root: run the tests as root");
  }

  @Test
  void doesItsWorkInAProcessOfItsOwn() throws Exception {
    needsRoot();
    Path modules =
        classes(
            MODULE,
            GUEST.formatted(
                """
                int n = Integer.parseInt(context.arguments().getFirst());
                System.out.println(n + "! = " + edu.factorial(n));
                System.out.println(ProcessHandle.allProcesses().count());
                """));
    ModulePathRun run = guestInProcess(modules, "simulated:edu", "10");
    assertThat(run.err()).isEmpty();
    assertThat(run.out()).isEqualTo("10! = 3628800\n1\nlet go\n");
    assertThat(run.status()).isZero();

    ModulePathRun wrong = guestInProcess(modules, "simulated:nvme", "10");
    assertThat(wrong.err()).contains("org.example.guest can't drive simulated:nvme");
    assertThat(wrong.status()).isEqualTo(ExitCode.FAILED);

    ModulePathRun failing = guestInProcess(modules, "simulated:edu", "ten");
    assertThat(failing.out()).contains("guest org.example.guest failed", "\"ten\"");
    assertThat(failing.status()).isEqualTo(ExitCode.FAILED);
  }

  /** A guest is another user than who makes its root, and has to find its way in it. */
  @Test
  void itsRootIsForItWhateverTheUmask() throws Exception {
    needsRoot();
    Path modules = classes(MODULE, GUEST.formatted("System.out.println(edu.factorial(5));"));
    ProcessBuilder command =
        ModulePathRun.command(List.of(), processCommand(modules, "simulated:edu"));
    command.command().addAll(0, List.of("sh", "-c", "umask 077; exec \"$@\"", "sh"));
    ModulePathRun run = ModulePathRun.of(command);
    assertThat(run.err()).isEmpty();
    assertThat(run.out()).startsWith("120\n");
    assertThat(run.status()).isZero();
  }

  @Test
  void whatAKilledRunLeavesIsRemovedByTheNext() throws Exception {
    assumeTrue(
        Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0),
        "a guest's locks need root: run the tests as root");
    Path modules =
        classes(
            MODULE,
            GUEST.formatted(
                """
                System.out.println("at work");
                while (context.arguments().isEmpty()) {
                  context.time().sleep(Duration.ofMillis(10));
                }
                """));
    Process process =
        ModulePathRun.command(List.of(), processCommand(modules, "simulated:edu")).start();
    Path left;
    List<Path> groups;
    try (BufferedReader out = process.inputReader(StandardCharsets.UTF_8)) {
      assertThat(out.readLine()).isEqualTo("at work");
      Path journal = journalOf(process.descendants().findFirst().orElseThrow().pid());
      left = Optional.ofNullable(journal.getParent()).orElseThrow();
      groups = groups(journal);
      // One that lives is left alone.
      assertThat(guestInProcess(modules, "simulated:edu", "done").status()).isZero();
      assertThat(journal).exists();
      process.toHandle().destroyForcibly();
      assertThat(process.waitFor()).isEqualTo(137);
    }
    assertThat(left).isDirectory();
    assertThat(groups).allMatch(Files::isDirectory);

    ModulePathRun next = guestInProcess(modules, "simulated:edu", "done");
    assertThat(next.err()).isEmpty();
    assertThat(next.status()).isZero();
    assertThat(left).doesNotExist();
    assertThat(groups).noneMatch(Files::exists);
  }

  /** The journal of the run with this guest, among those of all runs that there are. */
  private static Path journalOf(long guest) throws IOException {
    try (Stream<Path> runs = Files.list(Path.of("/run/gatun-guest-run"))) {
      return runs.map(run -> run.resolve("processes"))
          .filter(journal -> lines(journal).stream().anyMatch(line -> line.startsWith(guest + " ")))
          .findFirst()
          .orElseThrow();
    }
  }

  private static List<String> lines(Path journal) {
    try {
      return Files.readAllLines(journal);
    } catch (IOException e) {
      return List.of(); // the run has ended meanwhile, or this is no run's
    }
  }

  private static List<Path> groups(Path journal) {
    return lines(journal).stream()
        .filter(line -> line.startsWith("group "))
        .map(line -> Path.of(line.substring("group ".length())))
        .toList();
  }

  @Test
  void letsGoWhenTheProcessIsToEnd() throws Exception {
    Path modules =
        classes(
            MODULE,
            GUEST.formatted(
                """
                System.out.println("at work");
                while (true) {
                  context.time().sleep(Duration.ofMillis(10));
                }
                """));
    Process process = ModulePathRun.command(List.of(), command(modules, "simulated:edu")).start();
    try (BufferedReader out = process.inputReader(StandardCharsets.UTF_8)) {
      assertThat(out.readLine()).isEqualTo("at work");
      process.toHandle().destroy(); // Process.destroy closes the streams, too
      assertThat(out.readLine()).isEqualTo("let go");
    }
    assertThat(process.waitFor()).isEqualTo(143);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          module                    | requires java.net.http;            | work();                | may not require java.net.http
          module                    | requires jdk.unsupported;          | work();                | may not require jdk.unsupported
          module                    | requires org.gatun.nativeaccess;   | work();                | may not require org.gatun.nativeaccess
          module                    | requires org.gatun.simulated;      | work();                | may not require org.gatun.simulated
          open module               |                                    | work();                | it is open
          module                    |                                    | System.exit(0);        | may not use java.lang.System.exit
          module                    |                                    | new Thread().start();  | may not use java.lang.Thread.<init>
          """)
  void whatBreaksTheRulesIsNotLoaded(String kind, String requires, String work, String reason)
      throws Exception {
    String rule = requires == null ? "" : requires;
    Path modules =
        classes(
            MODULE
                .replaceFirst("module", kind)
                .replace("requires org.gatun.driver", rule + " requires org.gatun.driver"),
            GUEST.formatted(work.equals("work();") ? "" : work));
    ModulePathRun run = guest(modules, "simulated:edu");
    assertThat(run.err()).startsWith("gatun: guest org.example.guest is not loaded: ");
    assertThat(run.err()).contains(reason);
    assertThat(run.out()).isEmpty();
    assertThat(run.status()).isEqualTo(ExitCode.USAGE);
  }

  @Test
  void automaticModulesAreNotLoaded() throws Exception {
    Path classes = classes(MODULE, GUEST.formatted(""));
    Files.delete(classes.resolve("module-info.class"));
    Path jar = folder.resolve("guest.jar");
    Path manifest =
        Files.writeString(folder.resolve("manifest"), "Automatic-Module-Name: org.example.guest\n");
    run("jar", List.of("cfm", jar.toString(), manifest.toString(), "-C", classes.toString(), "."));
    assertThat(guest(jar, "simulated:edu").err()).contains("it has no module descriptor");
  }

  @Test
  void whatAsksForNativeAccessIsNotLoaded() throws Exception {
    Path classes = classes(MODULE, GUEST.formatted(""));
    Path jar = folder.resolve("guest.jar");
    Path manifest =
        Files.writeString(folder.resolve("manifest"), "Enable-Native-Access: ALL-UNNAMED\n");
    run("jar", List.of("cfm", jar.toString(), manifest.toString(), "-C", classes.toString(), "."));
    assertThat(guest(jar, "simulated:edu").err()).contains("asks for native access");
  }

  @Test
  void aModuleThatIsNotThereIsSaid() throws Exception {
    assertThat(guest(folder.resolve("nowhere"), "simulated:edu").err())
        .contains("there is no module org.example.guest");
  }
}
