package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.FunctionDescription;
import org.gatun.simulated.ModelContext;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.RunningModel;
import org.gatun.simulated.SimulatedBackend;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.fault.Fault;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.vfiouser.DeviceExport;
import org.gatun.vfiouser.ExportOptions;
import org.gatun.vmtests.machine.Boot;
import org.gatun.vmtests.machine.Host;
import org.gatun.vmtests.machine.QtestBar;
import org.gatun.vmtests.machine.QtestDevice;
import org.gatun.vmtests.machine.QtestMachine;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.gatun.vmtests.machine.TestDevice.VfioUser;
import org.gatun.vmtests.machine.VirtualMachine;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Our device models behind our server, as QEMU's vfio-user client sees them. */
class ServedToQemuTest {
  private static final Duration LIMIT = Duration.ofSeconds(30);

  @TempDir Path directory;
  private Host host;

  @BeforeEach
  void host() throws IOException {
    host = VmRun.requireVfioUserHost(System.getenv());
  }

  @Test
  void edu() throws IOException {
    try (Served served = new Served("edu");
        QtestMachine machine = served.machine()) {
      QtestDevice edu = machine.device("served");
      assertThat(edu.read32(0)).isEqualTo(0x11e8_1234);
      assertThat(edu.read16(2)).isEqualTo((short) 0x11e8);
      assertThat(edu.read8(1)).isEqualTo((byte) 0x12);
      assertThat(edu.read32(0x30)).as("no ROM").isZero();

      QtestBar bar = edu.bar(0).orElseThrow();
      assertThat(bar.size()).isEqualTo(1 << 20);
      assertThat(bar.ports() || bar.is64() || bar.prefetchable()).isFalse();
      for (int other = 1; other < 6; other++) {
        assertThat(edu.bar(other)).isEmpty();
      }
      edu.write16(4, 0);
      assertThat(bar.read32(0)).as("without decode").isNotEqualTo(0x0100_00ed);
      edu.enable();
      assertThat(bar.read32(0)).isEqualTo(0x0100_00ed);
      bar.write32(4, 0x1234_5678);
      assertThat(bar.read32(4)).isEqualTo(~0x1234_5678);
    }
  }

  /** QEMU, docs/specs/edu.rst: a copy into the device's buffer, and back to another place. */
  @Test
  void eduReadsAndWritesMemoryOfTheMachine() throws IOException {
    try (Served served = new Served("edu");
        QtestMachine machine = served.machine()) {
      QtestDevice edu = machine.device("served");
      QtestBar bar = edu.bar(0).orElseThrow();
      edu.enable();
      machine.write64(0x20_0000, 0x0123_4567_89ab_cdefL);
      bar.write64(0x80, 0x20_0000);
      bar.write64(0x88, 0x4_0000);
      bar.write64(0x90, 8);
      bar.write64(0x98, 1);
      await("the end of the DMA", () -> (bar.read64(0x98) & 1) == 0);
      bar.write64(0x80, 0x4_0000);
      bar.write64(0x88, 0x30_0000);
      bar.write64(0x98, 3);
      await("the end of the DMA", () -> (bar.read64(0x98) & 1) == 0);
      assertThat(machine.read64(0x30_0000)).isEqualTo(0x0123_4567_89ab_cdefL);
    }
  }

