package org.gatun.vmtests.machine;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.gatun.vmtests.machine.Boot.End;

/**
 * A machine that QEMU emulates in software: q35, with Intel's IOMMU unless it is left out, the
 * host's root file system with a layer in memory for what is written, and a few PCI devices, which
 * no driver is bound to. It boots, runs one command as root, and switches itself off. Not
 * thread-safe; each has a directory of its own.
 */
public final class VirtualMachine {
  /** The name, in the machine's directory, of the one that is shared for writing. */
  public static final String SHARE = "share";

  private static final String COMMON_OPTIONS =
      // panic=-1 with -no-reboot: QEMU ends at a panic. An oops is never a pass, so it is a panic.
      // The mitigations guard nobody here, and cost a tenth of the time.
      "console=ttyS0 quiet panic=-1 oops=panic mitigations=off no_timer_check log_buf_len=1M"
          // Tests look past VFIO into a BAR that is in use.
          + " iomem=relaxed";

  private final Host host;
  private final Path directory;
  private final PciLayout layout;
  private boolean iommu = true;
  private boolean hotPlug;
  private String kernelOptions = "";

  /**
   * @param directory for the machine's files: what is there is overwritten. Without blanks in its
   *     path.
   */
  public VirtualMachine(Host host, Path directory, List<TestDevice> devices) throws IOException {
    this.host = host;
    this.directory = directory.toAbsolutePath().normalize();
    this.layout = new PciLayout(devices);
    Files.createDirectories(share());
  }

  /** Leaves the IOMMU out. */
  public VirtualMachine withoutIommu() {
    iommu = false;
    return this;
  }

  /**
   * Lets what is behind a root port be pulled out and plugged in, by PCI Express's own means and
   * not ACPI's. The monitor with which that is done, QMP, is on the machine's second serial port.
   */
  public VirtualMachine hotPlug() {
    hotPlug = true;
    return this;
  }

  /** Adds to the kernel's command line. */
  public VirtualMachine kernelOptions(String options) {
    kernelOptions = options;
    return this;
  }

  /** The directory that is shared for writing: it has the same path inside and outside. */
  public Path share() {
    return directory.resolve(SHARE);
  }

  /** The PCI address of each device inside, {@code 0000:01:00.0}, by its id. */
  public Map<String, String> addresses() {
    return layout.addresses();
  }

  /**
   * Boots, runs the command and waits for the end. After 70 % of the limit the command gets
   * SIGQUIT, which a Java machine answers with a thread dump on the console, and the kernel prints
   * its blocked tasks.
   *
   * @param limit from QEMU's start to its end; then it is killed
   */
  public Boot run(List<String> command, Duration limit) throws IOException, InterruptedException {
    Path console = directory.resolve("console.log");
    Files.deleteIfExists(console);
    String script =
        """
        %s </dev/null &
        job=$!
        { sleep %d; kill -QUIT $job; echo w >/proc/sysrq-trigger; } &
        wait $job
        """
            .formatted(shellQuoted(command), limit.toSeconds() * 7 / 10);
    ProcessBuilder qemu = qemu(script, List.of("-serial", "file:" + PciLayout.quoted(console)));
    Path messages = directory.resolve("qemu.log");
    qemu.redirectInput(Path.of("/dev/null").toFile()).redirectErrorStream(true);
    qemu.redirectOutput(messages.toFile());
    long start = System.nanoTime();
    boolean ended = runToEnd(qemu, limit);
    Duration duration = Duration.ofNanos(System.nanoTime() - start);
    if (!Files.exists(console)) {
      throw new IOException("QEMU did not start: " + Files.readString(messages).strip());
    }
    int exitStatus = exitStatus();
    End end;
    if (!ended) {
      end = End.TIME_OUT;
    } else if (exitStatus >= 0) {
      end = End.ORDERLY;
    } else {
      boolean panic =
          new String(Files.readAllBytes(console), StandardCharsets.UTF_8).contains("Kernel panic");
      end = panic ? End.PANIC : End.EARLY;
    }
    return new Boot(end, exitStatus, console, share(), duration);
  }

  /**
   * Boots and runs the command on this process's own terminal, or standard input and output.
   *
   * @return its exit status, or -1 if the machine ended before it
   */
  public int runOnTerminal(List<String> command) throws IOException, InterruptedException {
    // A session of its own with the console as its terminal, so that Ctrl-C and job control work.
    // When the session's
    // first process ends, what the terminal has not printed yet is lost: so that is a shell that
    // waits for it.
    String session = "\"$@\"; status=$?; stty sane; exit $status";
    String script =
        "/usr/bin/setsid -c -w sh -c "
            + shellQuoted(Stream.concat(Stream.of(session, "sh"), command.stream()).toList())
            + " </dev/ttyS0 >/dev/ttyS0 2>&1";
    ProcessBuilder qemu =
        qemu(script, List.of("-chardev", "stdio,id=tty,signal=off", "-serial", "chardev:tty"));
    runToEnd(qemu.inheritIO(), Duration.ofDays(365));
    return exitStatus();
  }

