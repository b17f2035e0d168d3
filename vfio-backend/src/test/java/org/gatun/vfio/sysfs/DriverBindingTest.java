package org.gatun.vfio.sysfs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.assertj.core.api.AbstractThrowableAssert;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.PciAddress;
import org.gatun.pci.TimeSource;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DriverBindingTest {
  private static final String TEXT = "0000:01:00.0";
  private static final PciAddress ADDRESS = PciAddress.parse(TEXT);
  private static final String OVERRIDE = "sys/devices/pci0000:00/0000:01:00.0/driver_override";

  @TempDir Path directory;
  private Path journal;
  private FakeMachine machine;
  private DriverBinding binding;

  @BeforeEach
  void boot() {
    machine = new FakeMachine(directory.resolve("root")).driver("vfio-pci");
    journal = directory.resolve("journal");
    binding = newProcess();
  }

  @Test
  void bindsAndRestores() throws IOException {
    machine.device(TEXT, "nvme", 7);

    assertThat(binding.bind(ADDRESS)).contains("nvme");
    assertThat(machine.driverOf(TEXT)).contains("vfio-pci");
    assertThat(newProcess().formerDriver(ADDRESS)).contains("nvme");

    assertThat(newProcess().restore(ADDRESS)).contains("nvme");
    assertThat(machine.driverOf(TEXT)).contains("nvme");
    assertThat(Files.readString(directory.resolve("root").resolve(OVERRIDE)).strip()).isEmpty();
    assertThat(journal).isEmptyDirectory();
  }

  @Test
  void bindsWhatNoIommuConfinesToUioAndRestores() {
    machine.device(TEXT, "nvme", -1);

    assertThat(binding.bind(ADDRESS, DriverBinding.UIO_PCI_GENERIC)).contains("nvme");
    assertThat(machine.driverOf(TEXT)).contains("uio_pci_generic");
    assertThat(newProcess().bind(ADDRESS, DriverBinding.UIO_PCI_GENERIC)).contains("nvme");

    assertThat(newProcess().restore(ADDRESS)).contains("nvme");
    assertThat(machine.driverOf(TEXT)).contains("nvme");
    assertThat(journal).isEmptyDirectory();
  }

  @Test
  void theFirstDriverComesBackAfterBoth() {
    machine.device(TEXT, "nvme", 7);
    binding.bind(ADDRESS, DriverBinding.UIO_PCI_GENERIC);

    assertThat(newProcess().bind(ADDRESS)).contains("nvme");
    assertThat(machine.driverOf(TEXT)).contains("vfio-pci");

    assertThat(newProcess().restore(ADDRESS)).contains("nvme");
  }

  @Test
  void whoHasTheUioNodeKeepsTheDevice() {
    machine.device(TEXT, "nvme", -1);
    binding.bind(ADDRESS, DriverBinding.UIO_PCI_GENERIC);
    machine.directory(machine.real(TEXT) + "/uio/uio3").process(4711, "java", "dev/uio3");

    assertThatThrownBy(() -> newProcess().restore(ADDRESS))
        .isInstanceOf(DeviceUnavailableException.class)
        .hasMessageContaining("process 4711 (java)");
    assertThat(machine.driverOf(TEXT)).contains("uio_pci_generic");
  }

  @Test
  void otherTargetsAreRefused() {
    machine.device(TEXT, "nvme", 7);

    assertThatThrownBy(() -> binding.bind(ADDRESS, "e1000e"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("e1000e");
  }

  @Test
  void theJournalIsWrittenBeforeAnythingChanges() {
    machine.device(TEXT, "nvme", 7);
    machine.killAfter = 0;

    assertThatThrownBy(() -> binding.bind(ADDRESS)).isInstanceOf(FakeMachine.KilledError.class);

    assertThat(machine.calls).isEmpty();
    assertThat(newProcess().formerDriver(ADDRESS)).contains("nvme");
  }

  @Test
  void aKillAtAnyStepLeavesWhatBindAndRestoreTakeFromThere() {
    machine.device(TEXT, "nvme", 7);
    Consumer<DriverBinding> bind = b -> b.bind(ADDRESS);
    Consumer<DriverBinding> restore = b -> b.restore(ADDRESS);
    int killed = 0;
    for (int steps = 0; steps < 4; steps++) {
      for (boolean binds : List.of(true, false)) {
        Consumer<DriverBinding> next = binds ? bind : restore;
        killed += killed(bind, steps);
        next.accept(newProcess());
        assertThat(machine.driverOf(TEXT)).contains(binds ? "vfio-pci" : "nvme");

        newProcess().bind(ADDRESS);
        killed += killed(restore, steps);
        next.accept(newProcess());
        assertThat(machine.driverOf(TEXT)).contains(binds ? "vfio-pci" : "nvme");
        assertThat(machine.sysfs().device(ADDRESS).orElseThrow().driverOverride())
            .isEqualTo(binds ? Optional.of("vfio-pci") : Optional.empty());

        assertThat(newProcess().restore(ADDRESS)).contains("nvme");
        assertThat(journal).isEmptyDirectory();
        assertThat(machine.sysfs().device(ADDRESS).orElseThrow().driverOverride()).isEmpty();
      }
    }
    // 3 steps each to bind and to restore: kills before the first, second and third.
    assertThat(killed).isEqualTo(2 * 2 * 3);
  }

  @Test
  void aKillBeforeTheDriverIsTakenLeavesNoOverride() {
    machine.device(TEXT, "nvme", 7);
    // The override is written, and then the process dies.
    assertThat(killed(b -> b.bind(ADDRESS), 1)).isEqualTo(1);
    assertThat(machine.driverOf(TEXT)).contains("nvme");

    assertThat(newProcess().restore(ADDRESS)).contains("nvme");

    assertThat(machine.sysfs().device(ADDRESS).orElseThrow().driverOverride()).isEmpty();
    assertThat(journal).isEmptyDirectory();
  }

  @Test
  void whatAKilledWriterLeavesInTheJournalIsRemoved() throws IOException {
    machine.device(TEXT, "nvme", 7);
    binding.bind(ADDRESS);
    Files.createFile(journal.resolve(TEXT + ".123.new"));

    newProcess().restore(ADDRESS);

    assertThat(journal).isEmptyDirectory();
  }

  @Test
  void everybodyCanReadTheJournal() throws IOException {
    machine.device(TEXT, "nvme", 7);
    binding.bind(ADDRESS);
    try (Stream<Path> entries = Files.list(journal)) {
      assertThat(entries)
          .singleElement()
          .satisfies(
              entry ->
                  assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(entry)))
                      .isEqualTo("rw-r--r--"));
    }
  }

  @Test
  void aBindThatFailsGivesTheDeviceBack() {
    machine.device(TEXT, "nvme", 7);
    KernelControl refusing =
        new KernelControl() {
          @Override
          public void write(Path file, String text) throws IOException {
            if (file.endsWith("vfio-pci/bind")) {
              throw new IOException("Invalid argument");
            }
            machine.write(file, text);
          }

          @Override
          public void loadModule(String module) {}
        };
    DriverBinding refused =
        new DriverBinding(
            machine.sysfs(), new DriverJournal(journal), refusing, new FastTime(() -> {}));

    assertThatThrownBy(() -> refused.bind(ADDRESS))
        .isInstanceOf(DeviceUnavailableException.class)
        .hasMessageContaining("Invalid argument");

    assertThat(machine.driverOf(TEXT)).contains("nvme");
    assertThat(machine.sysfs().device(ADDRESS).orElseThrow().driverOverride()).isEmpty();
    assertThat(journal).isEmptyDirectory();
  }

  @Test
  void bothAreIdempotent() {
    machine.device(TEXT, "nvme", 7);

    binding.bind(ADDRESS);
    assertThat(binding.bind(ADDRESS)).contains("nvme");
    assertThat(machine.driverOf(TEXT)).contains("vfio-pci");
    binding.restore(ADDRESS);
    assertThat(binding.restore(ADDRESS)).contains("nvme");
    assertThat(machine.driverOf(TEXT)).contains("nvme");
  }

  @Test
  void aDeviceWithoutDriverGetsNoneBack() {
    machine.device(TEXT, "", 7);

    assertThat(binding.bind(ADDRESS)).isEmpty();
    assertThat(machine.driverOf(TEXT)).contains("vfio-pci");
    assertThat(binding.restore(ADDRESS)).isEmpty();
    assertThat(machine.driverOf(TEXT)).isEmpty();
    assertThat(journal).isEmptyDirectory();
  }

  @Test
  void theFormerOverrideIsRestoredToo() throws IOException {
    machine.device(TEXT, "nvme", 7).file(OVERRIDE, "nvme\n");

    binding.bind(ADDRESS);
    binding.restore(ADDRESS);

    assertThat(Files.readString(directory.resolve("root").resolve(OVERRIDE))).isEqualTo("nvme");
  }

  @Test
  void whatOthersBoundIsLeftToTheKernelToPlace() {
    machine.device(TEXT, "vfio-pci", 7).driver("nvme");

    assertThat(binding.bind(ADDRESS)).isEmpty();
    assertThat(binding.restore(ADDRESS)).contains("nvme");
  }

  @Test
  void anOldJournalDoesNotOverruleADriverThatIsThereNow() {
    machine.device(TEXT, "nvme", 7);
    binding.bind(ADDRESS);
    // By hand, behind our back, to another driver.
    machine.file(OVERRIDE, "").device(TEXT, "uio_pci_generic", 7);

    assertThat(binding.bind(ADDRESS)).contains("uio_pci_generic");
    assertThat(binding.restore(ADDRESS)).contains("uio_pci_generic");
  }

  @Test
  void loadsTheModulesThatAreMissing() throws IOException {
    machine.device(TEXT, "nvme", 7);
    Files.delete(directory.resolve("root/sys/bus/pci/drivers/vfio-pci"));

    binding.bind(ADDRESS);
    assertThat(machine.calls).first().isEqualTo("modprobe vfio-pci");
    Files.delete(directory.resolve("root/sys/bus/pci/drivers/nvme"));
    assertThat(binding.restore(ADDRESS)).contains("nvme");
  }

  @Test
  void saysWhatToRunIfAModuleIsMissing() throws IOException {
    machine.device(TEXT, "nvme", 7).installedModules.clear();
    Files.delete(directory.resolve("root/sys/bus/pci/drivers/vfio-pci"));

    refusesToBind().hasMessageContaining("modprobe vfio-pci").hasMessageContaining("as root");
    assertThat(machine.driverOf(TEXT)).contains("nvme");
  }

  @Test
  void saysThatItNeedsRoot() {
    machine.device(TEXT, "nvme", 7);
    machine.asRoot = false;

    assertThatThrownBy(() -> binding.bind(ADDRESS))
        .isInstanceOf(DeviceUnavailableException.class)
        .hasMessageContaining("run this as root");
    assertThat(machine.driverOf(TEXT)).contains("nvme");
  }

  @Test
  void refusesWhatIsNotThere() {
    refusesToBind().hasMessageStartingWith("vfio:0000:01:00.0: there is no such device; ");
  }

  @Test
  void refusesBridges() {
    machine.device(TEXT, "", 7).config(TEXT, 1);

    refusesToBind().hasMessageContaining("bridge");
  }

  @Test
  void refusesWithoutIommu() {
    machine.device(TEXT, "nvme", -1);

    refusesToBind().hasMessageContaining("no IOMMU confines it");
  }

  @Test
  void refusesTheDefaultRoute() {
    machine.device(TEXT, "e1000e", 7).networkInterface(TEXT, "eth0");
    machine.file(
        "proc/net/route",
        """
        Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
        eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
        """);

    refusesToBind().hasMessageContaining("it carries the default route (eth0)");
  }

  @Test
  void refusesTheDefaultRouteOfWhatIsBuiltUponAnInterface() {
    machine
        .device(TEXT, "e1000e", 7)
        .networkInterface(TEXT, "eth0")
        .link("sys/class/net/eth0/upper_bond0", Path.of("sys/devices/virtual/net/bond0"))
        .directory("sys/devices/virtual/net/bond0")
        .link("sys/class/net/bond0", Path.of("sys/devices/virtual/net/bond0"))
        .directory("sys/devices/virtual/net/bond0/upper_br0");
    String zero = "0".repeat(32);
    machine.file(
        "proc/net/ipv6_route",
        zero
            + " 00 "
            + zero
            + " 00 fe80000000000000 00000400 00000001 00000000 00000003     br0\n");

    refusesToBind().hasMessageContaining("it carries the default route (br0)");
  }

  @Test
  void aRouteThatIsNotTheDefaultOneIsNoReason() {
    String zero = "0".repeat(32);
    machine
        .device(TEXT, "e1000e", 7)
        .networkInterface(TEXT, "eth1")
        .file(
            "proc/net/route",
            """
            Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
            eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
            eth1\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
            """)
        .file(
            "proc/net/ipv6_route",
            zero + " 00 " + zero + " 00 " + zero + " ffffffff 00000001 00000000 00200200 eth1\n");

    assertThat(binding.bind(ADDRESS)).contains("e1000e");
  }

  @Test
  void refusesAMountedPartition() {
    nvme().partition("nvme0n1", "nvme0n1p2", "259:2").mounted("259:2", "/dev/root", "/my\\040disk");

    refusesToBind().hasMessageContaining("nvme0n1p2 is mounted on /my disk");
  }

  @Test
  void refusesAMountThatOnlyItsNameTells() {
    nvme().mounted("0:42", "/dev/nvme0n1", "/btrfs");

    refusesToBind().hasMessageContaining("nvme0n1 is mounted on /btrfs");
  }

  @Test
  void refusesAMountThroughDeviceMapperAndLoop() {
    nvme()
        .directory("sys/class/block/nvme0n1/holders/dm-0")
        .disk("sys/devices/virtual", "dm-0", "253:0")
        .disk("sys/devices/virtual", "loop0", "7:0")
        .file("sys/class/block/loop0/loop/backing_file", "/dev/mapper/crypt\n")
        .link("dev/mapper/crypt", Path.of("dev/dm-0"))
        .file("dev/dm-0", "")
        .mounted("7:0", "/dev/loop0", "/srv");

    refusesToBind().hasMessageContaining("loop0 is mounted on /srv");
  }

  @Test
  void refusesADiskThatHangsBelowAMultipathSubsystem() {
    String subsystem = "sys/devices/virtual/nvme-subsystem/nvme-subsys0";
    machine
        .device(TEXT, "nvme", 7)
        .directory(machine.real(TEXT) + "/nvme/nvme0")
        .link(subsystem + "/nvme0", machine.real(TEXT).resolve("nvme/nvme0"))
        .link("sys/class/nvme-subsystem/nvme-subsys0", Path.of(subsystem))
        .disk(subsystem, "nvme0n1", "259:0")
        .mounted("259:0", "/dev/nvme0n1", "/data");

    refusesToBind().hasMessageContaining("nvme0n1 is mounted on /data");
  }

  @Test
  void refusesEachDiskOfABtrfsWhoseMountNamesAnotherOne() {
    nvme()
        .partition("nvme0n1", "nvme0n1p1", "259:1")
        .disk("sys/devices/virtual", "vda", "254:0")
        .directory("sys/fs/btrfs/features")
        .directory("sys/fs/btrfs/9b4f-11aa/devices/vda")
        .directory("sys/fs/btrfs/9b4f-11aa/devices/nvme0n1p1")
        .mounted("0:42", "/dev/vda", "/data");

    refusesToBind().hasMessageContaining("nvme0n1p1 is part of a mounted btrfs");
  }

  @Test
  void aBtrfsOfOtherDisksIsNoReason() {
    nvme()
        .disk("sys/devices/virtual", "vda", "254:0")
        .directory("sys/fs/btrfs/9b4f-11aa/devices/vda")
        .mounted("0:42", "/dev/vda", "/data");

    assertThat(binding.bind(ADDRESS)).contains("nvme");
  }

  @Test
  void refusesAMemberOfARaidThatIsMounted() {
    nvme()
        .partition("nvme0n1", "nvme0n1p1", "259:1")
        .directory("sys/class/block/nvme0n1p1/holders/md0")
        .disk("sys/devices/virtual", "md0", "9:0")
        .partition("md0", "md0p1", "259:9")
        .mounted("259:9", "/dev/md0p1", "/raid");

    refusesToBind().hasMessageContaining("md0p1 is mounted on /raid");
  }

  @Test
  void refusesAMountOfAnotherMountNamespace() {
    nvme()
        .mounted("self", "254:0", "/dev/vda", "/")
        .mountNamespace("self", 1)
        .process(30, "shell", "dev/null")
        .mountNamespace("30", 1)
        .process(200, "data\nbase", "dev/null")
        .mountNamespace("200", 2)
        .mounted("200", "259:0", "/dev/nvme0n1", "/data");

    refusesToBind()
        .hasMessageContaining("nvme0n1 is mounted on /data, as process 200 (data?base) sees it; ");
  }

  @Test
  void aProcessThatHasJustEndedDoesNotHideItsNamespace() {
    nvme()
        .mountNamespace("200", 2)
        .mountNamespace("1000", 2)
        .mounted("1000", "259:0", "/dev/nvme0n1", "/data");

    refusesToBind().hasMessageContaining("nvme0n1 is mounted on /data, as process 1000");
  }

  @Test
  void theNameOfAMountPointDoesNotBreakTheMessage() {
    nvme().mounted("259:0", "/dev/nvme0n1", "/a\\040b\\012c");

    refusesToBind().hasMessageContaining("nvme0n1 is mounted on /a b\\012c");
  }

  @Test
  void refusesAnInterfaceThatIsInAnotherNetworkNamespace() {
    machine.device(TEXT, "virtio-pci", 7).directory(machine.real(TEXT) + "/virtio0/net");

    refusesToBind().hasMessageContaining("its network interface is in another network namespace");
  }

  @Test
  void refusesAPhysicalFunctionWhoseVirtualFunctionIsUsed() {
    String virtual = "0000:01:10.0";
    machine
        .device(TEXT, "igb", 7)
        .device(virtual, "igbvf", 8)
        .link(machine.real(TEXT) + "/virtfn0", machine.real(virtual))
        .networkInterface(virtual, "eth1")
        .file(
            "proc/net/route",
            """
            Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
            eth1\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
            """);

    refusesToBind().hasMessageContaining("it carries the default route (eth1)");
  }

  @Test
  void refusesTheSwap() {
    nvme()
        .partition("nvme0n1", "nvme0n1p3", "259:3")
        .file("proc/swaps", "Filename Type Size Used Priority\n/dev/nvme0n1p3 partition 1 0 -2\n");

    refusesToBind().hasMessageContaining("nvme0n1p3 is used for swap");
  }

  @Test
  void aDiskThatIsNotUsedIsNoReason() {
    nvme()
        .disk("sys/devices/virtual", "vda", "254:0")
        .mounted("254:0", "/dev/vda", "/")
        .file("proc/swaps", "Filename Type Size Used Priority\n/swap file 1 0 -2\n");

    assertThat(binding.bind(ADDRESS)).contains("nvme");
  }

  @Test
  void restoreNamesWhoStillHoldsTheDevice() {
    machine.device(TEXT, "nvme", 7);
    binding.bind(ADDRESS);
    machine.process(4711, "java", "dev/vfio/7");

    assertThatThrownBy(() -> binding.restore(ADDRESS))
        .isInstanceOf(DeviceUnavailableException.class)
        .hasMessageContaining("process 4711 (java)");
    assertThat(machine.driverOf(TEXT)).contains("vfio-pci");
  }

  @Test
  void restoreWaitsForAHolderThatIsAboutToLetGo() {
    machine.device(TEXT, "nvme", 7);
    binding.bind(ADDRESS);
    machine.process(4711, "java", "dev/vfio/7");
    TimeSource time = new FastTime(() -> machine.endProcess(4711));

    assertThat(
            new DriverBinding(machine.sysfs(), new DriverJournal(journal), machine, time)
                .restore(ADDRESS))
        .contains("nvme");
  }

  @ParameterizedTest
  @ValueSource(strings = {"new", "connecting", "resetting"})
  void anNvmeDriverThatIsInTheMiddleOfSomethingIsWaitedFor(String state) {
    machine.device(TEXT, "nvme", 7);
    String file = machine.real(TEXT) + "/nvme/nvme0/state";
    machine.file(file, state + "\n");
    List<Integer> callsWhileSettling = new ArrayList<>();
    TimeSource time =
        new FastTime(
            () -> {
              callsWhileSettling.add(
                  (int) machine.calls.stream().filter(call -> call.contains("unbind")).count());
              machine.file(file, "live\n");
            });

    assertThat(
            new DriverBinding(machine.sysfs(), new DriverJournal(journal), machine, time)
                .bind(ADDRESS))
        .contains("nvme");
    assertThat(callsWhileSettling).containsExactly(0);
    assertThat(machine.driverOf(TEXT)).contains("vfio-pci");
  }

  @Test
  void anNvmeDriverThatNeverGetsReadyIsTakenFromAllTheSame() {
    machine.device(TEXT, "nvme", 7);
    machine.file(machine.real(TEXT) + "/nvme/nvme0/state", "connecting\n");

    assertThat(
            new DriverBinding(
                    machine.sysfs(), new DriverJournal(journal), machine, new FastTime(() -> {}))
                .bind(ADDRESS))
        .contains("nvme");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "driver=../../../etc\ndriver_override=\n", "driver=\n", "\u0000"})
  void aDamagedJournalIsAnErrorThatNamesIt(String text) throws IOException {
    machine.device(TEXT, "vfio-pci", 7);
    Files.createDirectories(journal);
    Files.writeString(journal.resolve(TEXT), text);

    assertThatThrownBy(() -> binding.restore(ADDRESS))
        .isInstanceOf(DeviceUnavailableException.class)
        .hasMessageContaining(journal.resolve(TEXT).toString());
    assertThat(machine.calls).isEmpty();
  }

  @Test
  void aDriverThatDoesNotTakeTheDeviceIsAnErrorAfterATime() {
    machine.device(TEXT, "nvme", 7);
    KernelControl slow =
        new KernelControl() {
          @Override
          public void write(Path file, String text) throws IOException {
            if (!file.endsWith("bind")) {
              machine.write(file, text);
            }
          }

          @Override
          public void loadModule(String module) {}
        };
    DriverBinding slowBinding =
        new DriverBinding(
            machine.sysfs(), new DriverJournal(journal), slow, new FastTime(() -> {}));

    assertThatThrownBy(() -> slowBinding.bind(ADDRESS))
        .isInstanceOf(DeviceUnavailableException.class)
        .hasMessageContaining("vfio-pci did not take it within 10 s");
    assertThat(newProcess().restore(ADDRESS)).contains("nvme");
  }

  private FakeMachine nvme() {
    return machine
        .device(TEXT, "nvme", 7)
        .disk(machine.real(TEXT) + "/nvme/nvme0", "nvme0n1", "259:0");
  }

  private AbstractThrowableAssert<?, ?> refusesToBind() {
    AbstractThrowableAssert<?, ?> refusal =
        assertThatThrownBy(() -> binding.bind(ADDRESS))
            .isInstanceOf(DeviceUnavailableException.class)
            .hasMessageNotContaining("\n");
    assertThat(machine.calls).noneMatch(call -> call.startsWith("write"));
    return refusal;
  }

  private DriverBinding newProcess() {
    return new DriverBinding(
        machine.sysfs(), new DriverJournal(journal), machine, TimeSource.system());
  }

  /** Runs until the process dies, and returns 1 if it did. */
  private int killed(Consumer<DriverBinding> operation, int steps) {
    machine.killAfter = steps;
    try {
      operation.accept(newProcess());
      return 0;
    } catch (FakeMachine.KilledError e) {
      return 1;
    } finally {
      machine.killAfter = -1;
    }
  }

  /** A clock that jumps ahead whenever anyone sleeps; meanwhile something happens. */
  private static final class FastTime implements TimeSource {
    private final Runnable meanwhile;
    private long now;

    FastTime(Runnable meanwhile) {
      this.meanwhile = meanwhile;
    }

    @Override
    public long nanoTime() {
      return now;
    }

    @Override
    public void sleep(Duration duration) {
      now += duration.toNanos();
      meanwhile.run();
    }

    @Override
    public void spin() {
      now++;
    }
  }
}