  /** NVM Express Base Specification 2.0c: registers 3.1.3, admin queues 3.5.1, Identify 5.17. */
  @Test
  void nvmeIdentifiesItself() throws IOException {
    try (Served served = new Served("nvme,size=16M");
        QtestMachine machine = served.machine()) {
      QtestDevice disk = machine.device("served");
      assertThat(disk.read32(8) >>> 8).as("class: NVMe").isEqualTo(0x01_08_02);
      QtestBar bar = disk.bar(0).orElseThrow();
      assertThat(bar.is64()).isTrue();
      disk.enable();
      long capabilities = bar.read64(0);
      assertThat(capabilities)
          .isEqualTo(Integer.toUnsignedLong(bar.read32(0)) | ((long) bar.read32(4) << 32));
      assertThat((capabilities >>> 37) & 1).as("the NVM command set").isOne();

      long submissions = 0x10_0000;
      long completions = 0x10_1000;
      long data = 0x10_2000;
      bar.write32(0x24, 0x000f_000f); // AQA: 16 entries each
      bar.write64(0x28, submissions); // ASQ
      bar.write64(0x30, completions); // ACQ
      bar.write32(0x14, 0x0046_0001); // CC: enabled, entries of 64 and 16 bytes
      await("CSTS.RDY", () -> (bar.read32(0x1c) & 1) != 0);
      machine.write32(submissions, 0x0042_0006); // Identify, command 0x42
      machine.write64(submissions + 24, data); // PRP 1
      machine.write32(submissions + 40, 1); // the controller
      bar.write32(0x1000, 1); // the admin queue's doorbell
      await("the completion", () -> (machine.read32(completions + 12) & 0x1_0000) != 0);
      assertThat(machine.read32(completions + 12)).as("success").isEqualTo(0x1_0042);
      byte[] model = new byte[5];
      for (int i = 0; i < model.length; i++) {
        model[i] = machine.read8(data + 24 + i);
      }
      assertThat(new String(model, StandardCharsets.US_ASCII)).isEqualTo("Gatun");
    }
  }

  @Test
  void oneMachineAfterTheOther() throws IOException {
    try (Served served = new Served("edu")) {
      for (int i = 0; i < 3; i++) {
        try (QtestMachine machine = served.machine()) {
          QtestBar bar = machine.device("served").bar(0).orElseThrow();
          machine.device("served").enable();
          assertThat(bar.read32(0)).isEqualTo(0x0100_00ed);
        }
      }
    }
  }

  @Test
  void theMachineLivesWhenTheServerIsGone() throws IOException {
    try (Served served = new Served("edu");
        QtestMachine machine = served.machine()) {
      QtestDevice edu = machine.device("served");
      QtestBar bar = edu.bar(0).orElseThrow();
      edu.enable();
      served.stop();
      assertThat(bar.read32(0)).isEqualTo(~0);
      machine.write32(0x20_0000, 7);
      assertThat(machine.read32(0x20_0000)).isEqualTo(7);
    }
  }

  @Test
  void linuxKeepsFilesOnOurDisk() throws Exception {
    Path files = VmRun.named("linux-served-nvme").directory();
    try (Served served = new Served("nvme,size=256M")) {
      LinuxNvme linux =
          new LinuxNvme(host, files, new VfioUser("served", Place.ROOT_PORT, served.socket()));
      linux.copiesFiles();
      linux.findsTheFilesAgain();
    }
  }

  /** Linux's driver uses Doorbell Buffer Config of its own accord. */
  @Test
  void linuxKeepsFilesOnOurDiskWithShadowDoorbells() throws Exception {
    Path files = VmRun.named("linux-shadow-nvme").directory();
    Commands commands =
        new Commands(NvmeModel.builder().size(256 << 20).shadowDoorbells(true).build());
    try (Served served = new Served(bus -> bus.plug("nvme", commands))) {
      LinuxNvme linux =
          new LinuxNvme(host, files, new VfioUser("served", Place.ROOT_PORT, served.socket()));
      linux.copiesFiles();
      linux.findsTheFilesAgain();
    }
    assertThat(commands.seen)
        .contains(Fault.ADMIN | Fault.command(0, AdminOpcode.DOORBELL_BUFFER_CONFIG));
  }

