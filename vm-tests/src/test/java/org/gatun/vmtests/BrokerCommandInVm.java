package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.gatun.pci.TimeSource;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.vmtests.VfioDevices.Taken;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The broker as a command, on a device behind VFIO: for {@link BrokerTest}. */
@InVm
class BrokerCommandInVm {
  private static final Duration START_LIMIT = Duration.ofMinutes(4);
  private static final Duration INTERVAL = Duration.ofMillis(50);

  @RegisterExtension final VfioDevices devices = new VfioDevices();

  @Test
  void holdsADeviceUntilItIsEnded() throws Exception {
    Taken edu = devices.device("edu").bind();
    Path folder = Files.createTempDirectory("broker");
    Path policy = folder.resolve("policy.yaml");
    Files.writeString(policy, "guests: [{name: teaching, devices: ['%s']}]".formatted(edu.name()));
    GatunCommand.Running broker =
        GatunCommand.start(
            "broker",
            "run",
            "--config",
            policy.toString(),
            "--directory",
            folder.toString(),
            "--state",
            folder.toString());
    boolean granted =
        TimeSource.system()
            .await(() -> text(broker.output()).contains("-> CONNECTED"), START_LIMIT, INTERVAL);
    assertThat(granted).as("output: %s", text(broker.output())).isTrue();
    assertThat(edu.holders())
        .singleElement()
        .satisfies(holder -> assertThat(holder.pid()).isEqualTo(broker.process().pid()));
    assertThat(
            edu.sysfs().config().read16(ConfigRegisters.COMMAND)
                & ConfigRegisters.COMMAND_BUS_MASTER)
        .as("bus master of what no client has yet")
        .isZero();
    Path socket = folder.resolve("guests/teaching/slot-0.0.sock");
    GatunCommand client =
        GatunCommand.run("edu", "factorial", "10", "--device", "vfio-user:" + socket);
    assertThat(client.output()).as("%s", client).isEqualTo("10! = 3628800\n");

    broker.process().destroy();

    GatunCommand ended = broker.end();
    assertThat(ended.output().lines())
        .containsExactly(
            edu.name() + ": seized",
            "guest teaching: INITIALISING -> INIT_WAIT: " + edu.name(),
            "guest teaching: INIT_WAIT -> INITIALISED: " + edu.name(),
            "guest teaching: INITIALISED -> CONNECTED: " + edu.name(),
            "guest teaching: CONNECTED -> CLOSING: " + edu.name(),
            "guest teaching: CLOSING -> CLOSED",
            edu.name() + ": released");
    assertThat(ended.exitStatus()).as("of SIGTERM: %s", ended).isEqualTo(143);
    edu.checkAtRest();
  }

  private static String text(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
