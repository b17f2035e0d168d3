package org.gatun.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.gatun.broker.Broker;
import org.gatun.broker.config.GuestProgram;
import org.gatun.broker.config.GuestProgram.Lock;
import org.gatun.driver.edu.EduDevice;
import org.gatun.driver.edu.EduOptions;
import org.gatun.nativeaccess.Landlock;
import org.gatun.nativeaccess.Privileges;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.config.PciIds;
import org.gatun.simulated.SimulatedBus;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code gatun demo}. */
@Command(
    name = "demo",
    mixinStandardHelpOptions = true,
    description = {
      "Drives a simulated edu device in this process, and has a broker grant a simulated NVMe disk"
          + " to a guest in a process of its own, behind the locks that this user and this kernel"
          + " have. Needs no root and no hardware.",
      "The guest (examples/demo-guest) writes 64 MiB of random data to the disk, reads it back and"
          + " compares."
    })
final class DemoCommand implements Callable<Integer> {
  private static final int FACTORIAL_OF = 10;
  private static final String GUEST = "org.example.demoguest";

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException, InterruptedException {
    Path modules = guestModules();
    PrintWriter out = spec.commandLine().getOut();
    try (SimulatedBus bus = SimulatedBus.realTime()) {
      DeviceName disk = bus.plug("nvme,size=128M");
      DeviceName edu = bus.plug("edu");
      out.println("A simulated PCI bus:");
      out.println();
      ListCommand.printTable(bus.scan(), PciIds.installed(), out);
      out.println();
      driveEdu(bus, edu, out);
      return grantDisk(bus, disk, modules, out);
    }
  }

  private static void driveEdu(SimulatedBus bus, DeviceName name, PrintWriter out) {
    try (PciDevice device = bus.open(name);
        EduDevice edu = EduDevice.open(device, EduOptions.defaults())) {
      out.printf("%s computes %d! = %d%n%n", name, FACTORIAL_OF, edu.factorial(FACTORIAL_OF));
    }
  }

  private int grantDisk(SimulatedBus bus, DeviceName disk, Path modules, PrintWriter out)
      throws IOException, InterruptedException {
    Interruption interruption = Gatun.of(spec).interruption;
    EnumSet<Lock> open = EnumSet.noneOf(Lock.class);
    out.printf("%s is granted to a guest, %s, in a process of its own.%n", disk, GUEST);
    if (!Privileges.canConfine()) {
      open.addAll(Set.of(Lock.NAMESPACES, Lock.USER));
      out.println("Without root's capabilities, its locks 'namespaces' and 'user' are left open.");
    }
    if (Landlock.version() == 0) {
      open.add(Lock.LANDLOCK);
      out.println("This kernel has no Landlock: its lock 'landlock' is left open.");
    }
    out.printf("Locked: %s.%n%n", names(EnumSet.complementOf(open)));
    out.flush();
    ForegroundGuest.Outcome outcome;
    try (Broker broker = new Broker(List.of(bus))) {
      interruption.guard(broker::close);
      broker.seize(disk);
      outcome =
          ForegroundGuest.run(
              broker,
              disk,
              GuestProgram.DEFAULT_DMA,
              new GuestProgram(
                  List.of(modules),
                  GUEST,
                  List.of("overwrite"),
                  Optional.empty(),
                  GuestProgram.DEFAULT_HEAP,
                  open,
                  GuestProgram.Supervision.DEFAULT,
                  GuestProgram.Limits.NONE),
              interruption);
    }
    if (interruption.isRequested()) {
      throw new PciException(disk, "interrupted before all was done", null, null);
    }
    out.printf(
        "%nThe guest was process %d, which ended with status %d: the broker has the disk back.%n",
        outcome.pid(), outcome.end().status());
    return outcome.end().isSuccess() ? ExitCode.OK : ExitCode.FAILED;
  }

  private static String names(Set<Lock> locks) {
    return locks.stream().map(Lock::text).collect(Collectors.joining(", "));
  }

  /**
   * The guest and its driver, which are no modules of this program's: in a folder beside that of
   * its modules.
   */
  private static Path guestModules() throws IOException {
    Path here;
    try {
      here = Path.of(DemoCommand.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
    Path guest = here.resolve("../../guests/demo-guest").normalize();
    if (!Files.isDirectory(guest)) {
      throw new IOException(
          "the demo's guest is missing: there is no %s; ./gatun builds it".formatted(guest));
    }
    return guest;
  }
}