  /** It refuses a second controller with the names of the first. */
  @Test
  void linuxTakesTwoOfOurDisks() throws Exception {
    Path files = VmRun.named("linux-two-served-nvme").directory();
    DeviceName name = DeviceName.parse("simulated:nvme,size=16M");
    Path oneSocket = directory.resolve("one.sock");
    Path otherSocket = directory.resolve("other.sock");
    try (PciDevice one = new SimulatedBackend().open(name);
        DeviceExport _ = DeviceExport.listen(one, oneSocket, ExportOptions.DEFAULT);
        PciDevice other = new SimulatedBackend().open(name);
        DeviceExport _ = DeviceExport.listen(other, otherSocket, ExportOptions.DEFAULT)) {
      VirtualMachine machine =
          new VirtualMachine(
                  host,
                  files,
                  List.of(
                      new VfioUser("one", Place.ROOT_PORT, oneSocket),
                      new VfioUser("other", Place.ROOT_PORT, otherSocket)))
              .withoutIommu();
      String script =
          """
          modprobe nvme
          for _ in {1..200}; do
            [ -b /dev/nvme0n1 ] && [ -b /dev/nvme1n1 ] && exit 0
            sleep 0.1
          done
          dmesg | grep nvme
          exit 1
          """;
      Boot boot = machine.run(List.of("bash", "-c", script), Duration.ofMinutes(5));
      assertThat(boot.successful()).as(boot.report()).isTrue();
    }
  }

  /** QEMU tells us then which memory the disk may use, transfer by transfer. */
  @Test
  void linuxKeepsFilesOnOurDiskBehindAnIommu() throws Exception {
    Path files = VmRun.named("linux-served-nvme-iommu").directory();
    try (Served served = new Served("nvme,size=256M")) {
      new LinuxNvme(host, files, new VfioUser("served", Place.ROOT_PORT, served.socket()))
          .behindIommu()
          .copiesFiles();
    }
    assertThat(Files.readString(files.resolve("qemu.log")))
        .as("what was unmapped is free to be mapped again")
        .doesNotContain("File exists");
  }

  @Test
  void linuxSeesAnErrorWhenTheServerIsKilled() throws Exception {
    Path files = VmRun.named("linux-killed-nvme").directory();
    Path socket = directory.resolve("device.sock");
    try (ServerProcess server = ServerProcess.start("nvme,size=256M", socket)) {
      LinuxNvme linux = new LinuxNvme(host, files, new VfioUser("served", Place.ROOT_PORT, socket));

      Boot boot = linux.readsUntilItFails(server::kill);

      assertThat(boot.successful()).as(boot.report()).isTrue();
      assertThat(boot.consoleText()).contains("Input/output error").contains("CSTS=0xffffffff");
    }
  }

  private static void await(String what, BooleanSupplier condition) {
    long start = System.nanoTime();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - start).as(what).isLessThan(LIMIT.toNanos());
    }
  }

  /** A model, and the keys of the commands that it was given. */
  private record Commands(DeviceModel model, Set<Long> seen) implements DeviceModel {
    Commands(DeviceModel model) {
      this(model, ConcurrentHashMap.newKeySet());
    }

    @Override
    public FunctionDescription description() {
      return model.description();
    }

    @Override
    public RunningModel start(ModelContext context) {
      return model.start(
          (ModelContext)
              Proxy.newProxyInstance(
                  ModelContext.class.getClassLoader(),
                  new Class<?>[] {ModelContext.class},
                  (_, method, arguments) -> {
                    if (method.getName().equals("faultOf")) {
                      seen.add((Long) arguments[0]);
                    }
                    return method.invoke(context, arguments);
                  }));
    }
  }

  /** A model on a bus of its own, served at a socket. */
  private final class Served implements AutoCloseable {
    private final SimulatedBus bus = SimulatedBus.realTime();
    private final PciDevice device;
    private final DeviceExport export;

    Served(String model) {
      this(bus -> bus.plug(model));
    }

    Served(Consumer<SimulatedBus> plug) {
      plug.accept(bus);
      device = bus.open(bus.scan().getFirst().name());
      export = DeviceExport.listen(device, socket(), ExportOptions.DEFAULT);
    }

    Path socket() {
      return directory.resolve("device.sock");
    }

    QtestMachine machine() throws IOException {
      return QtestMachine.start(host, directory, new VfioUser("served", Place.ROOT_BUS, socket()));
    }

    void stop() {
      export.close();
    }

    @Override
    public void close() {
      stop();
      device.close();
      bus.close();
    }
  }
}