  private ProcessBuilder qemu(String script, List<String> console) throws IOException {
    Path cache = directory.resolveSibling("kernel");
    Files.createDirectories(cache);
    Path initramfs = directory.resolve("initramfs");
    Files.write(initramfs, Initramfs.build(host.kernel(), host.busybox()));
    Files.deleteIfExists(exitFile());
    Files.writeString(
        share().resolve("run"),
        """
        export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
        %s
        echo $? >%s
        # Waits until the console has printed all; without that the last lines are lost.
        /usr/bin/stty -F /dev/ttyS0 sane
        busybox poweroff -f
        """
            .formatted(script, shellQuoted(List.of(exitFile().toString()))));
    String options = COMMON_OPTIONS + " gatun.share=" + share() + " " + kernelOptions;
    if (iommu) {
      options += " intel_iommu=on";
    }
    Path modules = host.kernel().modules();
    if (!modules.startsWith("/lib/modules")) {
      options += " gatun.modules=" + modules;
    }
    List<String> command = new ArrayList<>();
    // QEMU must not outlive this process even if that is killed. The signal comes when the *thread*
    // that starts it
    // ends: so it is started by the thread that waits for it.
    command.addAll(List.of("setpriv", "--pdeathsig", "KILL", "--", host.qemu().toString()));
    // One thread for both processors: with a thread each, QEMU 7.2 once ended by SIGSEGV. See
    // docs/decisions.md, 5.
    command.addAll(List.of("-accel", "tcg,thread=single", "-cpu", "max", "-smp", "2"));
    command.addAll(layout.machine("q35,kernel-irqchip=split", "2G"));
    command.addAll(List.of("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"));
    if (iommu) {
      command.addAll(List.of("-device", "intel-iommu,intremap=on,caching-mode=on"));
    }
    command.addAll(List.of("-kernel", host.kernel().unpacked(cache).toString()));
    command.addAll(List.of("-initrd", initramfs.toString(), "-append", options));
    command.addAll(share("root", Path.of("/"), ",readonly=on", 2));
    command.addAll(share("share", share(), "", 3));
    command.addAll(layout.arguments());
    command.addAll(console);
    if (hotPlug) {
      String socket = PciLayout.quoted(directory.resolve("monitor"));
      command.addAll(List.of("-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"));
      command.addAll(List.of("-chardev", "socket,id=monitor,server=on,wait=off,path=" + socket));
      command.addAll(List.of("-mon", "chardev=monitor,mode=control"));
      command.addAll(List.of("-chardev", "socket,id=second,path=" + socket));
      command.addAll(List.of("-serial", "chardev:second"));
    }
    return new ProcessBuilder(command);
  }

  private static List<String> share(String tag, Path path, String options, int slot) {
    return List.of(
        "-fsdev",
        "local,id=%s,path=%s,security_model=none,multidevs=remap%s"
            .formatted(tag, PciLayout.quoted(path), options),
        "-device",
        "virtio-9p-pci,fsdev=%s,mount_tag=%1$s,addr=%#x".formatted(tag, slot));
  }

  /** Returns whether QEMU ended by itself. On every way out it has ended. */
  private static boolean runToEnd(ProcessBuilder builder, Duration limit)
      throws IOException, InterruptedException {
    Process process = builder.start();
    Thread atShutdown = new Thread(process::destroyForcibly, "end-qemu");
    Runtime.getRuntime().addShutdownHook(atShutdown);
    try {
      return process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS);
    } finally {
      process.destroyForcibly();
      process.onExit().join();
      removeShutdownHook(atShutdown);
    }
  }

  private static void removeShutdownHook(Thread hook) {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException alreadyShuttingDown) {
      // Then the hook runs, and finds the process ended.
    }
  }

  private Path exitFile() {
    return share().resolve("exit");
  }

  private int exitStatus() throws IOException {
    if (!Files.exists(exitFile())) {
      return -1;
    }
    String text = Files.readString(exitFile()).strip();
    return text.matches("\\d{1,3}") ? Integer.parseInt(text) : -1;
  }

  private static String shellQuoted(List<String> command) {
    return command.stream()
        .map(word -> "'" + word.replace("'", "'\\''") + "'")
        .collect(Collectors.joining(" "));
  }
}
