package org.gatun.vmtests.machine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import org.gatun.vmtests.machine.TestDevice.E1000e;
import org.gatun.vmtests.machine.TestDevice.Edu;
import org.gatun.vmtests.machine.TestDevice.Namespace;
import org.gatun.vmtests.machine.TestDevice.Nvme;
import org.gatun.vmtests.machine.TestDevice.Place;

/**
 * A shell in the machine, with one device of each kind: what {@code vm-tests/shell} starts.
 * Arguments: the directory for the machine's files, and the words of a command. Without a command
 * it is an interactive shell, or, if standard input is not a terminal, a shell that runs what it
 * reads there.
 */
final class Shell {
  private static final long DISK_SIZE = 256L << 20;

  private Shell() {}

  static void main(String[] args) throws IOException, InterruptedException {
    try {
      System.exit(run(Path.of(args[0]), List.of(args).subList(1, args.length)));
    } catch (HostLacksException e) {
      System.err.println(e.getMessage());
      System.exit(2);
    }
  }

  private static int run(Path directory, List<String> words)
      throws HostLacksException, IOException, InterruptedException {
    Host host = Host.find(System.getenv());
    Path disk = directory.resolve("disk.img");
    List<TestDevice> devices =
        List.of(
            new Edu("edu", Place.ROOT_PORT),
            new Nvme("disk", Place.ROOT_PORT, List.of(new Namespace(disk, 512))),
            new E1000e("network", Place.ROOT_PORT),
            new Edu("root-bus-edu", Place.ROOT_BUS));
    VirtualMachine machine = new VirtualMachine(host, directory, devices);
    if ("off".equals(System.getenv("GATUN_IOMMU"))) {
      machine.withoutIommu();
    }
    if (!Files.exists(disk)) {
      DiskImage.blank(disk, DISK_SIZE);
    }
    StringBuilder greeting =
        new StringBuilder("Linux " + host.kernel().release() + ", no drivers bound");
    machine.addresses().forEach((id, address) -> greeting.append(", " + id + " at " + address));
    System.err.println(greeting);
    if (!words.isEmpty()) {
      return machine.runOnTerminal(words);
    }
    // A console loses what is typed too fast; a file does not.
    Path script = machine.share().resolve("script");
    Files.copy(System.in, script, StandardCopyOption.REPLACE_EXISTING);
    return machine.runOnTerminal(List.of("bash", script.toString()));
  }
}
