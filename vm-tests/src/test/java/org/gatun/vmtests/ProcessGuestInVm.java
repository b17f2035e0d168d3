package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.gatun.broker.Broker;
import org.gatun.broker.GrantRefusedException;
import org.gatun.broker.config.BrokerConfig;
import org.gatun.broker.service.BrokerEvent;
import org.gatun.broker.service.BrokerService;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.hostile.GuestModules;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.vfio.VfioBackend;
import org.gatun.vfiouser.VfioUserBackend;
import org.gatun.vmtests.VfioDevices.Taken;
import org.gatun.vmtests.inside.Inside;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Guests in processes of their own, all locks closed: for {@link ProcessGuestTest}. */
@InVm
class ProcessGuestInVm {
  static final String KILLS = "gatun.kills";
  static final String SEED = "gatun.seed";

  private static final int LONGEST_LIFE_MILLIS = 300;
  private static final Duration NEXT_GUEST = Duration.ofSeconds(5);
  private static final Duration PATIENCE = Duration.ofMinutes(2);

  @RegisterExtension final VfioDevices devices = new VfioDevices();

  private final BlockingQueue<BrokerEvent> events = new LinkedBlockingQueue<>();

  /** A broker with a guest that it runs, and another one that comes by itself. */
  private BrokerService start(DeviceName device, String arguments) throws IOException {
    return start("['" + device + "']", arguments);
  }

  private BrokerService start(String devices, String arguments) throws IOException {
    Path folder = Files.createTempDirectory("broker");
    BrokerConfig config =
        BrokerConfig.parse(
            "policy",
            """
            policies:
              # The driver takes all that there are, and the mark is in the last one.
              - {id: "1b36:0010", vectors: 8, on-release: nothing}
            guests:
              - name: program
                devices: %s
                quota: {dma: 8M}
                program:
                  module-path: %s
                  module: org.gatun.hostile
                  arguments: [%s]
                  heap: 64M
              - name: other
            """
                .formatted(devices, GuestModules.pathInPolicy(), arguments));
    BrokerService service =
        BrokerService.open(
            config,
            new BrokerService.Folders(folder.resolve("run"), folder.resolve("state")),
            List.of(new VfioBackend()));
    service.listen(events::add);
    boolean started = false;
    try {
      service.start();
      started = true;
      return service;
    } finally {
      if (!started) {
        service.close();
      }
    }
  }

  private <T extends BrokerEvent> T await(Class<T> kind) throws InterruptedException {
    while (true) {
      BrokerEvent event = events.poll(PATIENCE.toSeconds(), TimeUnit.SECONDS);
      assertThat(event).as(kind.getSimpleName()).isNotNull();
      if (kind.isInstance(event)) {
        return kind.cast(event);
      }
    }
  }

  @Test
  void worksBehindAllLocks() throws Exception {
    Taken edu = devices.device("edu").bind();
    try (BrokerService service = start(edu.name(), "edu")) {
      edu.markInUse();
      long process = await(BrokerEvent.Started.class).process();
      assertThat(edu.holders())
          .as("who has the device's descriptor")
          .extracting(holder -> holder.pid())
          .containsOnly((int) ProcessHandle.current().pid());
      assertThat(maps(process)).as("the guest has the BAR mapped").contains("[vfio-device]");
      service.revoke(edu.name(), PATIENCE);
      BrokerEvent.Ended ended = await(BrokerEvent.Ended.class);
      assertThat(ended.lastLines())
          .containsExactly("factorial 3628800", "round trip done", "let go");
    }
  }

