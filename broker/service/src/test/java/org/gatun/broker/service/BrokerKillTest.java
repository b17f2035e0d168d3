package org.gatun.broker.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;
import org.gatun.broker.GrantRefusedException;
import org.gatun.broker.GrantState;
import org.gatun.pci.DeviceName;
import org.gatun.pci.spi.EraseMethod;
import org.gatun.simulated.SimulatedBus;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * The broker is killed while its guest does I/O: the next one ends what it left. The system
 * properties {@code gatun.kills} and {@code gatun.seed} say how often, and when.
 */
class BrokerKillTest {
  private static final int LONGEST_LIFE_MILLIS = 300;

  @TempDir private Path folder;

  @BeforeEach
  void needsRoot() throws IOException {
    assumeTrue(
        Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0),
        "a guest's locks need root: run the tests as root");
  }

  @TestFactory
  Stream<DynamicTest> theNextBrokerEndsItsGuests() {
    int kills = Integer.getInteger("gatun.kills", 2);
    long seed = Long.getLong("gatun.seed", ThreadLocalRandom.current().nextInt());
    System.out.printf("broker kills: -Dgatun.kills=%d -Dgatun.seed=%d%n", kills, seed);
    Random random = new Random(seed);
    return Stream.iterate(1, i -> i + 1)
        .limit(kills)
        .map(
            i -> {
              int life = random.nextInt(LONGEST_LIFE_MILLIS);
              return DynamicTest.dynamicTest(
                  "kill %d, after %d ms".formatted(i, life), () -> kill(life));
            });
  }

  private void kill(int life) throws Exception {
    Process broker = startBroker();
    long guest;
    try (BufferedReader output = broker.inputReader()) {
      guest = Long.parseLong(output.readLine());
      Thread.sleep(life);
      assertThat(isAlive(guest)).as("the guest was at it to the end").isTrue();
    } finally {
      broker.destroyForcibly();
      broker.waitFor();
    }
    try (SimulatedBus bus = SimulatedBus.realTime()) {
      bus.plug("nvme,size=1M");
      try (BrokerService next = BrokerProcess.open(folder, bus)) {
        // Before it has touched a device.
        assertThat(isAlive(guest)).isFalse();
        long process = BrokerProcess.startGuest(next);
        assertThat(process).isNotEqualTo(guest);
        assertThat(next.guests().getFirst().state()).contains(GrantState.CONNECTED);
        assertThat(next.guests().getFirst().processes()).contains(List.of(process));
        DeviceName disk = next.guests().getFirst().devices().getFirst();
        next.revoke(disk, Duration.ZERO);
        assertThatExceptionOfType(GrantRefusedException.class)
            .isThrownBy(() -> next.grant(disk, "other"))
            .withMessageContaining("data of guest disk may be on it");
        next.erase(disk, EraseMethod.FORMAT);
        next.grant(disk, "other");
        // For the next kill.
        next.revoke(disk, Duration.ZERO);
        next.clear(disk);
        next.grant(disk, "disk");
      }
    }
  }

  /** It would die with its broker; one that does not is ended by the next. */
  @Test
  void whatTheJournalNamesIsEndedIfItIsThatProcess() throws Exception {
    Process left = new ProcessBuilder("sleep", "600").start();
    Process other = new ProcessBuilder("sleep", "600").start();
    try {
      Path state = Files.createDirectories(folder.resolve("state"));
      Files.writeString(
          state.resolve("processes"),
          "%d %d%n%d %d%n"
              .formatted(
                  left.pid(), startTime(left.pid()), other.pid(), startTime(other.pid()) - 1));
      try (SimulatedBus bus = SimulatedBus.realTime();
          BrokerService _ = BrokerProcess.open(folder, bus)) {
        assertThat(left.waitFor()).isEqualTo(128 + 9);
        assertThat(other.isAlive()).as("another that has got its number").isTrue();
        assertThat(Files.readString(state.resolve("processes"))).isEmpty();
      }
    } finally {
      left.destroyForcibly();
      other.destroyForcibly();
    }
  }

  /** As when it is killed between making it and its guest's coming. */
  @Test
  void aSocketThatItLeftIsInNobodysWay() throws Exception {
    Path launch = Files.createDirectories(folder.resolve("run/launch"));
    try (ServerSocketChannel left = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      left.bind(UnixDomainSocketAddress.of(launch.resolve("0.sock")));
    }
    assertThat(launch.resolve("0.sock")).exists();
    try (SimulatedBus bus = SimulatedBus.realTime()) {
      bus.plug("nvme,size=1M");
      try (BrokerService next = BrokerProcess.open(folder, bus)) {
        BrokerProcess.startGuest(next);
        assertThat(next.guests().getFirst().state()).contains(GrantState.CONNECTED);
      }
    }
  }

  private static long startTime(long pid) throws IOException {
    String stat = Files.readString(Path.of("/proc", Long.toString(pid), "stat"));
    return Long.parseLong(stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1)[19]);
  }

  /** One that has ended, and whose new parent has not asked how, has nothing any more. */
  private static boolean isAlive(long process) throws IOException {
    try {
      String stat = Files.readString(Path.of("/proc", Long.toString(process), "stat"));
      return stat.charAt(stat.lastIndexOf(')') + 2) != 'Z';
    } catch (NoSuchFileException _) {
      return false;
    }
  }

  private Process startBroker() throws IOException {
    String path =
        String.join(
            File.pathSeparator,
            Path.of(System.getProperty("basedir", "")).resolve("target/test-classes").toString(),
            System.getProperty("java.class.path"),
            System.getProperty("jdk.module.path", ""));
    return new ProcessBuilder(
            List.of(
                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                path,
                BrokerProcess.class.getName(),
                folder.toString()))
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }
}
