package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciAddress;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.testkit.DeviceRoute;
import org.gatun.vfio.VfioBackend;
import org.gatun.vfio.sysfs.DriverBinding;
import org.gatun.vfio.sysfs.Sysfs;
import org.gatun.vfio.sysfs.SysfsDevice;
import org.gatun.vmtests.inside.Command;
import org.gatun.vmtests.inside.Inside;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * The devices that a test inside drives through VFIO. What every test must leave behind is checked
 * here, after each: nobody has the device open, it was reset since the test opened it ({@link
 * ResetMarker}), bus master is off, and the driver that it had before takes it again.
 */
final class VfioDevices implements AfterEachCallback {
  private static final DriverBinding BINDING = new DriverBinding();
  private static final VfioBackend BACKEND = new VfioBackend();
  private static final Sysfs SYSFS = Sysfs.ofThisMachine();
  private static final Duration RELEASE_LIMIT = Duration.ofSeconds(10);

  /** For a Java machine that starts. */
  private static final Duration START_LIMIT = Duration.ofMinutes(4);

  private final Map<String, Taken> takenById = new LinkedHashMap<>();

  /** The device that the outer test gave this id, and that has no driver in Linux. */
  Taken device(String id) {
    return device(id, Optional.empty());
  }

  /** The device that the outer test gave this id, bound to its driver in Linux. */
  Taken device(String id, String driver) {
    return device(id, Optional.of(driver));
  }

  private Taken device(String id, Optional<String> driver) {
    return takenById.computeIfAbsent(
        id, _ -> new Taken(PciAddress.parse(Inside.address(id)), driver));
  }

  @Override
  public void afterEach(ExtensionContext context) {
    List<Throwable> failures = new ArrayList<>();
    for (Taken device : takenById.values()) {
      try {
        device.giveBack();
      } catch (AssertionError | RuntimeException e) {
        failures.add(e);
      }
    }
    takenById.clear();
    assertThat(failures).as("failures of giving devices back").isEmpty();
  }

  /** A device, and the driver that it has outside of the test. */
  static final class Taken {
    private final PciAddress address;
    private final Optional<String> linuxDriver;

    private Taken(PciAddress address, Optional<String> linuxDriver) {
      this.address = address;
      this.linuxDriver = linuxDriver;
      linuxDriver.ifPresent(Taken::load);
      assertThat(sysfs().driver())
          .as("driver of %s before the test", address)
          .isEqualTo(linuxDriver);
    }

    DeviceName name() {
      return VfioBackend.name(address);
    }

    PciAddress address() {
      return address;
    }

    SysfsDevice sysfs() {
      return SYSFS.device(address).orElseThrow();
    }

    /** The processes that have the device's group open. */
    List<Sysfs.Holder> holders() {
      return SYSFS.holders(SYSFS.vfioNode(sysfs().iommuGroupNumber().orElseThrow()));
    }

    /** Binds it to vfio-pci, if it is not. */
    Taken bind() {
      boolean bound = isBound();
      assertThat(BINDING.bind(address)).as("former driver of %s", address).isEqualTo(linuxDriver);
      if (!bound) {
        // What Linux's driver left behind is not the test's.
        ResetMarker.of(sysfs()).forEach(ResetMarker::clear);
      }
      return this;
    }

    /** Opens it, bound to vfio-pci, by the route that was chosen, and marks it. */
    PciDevice open() {
      PciDevice device = DeviceRoute.chosen(BACKEND.open(bind().name()));
      ResetMarker.of(sysfs()).forEach(ResetMarker::set);
      return device;
    }

    /**
     * Marks a device that another process drives: {@link #open} does that for those of this one.
     * Waits for its bus master, since opening a device resets it.
     */
    void markInUse() {
      assertThat(TimeSource.system().await(this::isBusMaster, START_LIMIT, Duration.ofMillis(10)))
          .as("%s is driven", address)
          .isTrue();
      List<ResetMarker> markers = ResetMarker.of(sysfs());
      markers.forEach(ResetMarker::set);
      assertThat(markers).isNotEmpty().allMatch(ResetMarker::isSet);
      assertThat(isBusMaster()).as("%s is still driven", address).isTrue();
    }