  @Test
  void oneThatPretendsToLetGoIsFoundOut() throws Exception {
    Taken disk = devices.device("disk", "nvme").bind();
    try (BrokerService service = start(disk.name(), "pretend")) {
      long process = await(BrokerEvent.Started.class).process();
      // It has its registers mapped for as long as it lives, and for as long nobody gets the
      // device.
      int looks = 0;
      while (!isGranted(service, disk)) {
        String maps = maps(process);
        assertThat(maps.isEmpty() || maps.contains("[vfio-device]")).isTrue();
        looks += maps.isEmpty() ? 0 : 1;
        Thread.sleep(10);
      }
      assertThat(maps(process)).as("who had the device when it was granted").isEmpty();
      assertThat(looks).as("looks at it").isGreaterThan(10);
      BrokerEvent.Ended ended = await(BrokerEvent.Ended.class);
      assertThat(ended.reason()).isEqualTo("it let go of the broker and did not end");
      assertThat(ended.status()).isEqualTo(128 + 9);
      assertThat(ended.lastLines()).containsExactly("closed");
      drive(service, disk);
    }
  }

  @TestFactory
  Stream<DynamicTest> killedInTheMiddleOfIo() throws Exception {
    Random random = new Random(Long.parseLong(Inside.property(SEED)));
    int kills = Integer.parseInt(Inside.property(KILLS));
    Taken disk = devices.device("disk", "nvme").bind();
    BrokerService service = start("[]", "disk");
    // Once without a kill: the first time loads classes.
    driveAsOther(service, disk);
    service.revoke(disk.name(), Duration.ZERO);
    return Stream.iterate(1, i -> i + 1)
        .limit(kills)
        .map(
            i -> {
              int life = random.nextInt(LONGEST_LIFE_MILLIS);
              return DynamicTest.dynamicTest(
                  "kill %d, after %d ms".formatted(i, life), () -> kill(service, disk, life));
            })
        .onClose(service::close);
  }

  /** Kills the guest in the middle of its work, and has the other one drive the device. */
  private void kill(BrokerService service, Taken disk, int life) throws Exception {
    int descriptors = Descriptors.open().size();
    service.grant(disk.name(), "program");
    disk.markInUse();
    long process = await(BrokerEvent.Started.class).process();
    Thread.sleep(life);
    ProcessHandle.of(process).orElseThrow().destroyForcibly();
    long killed = System.nanoTime();
    assertThat(await(BrokerEvent.Ended.class).status()).isEqualTo(128 + 9);
    assertThat(PinnedMemory.now()).isEqualTo(PinnedMemory.NONE);
    driveAsOther(service, disk);
    Duration taken = Duration.ofNanos(System.nanoTime() - killed);
    System.out.println("in another guest's hands after " + taken.toMillis() + " ms");
    assertThat(taken).isLessThan(NEXT_GUEST);
    service.revoke(disk.name(), Duration.ZERO);
    // What serves the other guest ends in its own time.
    for (long end = System.nanoTime() + NEXT_GUEST.toNanos();
        Descriptors.open().size() > descriptors && System.nanoTime() < end; ) {
      Thread.sleep(10);
    }
    assertThat(Descriptors.open()).as("descriptors").hasSize(descriptors);
  }

  /** Grants it to the other one, if it can be had. */
  private static boolean isGranted(BrokerService service, Taken disk) throws IOException {
    try {
      service.grant(disk.name(), "other");
      return true;
    } catch (GrantRefusedException _) {
      return false;
    }
  }

  /** What a process has in its address space; nothing, if it has ended. */
  private static String maps(long process) throws IOException {
    try {
      return Files.readString(Path.of("/proc", Long.toString(process), "maps"));
    } catch (IOException e) {
      assertThat(ProcessHandle.of(process)).as("%s", e).isEmpty();
      return "";
    }
  }

  private static void driveAsOther(BrokerService service, Taken disk) throws IOException {
    assertThat(service.devices())
        .extracting(Broker.DeviceStatus::quarantine)
        .noneMatch(q -> q.isPresent());
    service.grant(disk.name(), "other");
    drive(service, disk);
  }

  private static void drive(BrokerService service, Taken disk) {
    Path socket = service.guests().getLast().directory().resolve("slot-0.0.sock");
    try (PciDevice granted =
            new VfioUserBackend().open(new DeviceName(VfioUserBackend.SCHEME, socket.toString()));
        NvmeController controller = NvmeController.open(granted, NvmeOptions.defaults())) {
      disk.checkReset();
      disk.markInUse();
      assertThat(controller.identity().serialNumber()).isEqualTo("disk");
    }
  }
}
