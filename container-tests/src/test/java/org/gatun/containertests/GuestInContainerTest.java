package org.gatun.containertests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.gatun.broker.config.BrokerConfig;
import org.gatun.broker.service.BrokerService;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeDisk;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.EduModel;
import org.gatun.simulated.SimulatedBus;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Guests that have their grant directory and nothing else. */
@Tag("containers")
@Timeout(180)
class GuestInContainerTest {
  /** Users, and their groups, that this machine does not know. */
  private static final int STORAGE = 60_001;

  private static final int TEACHING = 60_002;

  private static final long SEED = new Random().nextLong();

  private static String image;

  private final SimulatedBus bus = SimulatedBus.realTime();
  private final DeviceName nvme = bus.plug("nvme,size=4M");
  private final DeviceName edu = bus.plug("edu");
  private final DeviceName other = bus.plug("other", new EduModel());
  private final BrokerConfig config =
      BrokerConfig.parse(
          "policy",
          """
          guests:
            - {name: storage, devices: ['%s'], uids: [%d], gid: %d}
            - {name: teaching, devices: ['%s'], uids: [%d], gid: %d}
          """
              .formatted(nvme, STORAGE, STORAGE, other, TEACHING, TEACHING));

  @TempDir private Path folder;

  private BrokerService broker;
  private Path storage;
  private Path teaching;

  @BeforeAll
  static void build() throws Exception {
    image = Engine.buildImage();
  }

  @BeforeEach
  void start() throws IOException {
    BrokerService.Folders folders = new BrokerService.Folders(folder.resolve("run"), folder);
    broker = BrokerService.open(config, folders, List.of(bus));
    broker.start();
    storage = folders.guests().resolve("storage");
    teaching = folders.guests().resolve("teaching");
  }

  @AfterEach
  void stop() {
    broker.close();
    bus.close();
  }

  @Test
  void drivesWhatItIsGrantedUntilThatIsTaken() throws Exception {
    try (GuestContainer guest = GuestContainer.start(image, storage, STORAGE, 2, SEED)) {
      guest.await("sees [/gatun/slot-0.0.sock]");
      guest.await("slot-0.0 is 1b36:0010");
      guest.await("slot-0.0 reads what was written");

      broker.grant(edu, "storage");
      guest.await("sees [/gatun/slot-0.0.sock, /gatun/slot-1.0.sock]");
      guest.await("slot-1.0 is 1234:11e8");
      guest.await("slot-1.0 10! = 3628800");
      guest.await("slot-1.0 moved 4095 bytes by DMA and back");

      broker.revoke(edu, Duration.ofMinutes(5)); // the test has less
      assertThat(guest.await("slot-1.0 was let go"))
          .contains("slot-1.0 is wanted back")
          .doesNotContain("slot-1.0 is gone", "slot-0.0 is wanted back", "slot-0.0 is gone");
      guest.await(2, "sees [/gatun/slot-0.0.sock]");

      broker.revoke(nvme, Duration.ZERO);
      guest.await("sees []");
      assertThat(guest.await("done"))
          .contains("slot-0.0 is gone", "slot-0.0 was taken by force")
          .doesNotContain("slot-0.0 is wanted back");
      assertThat(guest.awaitExit()).isZero();
    }
    broker.close();
    assertThat(disk()).as("what this side reads").isEqualTo(DrivenDevice.pattern(SEED));
  }

  private byte[] disk() {
    byte[] bytes = new byte[DrivenDevice.pattern(SEED).length];
    try (PciDevice device = bus.open(nvme);
        NvmeController controller = NvmeController.open(device, NvmeOptions.defaults());
        NvmeDisk disk = controller.openDisk(1)) {
      disk.read(0, bytes);
    }
    return bytes;
  }

  @Test
  void reachesNothingElse() throws Exception {
    String others = teaching.resolve("slot-0.0.sock").toString();
    String besides = GuestContainer.GRANTS + "/../teaching/slot-0.0.sock";
    try (GuestContainer guest =
        GuestContainer.start(image, storage, STORAGE, 0, SEED, others, besides)) {
      assertThat(guest.await("done"))
          .contains(
              "interfaces [lo]",
              "Uid 60001 60001 60001 60001",
              "Gid 60001 60001 60001 60001",
              "Groups 60001",
              "CapPrm 0000000000000000",
              "CapEff 0000000000000000",
              "CapBnd 0000000000000000",
              "NoNewPrivs 1",
              "mounts " + mounts(),
              "writable [/dev/mqueue]", // of this container's
              "special " + special("/gatun/slot-0.0.sock"))
          .anyMatch(line -> line.startsWith("not reached " + others + ": "))
          .anyMatch(line -> line.startsWith("not reached " + besides + ": "));
    }
  }

  private static Set<String> mounts() {
    return Stream.concat(
            GuestContainer.CLASS_PATH.stream(),
            Stream.of(
                "/",
                GuestContainer.GRANTS,
                GuestContainer.JDK,
                // The engine makes these.
                "/etc/hostname",
                "/etc/hosts",
                "/etc/resolv.conf"))
        .map(path -> path + " ro")
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /** What any container has, and more. */
  private static Set<String> special(String... more) {
    Set<String> files =
        new TreeSet<>(
            List.of(
                "/dev/full",
                "/dev/null",
                "/dev/pts/ptmx",
                "/dev/random",
                "/dev/tty",
                "/dev/urandom",
                "/dev/zero"));
    files.addAll(List.of(more));
    return files;
  }

  @Test
  void onlyItsOwnUserGetsADevice() throws Exception {
    String socket = GuestContainer.GRANTS + "/slot-0.0.sock";
    try (GuestContainer guest = GuestContainer.start(image, teaching, TEACHING, 0, SEED, socket)) {
      assertThat(guest.await("done")).anyMatch(line -> line.startsWith("reached " + socket));
    }
    Files.setAttribute(teaching, "unix:gid", STORAGE);
    try (GuestContainer guest = GuestContainer.start(image, teaching, STORAGE, 0, SEED, socket)) {
      assertThat(guest.await("done")).anyMatch(line -> line.startsWith("not reached " + socket));
    }
  }

  /** What the other tests do not find is found where it is. */
  @Test
  void anOpenContainerIsSeenToBeOpen() throws Exception {
    try (GuestContainer guest =
        GuestContainer.startOpen(image, storage.resolve(".."), teaching, 0, SEED)) {
      List<String> lines = guest.await("done");
      assertThat(lines)
          .contains("Uid 0 0 0 0", "NoNewPrivs 0")
          .contains(
              "special "
                  + special(
                      "/dev/vfio/slot-0.0.sock",
                      "/gatun/storage/slot-0.0.sock",
                      "/gatun/teaching/slot-0.0.sock"))
          .doesNotContain("CapPrm 0000000000000000")
          .doesNotContain("CapEff 0000000000000000")
          .doesNotContain("CapBnd 0000000000000000");
      assertThat(line(lines, "interfaces ")).contains("eth0");
      assertThat(line(lines, "mounts ")).contains("/ rw", "/gatun rw", "/jdk ro");
      assertThat(line(lines, "writable ")).contains("/", "/dev/shm", "/gatun/storage");
    }
  }

  /** The elements of a set that the program has printed. */
  private static List<String> line(List<String> lines, String start) {
    String found = lines.stream().filter(line -> line.startsWith(start)).findFirst().orElseThrow();
    return List.of(found.substring(start.length() + 1, found.length() - 1).split(", ", -1));
  }
}