    /** Checks that nobody uses it and that it is at rest, and gives it to its driver in Linux. */
    void giveBack() {
      try {
        if (isBound()) {
          checkAtRest();
        }
      } finally {
        assertThat(BINDING.restore(address)).as("driver of %s", address).isEqualTo(linuxDriver);
      }
    }

    /** The disk that Linux's nvme driver makes of it. */
    Path blockDevice() {
      Path controllers = sysfs().directory().resolve("nvme");
      try {
        Inside.await(controllers, Duration.ofSeconds(30));
        Path controller = onlyEntry(controllers, "nvme*");
        Path disk = Path.of("/dev", controller.getFileName() + "n1");
        Inside.await(disk, Duration.ofSeconds(30));
        return disk;
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }

    /**
     * Checks that it is as whoever used it through VFIO must leave it. A test that unbinds it by
     * itself, by a command, calls this before; {@link #giveBack} does.
     */
    void checkAtRest() {
      // A process that another test just started has all that this one has open until it executes
      // its program.
      TimeSource.system().await(() -> holders().isEmpty(), RELEASE_LIMIT, Duration.ofMillis(10));
      assertThat(holders()).as("processes that have %s open", address).isEmpty();
      assertThat(isBusMaster()).as("bus master of %s", address).isFalse();
      ConfigSpace config = sysfs().config();
      Capabilities capabilities = Capabilities.walk(config);
      capabilities
          .find(Capability.MSIX)
          .ifPresent(
              msix ->
                  assertThat(config.read16(msix.offset() + 2) >>> 15)
                      .as("MSI-X of %s", address)
                      .isZero());
      capabilities
          .find(Capability.MSI)
          .ifPresent(
              msi ->
                  assertThat(config.read16(msi.offset() + 2) & 1)
                      .as("MSI of %s", address)
                      .isZero());
      // Exempt is a device that can't be reset, and one that Linux resets by way of D3hot: QEMU's
      // devices do nothing then.
      if (sysfs().resetMethods().stream()
          .findFirst()
          .filter(way -> !way.equals("pm"))
          .isPresent()) {
        checkReset();
      }
    }

    /** Checks that it was reset since it was marked. */
    void checkReset() {
      assertThat(ResetMarker.of(sysfs()).stream().filter(ResetMarker::isSet))
          .as("marks that a reset of %s would have cleared", address)
          .isEmpty();
    }

    private boolean isBound() {
      return sysfs().driver().filter(DriverBinding.VFIO_PCI::equals).isPresent();
    }

    /** How often it has interrupted for who has it now. */
    long interrupts() {
      try {
        return Files.readAllLines(Path.of("/proc/interrupts")).stream()
            .filter(line -> line.contains("vfio") && line.contains("(" + address + ")"))
            .flatMap(
                line ->
                    Stream.of(line.strip().split(" +", -1))
                        .skip(1)
                        .takeWhile(word -> word.matches("\\d+")))
            .mapToLong(Long::parseLong)
            .sum();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    /** Reads one byte: all of config space, again and again, would slow down whom it waits for. */
    private boolean isBusMaster() {
      ByteBuffer command = ByteBuffer.allocate(1);
      try (FileChannel config = FileChannel.open(sysfs().directory().resolve("config"))) {
        config.read(command, ConfigRegisters.COMMAND);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return (command.get(0) & ConfigRegisters.COMMAND_BUS_MASTER) != 0;
    }

    private static void load(String driver) {
      if (Files.exists(Path.of("/sys/bus/pci/drivers", driver))) {
        return; // or it is no module
      }
      try {
        Command.run("modprobe", driver).expectSuccess();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }

    private static Path onlyEntry(Path directory, String glob) throws IOException {
      try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory, glob)) {
        return entries.iterator().next();
      }
    }
  }
}
