package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.gatun.broker.Broker;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.Grant;
import org.gatun.broker.GrantRefusedException;
import org.gatun.broker.Quota;
import org.gatun.driver.edu.EduDevice;
import org.gatun.driver.edu.EduOptions;
import org.gatun.driver.nvme.Completion;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeDisk;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.TimeSource;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.spi.Hazard;
import org.gatun.pci.spi.SeizedDevice;
import org.gatun.vfio.VfioBackend;
import org.gatun.vmtests.VfioDevices.Taken;
import org.gatun.vmtests.inside.Inside;
import org.gatun.vmtests.inside.KernelLog;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Devices are taken from guests by force: for {@link BrokerTest}. */
@InVm
class RevocationInVm {
  static final String REVOCATIONS = "gatun.revocations";
  static final String SEED = "gatun.seed";

  /** What the outer test wrote at the beginning of the disk, and nobody overwrites. */
  static final long KEPT = 2L * DiskPattern.CHUNK;

  private static final int QUEUES = 4;
  private static final int LONGEST_LIFE_MILLIS = 300;
  private static final long QUEUE_BYTES = (long) GuestLoad.DEPTH * GuestLoad.IO_SIZE;
  private static final byte CANARY = (byte) 0xc5;

  /** Less than the longest that a child is waited for. */
  private static final Duration MOMENT = Duration.ofMillis(200);

  private static final EduOptions EDU_OPTIONS =
      EduOptions.defaults().withTimeout(Duration.ofMinutes(1));

  @RegisterExtension final VfioDevices devices = new VfioDevices();

  @TestFactory
  Stream<DynamicTest> inTheMiddleOfIo() {
    long seed = Long.parseLong(Inside.property(SEED));
    int revocations = Integer.parseInt(Inside.property(REVOCATIONS));
    Random random = new Random(seed);
    DiskPattern pattern = new DiskPattern(seed);
    Taken taken = devices.device("disk", "nvme").bind();
    Broker broker = new Broker(List.of(new VfioBackend()));
    broker.seize(taken.name());
    return Stream.iterate(1, i -> i + 1)
        .limit(revocations)
        .map(
            i -> {
              int life = random.nextInt(LONGEST_LIFE_MILLIS);
              long loadSeed = random.nextLong();
              return DynamicTest.dynamicTest(
                  "revocation %d, after %d ms".formatted(i, life),
                  () -> {
                    try (Arena arena = Arena.ofShared()) {
                      revokeDuringIo(broker, taken, arena, life, loadSeed, pattern);
                    }
                  });
            })
        .onClose(broker::close);
  }

  private static void revokeDuringIo(
      Broker broker, Taken taken, Arena arena, int life, long seed, DiskPattern pattern)
      throws Exception {
    KernelLog log = KernelLog.mark();
    // The guest's own memory: it is there after the grant, to see whether it is still written to.
    MemorySegment memory = arena.allocate(QUEUES * QUEUE_BYTES, 4096);
    Grant grant = grant(broker, taken.name());
    PciDevice device = grant.connect().getFirst();
    DmaBuffer buffer = device.dma().map(memory, DmaDirection.BIDIRECTIONAL);
    long busAddress = buffer.busAddress();
    NvmeController controller = NvmeController.open(device, NvmeOptions.defaults());
    CountDownLatch going = new CountDownLatch(QUEUES);
    List<Future<Throwable>> guests = new ArrayList<>();
    for (int i = 0; i < QUEUES; i++) {
      Completion completion = i % 2 == 0 ? Completion.POLL : Completion.INTERRUPT;
      guests.add(
          GuestLoad.start(controller, completion, buffer, i * QUEUE_BYTES, KEPT, seed + i, going));
    }
    assertThat(going.await(1, TimeUnit.MINUTES)).as("I/O is going on %s", guests).isTrue();
    taken.markInUse();
    Thread.sleep(life);
    assertThat(guests).noneMatch(Future::isDone);

    grant.revoke(Duration.ZERO);

    memory.fill(CANARY);
    int command = taken.sysfs().config().read16(ConfigRegisters.COMMAND);
    assertThat(command & (ConfigRegisters.COMMAND_BUS_MASTER | ConfigRegisters.COMMAND_MEMORY))
        .as("bus master and decode")
        .isZero();
    for (Future<Throwable> guest : guests) {
      assertThat(guest.get(1, TimeUnit.MINUTES)).satisfies(RevocationInVm::tellsThatItIsGone);
    }
    assertThatExceptionOfType(DeviceGoneException.class).isThrownBy(device::config);
    assertThatExceptionOfType(DeviceGoneException.class)
        .isThrownBy(() -> device.busMaster(true))
        .withMessageContaining(taken.name().toString());
    controller.close();

    // The next grant: what a command of the last one writes would arrive here.
    PciDevice next = grant(broker, taken.name()).connect().getFirst();
    next.dma().mapAt(busAddress, memory, DmaDirection.BIDIRECTIONAL);
    try (NvmeController again = NvmeController.open(next, NvmeOptions.defaults());
        NvmeDisk disk = again.openDisk(1)) {
      taken.markInUse();
      byte[] read = new byte[DiskPattern.CHUNK];
      for (long offset = 0; offset < KEPT; offset += DiskPattern.CHUNK) {
        disk.read(offset, read);
        pattern.check(offset, ByteBuffer.wrap(read));
      }
    }
    next.close();
    assertThat(mismatch(memory)).as("first byte of freed memory that was written").isEqualTo(-1);
    // DMA after the unmap: the IOMMU refuses it, and memory does not show it.
    assertThat(IommuFaults.of(log, taken.address())).as("accesses that were refused").isEmpty();
    assertThat(quarantine(broker)).isEmpty();
  }

