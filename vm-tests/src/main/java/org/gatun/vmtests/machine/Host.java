package org.gatun.vmtests.machine;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What a host must have to run the machine. */
public record Host(Path qemu, Path busybox, Kernel kernel) {
  /** The line that installs all of it. */
  public static final String INSTALL =
      "apt-get install qemu-system-x86 linux-image-amd64 busybox-static";

  /** The line that installs a QEMU with vfio-user-pci, in the root of this project. */
  public static final String INSTALL_VFIO_USER = ".ci/install-qemu-vfio-user";

  private static final String QEMU = "qemu-system-x86_64";
  private static final String VFIO_USER_ROOT = "/var/lib/gatun/qemu-vfio-user";

  /**
   * Looks for QEMU on the PATH, busybox, and the newest kernel of {@code /boot}, or the one that
   * the environment variable {@code GATUN_KERNEL} names: {@code …/boot/vmlinuz-RELEASE}, its
   * modules in {@code …/lib/modules/RELEASE}.
   *
   * @param environment mostly {@link System#getenv()}
   * @throws HostLacksException if something is missing, saying what, and the line that installs it
   */
  public static Host find(Map<String, String> environment) throws HostLacksException, IOException {
    Optional<Path> qemu = executable(environment, QEMU);
    List<String> missing = new ArrayList<>();
    if (qemu.isEmpty()) {
      missing.add(QEMU + " on the PATH");
    }
    return find(environment, qemu.orElse(Path.of(QEMU)), missing, INSTALL);
  }

  /**
   * The same with a QEMU that has vfio-user-pci: 10.1 or later, in the folder that the environment
   * variable {@code GATUN_QEMU_ROOT} names, or {@code /var/lib/gatun/qemu-vfio-user}.
   */
  public static Host findWithVfioUser(Map<String, String> environment)
      throws HostLacksException, IOException {
    Path qemu = Path.of(environment.getOrDefault("GATUN_QEMU_ROOT", VFIO_USER_ROOT), QEMU);
    List<String> missing = new ArrayList<>();
    if (!Files.isExecutable(qemu)) {
      missing.add(qemu + ", which has vfio-user-pci");
    }
    return find(environment, qemu, missing, INSTALL_VFIO_USER + " and " + INSTALL);
  }

  private static Host find(
      Map<String, String> environment, Path qemu, List<String> missing, String install)
      throws HostLacksException, IOException {
    Optional<Path> busybox = executable(environment, "busybox");
    String chosen = environment.get("GATUN_KERNEL");
    Optional<Kernel> kernel =
        chosen == null ? Kernel.newest(Path.of("/")) : Kernel.of(Path.of(chosen));
    if (busybox.isEmpty() || !isStatic(busybox.get())) {
      missing.add("a statically linked busybox on the PATH");
    }
    if (kernel.isEmpty()) {
      missing.add(
          (chosen == null ? "/boot/vmlinuz-*" : "GATUN_KERNEL=" + chosen)
              + " that can be read, with its modules");
    }
    if (!missing.isEmpty()) {
      throw new HostLacksException(
          "no virtual machine: missing "
              + String.join(", ", missing)
              + ". Install with: "
              + install);
    }
    return new Host(qemu, busybox.orElseThrow(), kernel.orElseThrow());
  }

  /** There are no libraries in the first root file system. */
  private static boolean isStatic(Path program) throws IOException {
    return !new String(Files.readAllBytes(program), StandardCharsets.ISO_8859_1)
        .contains("/ld-linux");
  }

  private static Optional<Path> executable(Map<String, String> environment, String name) {
    for (String directory : environment.getOrDefault("PATH", "").split(File.pathSeparator, -1)) {
      Path file = Path.of(directory, name);
      if (!directory.isEmpty() && Files.isExecutable(file)) {
        return Optional.of(file);
      }
    }
    return Optional.empty();
  }
}
