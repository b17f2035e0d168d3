package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.gatun.pci.PciDevice;
import org.gatun.vmtests.VfioDevices.Taken;
import org.gatun.vmtests.inside.Command;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * What users get wrong with real devices: one line says what is wrong and what to do, and nothing
 * is written. For {@link CommandTest}.
 */
@InVm
class WrongInputInVm {
  /** As in the command's help. */
  private static final int USAGE = 2;

  private static final int UNAVAILABLE = 3;

  @RegisterExtension final VfioDevices devices = new VfioDevices();

  @Test
  void aDeviceThatIsNotThere() throws Exception {
    expectRefusal(
        UNAVAILABLE,
        GatunCommand.run("nvme", "identify", "--device", "vfio:0000:7f:00.0"),
        "vfio:0000:7f:00.0",
        "there is no such device",
        "gatun list");
  }

  @Test
  void aDeviceThatIsNotBound() throws Exception {
    Taken taken = devices.device("disk", "nvme");

    expectRefusal(
        UNAVAILABLE,
        GatunCommand.run("nvme", "identify", "--device", taken.name().toString()),
        taken.name().toString(),
        "bound to the driver nvme",
        "gatun bind " + taken.address());
  }

  @Test
  void noPermission() throws Exception {
    Taken taken = devices.device("disk", "nvme").bind();

    expectRefusal(
        UNAVAILABLE,
        GatunCommand.runAsNobody("nvme", "identify", "--device", taken.name().toString()),
        taken.name().toString(),
        "no permission for /dev/vfio/",
        "run as root");
  }

  @Test
  void noPermissionToBind() throws Exception {
    Taken taken = devices.device("disk", "nvme");

    expectRefusal(
        UNAVAILABLE,
        GatunCommand.runAsNobody("bind", taken.address().toString()),
        taken.address().toString(),
        "root");
    assertThat(taken.sysfs().driver()).contains("nvme");
  }

  @Test
  void aGroupThatAnotherProcessHas() throws Exception {
    Taken taken = devices.device("disk", "nvme");
    String self = "process " + ProcessHandle.current().pid();
    try (PciDevice device = taken.open()) {
      assertThat(device.name()).isEqualTo(taken.name());
      expectRefusal(
          UNAVAILABLE,
          GatunCommand.run("nvme", "identify", "--device", taken.name().toString()),
          taken.name().toString(),
          "in use by",
          self);
      expectRefusal(
          UNAVAILABLE, GatunCommand.run("unbind", taken.address().toString()), "in use by", self);
    }
  }

  @Test
  void whatDoesNotFitOnTheDisk() throws Exception {
    Taken taken = devices.device("disk", "nvme");
    String before = sha256(taken.blockDevice());
    Path input = Files.write(Files.createTempFile("input", ""), new byte[4096]);
    String name = taken.bind().name().toString();
    String size = String.valueOf(CommandTest.DISK_SIZE);

    expectRefusal(USAGE, write(name, input, "--offset", size), "past the end", size + " bytes");
    expectRefusal(
        USAGE,
        write(name, input, "--offset", "1M", "--length", "1000"),
        "multiples of the block",
        "512 bytes");
    taken.giveBack();

    assertThat(sha256(taken.blockDevice())).isEqualTo(before);
  }

  private static GatunCommand write(String device, Path input, String... more) throws Exception {
    return GatunCommand.run(
        Stream.concat(
                Stream.of(
                    "nvme", "write", "--yes", "--device", device, "--input", input.toString()),
                Stream.of(more))
            .toArray(String[]::new));
  }

  private static String sha256(Path disk) throws Exception {
    String line = Command.run("sha256sum", disk.toString()).expectSuccess();
    return line.substring(0, line.indexOf(' '));
  }

  private static void expectRefusal(int status, GatunCommand command, String... mentioned) {
    assertThat(command.exitStatus()).as("exit status; %s", command).isEqualTo(status);
    assertThat(command.output()).isEmpty();
    assertThat(command.errors().lines()).as("lines of errors").hasSize(1);
    assertThat(command.errors()).startsWith("gatun: ").contains(mentioned);
  }
}