  /** What a guest's thread ends with: the exception itself, or one that it caused. */
  private static void tellsThatItIsGone(Throwable end) {
    Stream<Throwable> causes = Stream.iterate(end, e -> e != null, (Throwable e) -> e.getCause());
    assertThat(causes)
        .as("what ended a guest's thread")
        .anyMatch(DeviceGoneException.class::isInstance);
  }

  private static long mismatch(MemorySegment memory) {
    for (long i = 0; i < memory.byteSize(); i++) {
      if (memory.get(ValueLayout.JAVA_BYTE, i) != CANARY) {
        return i;
      }
    }
    return -1;
  }

  @Test
  void aDeviceWithoutAResetEndsInQuarantine() {
    Taken taken = devices.device("root-bus-edu").bind();
    try (Broker broker = new Broker(List.of(new VfioBackend()))) {
      broker.seize(taken.name());
      assertThatExceptionOfType(GrantRefusedException.class)
          .isThrownBy(() -> grant(broker, taken.name()))
          .withMessageContaining(Hazard.MISSING_RESET.text());
      DeviceRequest request = DeviceRequest.of(taken.name()).accepting(Hazard.MISSING_RESET);
      Grant grant = broker.grant("guest", Quota.DEFAULT, List.of(request));
      try (EduDevice edu = EduDevice.open(grant.connect().getFirst(), EDU_OPTIONS)) {
        assertThat(edu.factorial(5)).isEqualTo(120);

        grant.revoke(Duration.ZERO);

        assertThatExceptionOfType(DeviceGoneException.class).isThrownBy(() -> edu.factorial(5));
      }
      assertThat(quarantine(broker)).hasValueSatisfying(r -> assertThat(r).contains("no reset"));
      assertThatExceptionOfType(GrantRefusedException.class)
          .isThrownBy(() -> broker.grant("next", Quota.DEFAULT, List.of(request)))
          .withMessageContaining("quarantine");
    }
  }

  /** There are ever more descriptors for it, so that it fails at each step that takes one. */
  @Test
  void anOpenThatFailsLeavesNoDescriptor() throws Exception {
    Taken taken = devices.device("edu").bind();
    VfioBackend backend = new VfioBackend();
    // Loads the classes, which takes descriptors too.
    backend.seize(taken.name()).close();
    Set<Integer> before = Descriptors.open();
    int failures = 0;
    try (Descriptors descriptors = new Descriptors()) {
      boolean opened = false;
      for (int left = 0; !opened; left++) {
        descriptors.leave(left);
        try (SeizedDevice device = backend.seize(taken.name())) {
          opened = device.usage().equals(PciDevice.Usage.NONE);
        } catch (PciException _) {
          failures++;
        } finally {
          descriptors.leaveAll();
        }
        assertThat(Descriptors.open()).as("with %d left", left).isEqualTo(before);
        assertThat(taken.holders()).as("with %d left", left).isEmpty();
      }
    }
    assertThat(failures).as("container, group and device").isGreaterThanOrEqualTo(3);
  }

