package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.BooleanSupplier;
import org.gatun.hostile.GuestModules;
import org.gatun.pci.TimeSource;
import org.gatun.vmtests.VfioDevices.Taken;
import org.gatun.vmtests.inside.Command;
import org.gatun.vmtests.inside.Inside;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The broker as a service of systemd, as it is packaged: for {@link ServiceTest}. */
@InVm
class ServiceInVm {
  /** The system property with the unit's file. */
  static final String UNIT = "gatun.unit";

  private static final String SERVICE = "gatun-broker.service";

  /** Not below {@code /home} or {@code /tmp}, of which the service sees nothing. */
  private static final Path INSTALLED = Path.of("/usr/lib/gatun");

  private static final Path POLICY = Path.of("/etc/gatun/policy.yaml");

  /** Where the service's output goes instead of to the journal, which is not there. */
  private static final Path LOG = Path.of("/run/gatun-broker.log");

  /** So many interrupts more: I/O is going. */
  private static final int GOING = 100;

  /** For Java machines that start, one after the other. */
  private static final Duration START_LIMIT = Duration.ofMinutes(5);

  private static final Duration LOOK = Duration.ofMillis(100);

  @RegisterExtension final VfioDevices devices = new VfioDevices();

  @Test
  void runsAGuestAndEndsWithIt() throws Exception {
    Taken disk = devices.device("disk", "nvme").bind();
    GatunCommand.install(Files.createDirectories(INSTALLED), Path.of("/usr/bin/gatun"));
    Files.createDirectories(Objects.requireNonNull(POLICY.getParent()));
    Files.writeString(POLICY, policy(disk));
    try (Systemd systemd = Systemd.start(units())) {
      systemd.run("systemctl", "start", SERVICE).expectSuccess();
      await("a guest's process", systemd, () -> !GuestProcesses.all().isEmpty());
      await("I/O", systemd, () -> disk.interrupts() >= GOING);
      disk.markInUse();
      String guests = systemd.run("/usr/bin/gatun", "guests", "--json").expectSuccess();
      assertThat(guests.replaceAll("\\s", ""))
          .contains("\"name\":\"disk\"", "\"state\":\"CONNECTED\"", disk.name().toString());

      systemd.run("systemctl", "stop", SERVICE).expectSuccess();

      assertThat(systemd.run("systemctl", "show", "-p", "ActiveState,Result", SERVICE).output())
          .as("the service: %s", log())
          .contains("ActiveState=inactive", "Result=success");
      assertThat(GuestProcesses.all()).as("processes of guests").isEmpty();
      assertThat(log().lines()).contains(disk.name() + ": released");
      assertThat(log()).doesNotContain("can't be", "not clean", "not granted again", "refused");
    }
    disk.checkAtRest();
    assertThat(PinnedMemory.now().pages()).as("pinned pages").isZero();
  }

  private static String policy(Taken disk) throws IOException, InterruptedException {
    List<String> path = new ArrayList<>();
    for (Path module : GuestModules.path()) {
      Path folder = Files.createDirectories(INSTALLED.resolve("guest/" + path.size()));
      Command.run("cp", "-r", module.toString(), folder.toString()).expectSuccess();
      path.add("'" + folder.resolve(module.getFileName()) + "'");
    }
    return """
    policies:
      - {id: "1b36:0010", vectors: 8}
    guests:
      - name: disk
        devices: ['%s']
        quota: {dma: 8M}
        program:
          module-path: [%s]
          module: org.gatun.hostile
          arguments: [disk]
          heap: 64M
    """
        .formatted(disk.name(), String.join(", ", path));
  }

  private static Path units() throws IOException {
    Path units = Files.createDirectories(Path.of("/run/gatun-units"));
    Files.copy(Path.of(Inside.property(UNIT)), units.resolve(SERVICE));
    Path more = Files.createDirectories(units.resolve(SERVICE + ".d"));
    Files.writeString(
        more.resolve("log.conf"),
        "[Service]\nStandardOutput=append:%s\nStandardError=append:%1$s\n".formatted(LOG));
    return units;
  }

  private static void await(String what, Systemd systemd, BooleanSupplier condition)
      throws Exception {
    assertThat(TimeSource.system().await(condition, START_LIMIT, LOOK))
        .as(
            "%s: %s%n%s",
            what, log(), systemd.run("systemctl", "status", "--full", SERVICE).output())
        .isTrue();
  }

  private static String log() {
    try {
      return Files.exists(LOG) ? Files.readString(LOG) : "";
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