  /** The kernel knows of it, and nobody else does: no proof, no next grant. */
  @ParameterizedTest
  @EnumSource
  void whatAnotherProcessHoldsEndsInQuarantine(HeldByOther.Loot loot) throws Exception {
    Taken taken = devices.device("edu").bind();
    try (Broker broker = new Broker(List.of(new VfioBackend()))) {
      broker.seize(taken.name());
      Grant grant = grant(broker, taken.name());
      grant.connect();
      Process other = startOther(loot);
      try (BufferedReader output = other.inputReader()) {
        assertThat(output.readLine()).isEqualTo(HeldByOther.HELD);

        grant.revoke(Duration.ZERO);

        assertThat(quarantine(broker))
            .hasValueSatisfying(reason -> assertThat(reason).contains("a process still has"));
        assertThatExceptionOfType(GrantRefusedException.class)
            .isThrownBy(() -> grant(broker, taken.name()))
            .withMessageContaining("quarantine");
      } finally {
        other.destroyForcibly();
        other.waitFor();
      }

      broker.release(taken.name());
      broker.seize(taken.name());
      try (PciDevice device = grant(broker, taken.name()).connect().getFirst();
          EduDevice edu = EduDevice.open(device, EDU_OPTIONS)) {
        taken.markInUse();
        assertThat(edu.factorial(5)).isEqualTo(120);
      }
      assertThat(quarantine(broker)).isEmpty();
    }
  }

  /** As a process has all that its parent has until it executes its program. */
  @ParameterizedTest
  @EnumSource
  void whatAnotherProcessHoldsForAMomentIsWaitedFor(HeldByOther.Loot loot) throws Exception {
    Taken taken = devices.device("edu").bind();
    try (Broker broker = new Broker(List.of(new VfioBackend()))) {
      broker.seize(taken.name());
      Grant grant = grant(broker, taken.name());
      grant.connect();
      Process other = startOther(loot);
      try (BufferedReader output = other.inputReader()) {
        assertThat(output.readLine()).isEqualTo(HeldByOther.HELD);
        Thread end = Thread.ofPlatform().start(() -> endAfterOurs(other));

        grant.revoke(Duration.ZERO);

        end.join();
        assertThat(quarantine(broker)).isEmpty();
      } finally {
        other.destroyForcibly();
        other.waitFor();
      }
    }
  }

  /** Ends the other process when this one has closed the device, and the kernel is asked. */
  private static void endAfterOurs(Process other) {
    Path own = Path.of("/proc/self/fd");
    TimeSource.system()
        .await(() -> !hasVfioDevice(own), Duration.ofMinutes(1), Duration.ofMillis(1));
    TimeSource.system().sleep(MOMENT);
    other.destroyForcibly();
  }

  private static boolean hasVfioDevice(Path descriptors) {
    try (Stream<Path> files = Files.list(descriptors)) {
      return files.anyMatch(file -> target(file).contains("[vfio-device]"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Nothing, of one that has been closed. */
  private static String target(Path descriptor) {
    try {
      return Files.readSymbolicLink(descriptor).toString();
    } catch (IOException _) {
      return "";
    }
  }

  private static Process startOther(HeldByOther.Loot loot) throws Exception {
    return new ProcessBuilder(
            List.of(
                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Xshare:auto",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                HeldByOther.class.getName(),
                String.valueOf(ProcessHandle.current().pid()),
                loot.name()))
        .redirectError(Redirect.INHERIT)
        .start();
  }

  private static Grant grant(Broker broker, DeviceName device) {
    return broker.grant("guest", Quota.DEFAULT, List.of(DeviceRequest.of(device)));
  }

  private static Optional<String> quarantine(Broker broker) {
    return broker.devices().getFirst().quarantine();
  }
}
