package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.gatun.pci.TimeSource;
import org.gatun.vfio.sysfs.DriverBinding;
import org.gatun.vmtests.VfioDevices.Taken;
import org.gatun.vmtests.inside.Inside;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Kills the command while it binds or unbinds a device: for {@link BindKillsTest}. */
@InVm
class BindKillsInVm {
  /** What comes after the first change. */
  private static final int LONGEST_CHANGE_MILLIS = 200;

  /** For a Java machine that starts. */
  private static final Duration CHANGE_LIMIT = Duration.ofMinutes(1);

  private static final String NVME = "nvme";

  @RegisterExtension final VfioDevices devices = new VfioDevices();

  /** When the kill came, as far as the device shows it. */
  private enum Moment {
    BEFORE_ANY_CHANGE,
    HALF_WAY,
    AFTER_THE_LAST_CHANGE
  }

  /**
   * What a bind and an unbind change.
   *
   * @param former what the journal says
   */
  private record State(
      Optional<String> driver, Optional<String> override, Optional<String> former) {
    static final State FREE = new State(Optional.of(NVME), Optional.empty(), Optional.empty());
    static final State BOUND =
        new State(
            Optional.of(DriverBinding.VFIO_PCI),
            Optional.of(DriverBinding.VFIO_PCI),
            Optional.of(NVME));

    static State of(Taken taken) {
      return new State(
          taken.sysfs().driver(),
          taken.sysfs().driverOverride(),
          new DriverBinding().formerDriver(taken.address()));
    }

    /** Without the journal, nobody knows what is to be restored. */
    boolean canBeRestored() {
      return equals(FREE) || former.equals(Optional.of(NVME));
    }
  }

  private final Map<Moment, Integer> moments = new EnumMap<>(Moment.class);

  /** How long a command takes that is not killed: most of it is the start of a Java machine. */
  private int wholeMillis = 1;

  @TestFactory
  Stream<DynamicTest> theNextCommandWorks() {
    Random random = new Random(Long.parseLong(Inside.property(KillDuringIoInVm.SEED)));
    int kills = Integer.parseInt(Inside.property(KillDuringIoInVm.KILLS));
    Taken taken = devices.device("disk", NVME);
    // Each one is made when those before it have run.
    return Stream.concat(
        Stream.iterate(1, i -> i + 1)
            .limit(kills)
            .map(i -> killAndRecover(taken, i, random, i == kills)),
        Stream.of(moments).map(counts -> summary(counts, kills)));
  }

  private DynamicTest killAndRecover(Taken taken, int number, Random random, boolean last) {
    boolean bind = taken.sysfs().driver().equals(Optional.of(NVME));
    String killed = bind ? "bind" : "unbind";
    String next = last || random.nextBoolean() ? "unbind" : "bind";
    // Of two kills, one comes while something is going on, the other at any time.
    boolean atChange = number % 2 == 1;
    int life = random.nextInt(atChange ? LONGEST_CHANGE_MILLIS : wholeMillis + wholeMillis / 8 + 1);
    return DynamicTest.dynamicTest(
        "kill %d: of %s, %d ms after its %s; then %s"
            .formatted(number, killed, life, atChange ? "first change" : "start", next),
        () -> {
          Moment moment = kill(taken, killed, bind ? State.BOUND : State.FREE, atChange, life);
          moments.merge(moment, 1, Integer::sum);
          recover(taken, next);
        });
  }

  private static Moment kill(Taken taken, String command, State done, boolean atChange, int life)
      throws Exception {
    State before = State.of(taken);
    GatunCommand.Running victim = GatunCommand.start(command, taken.address().toString());
    try {
      if (atChange) {
        TimeSource.system()
            .await(
                () -> !State.of(taken).equals(before) || !victim.process().isAlive(),
                CHANGE_LIMIT,
                Duration.ofMillis(1));
      }
      Thread.sleep(life);
    } finally {
      // SIGKILL, if it has not ended yet.
      victim.process().destroyForcibly();
    }
    victim.end();

    State after = State.of(taken);
    assertThat(after.canBeRestored()).as("can be restored: %s", after).isTrue();
    if (after.equals(before)) {
      return Moment.BEFORE_ANY_CHANGE;
    }
    return after.equals(done) ? Moment.AFTER_THE_LAST_CHANGE : Moment.HALF_WAY;
  }

  private void recover(Taken taken, String command) throws Exception {
    TimeSource time = TimeSource.system();
    long start = time.nanoTime();
    GatunCommand.run(command, taken.address().toString()).expectSuccess();
    wholeMillis = (int) Duration.ofNanos(time.nanoTime() - start).toMillis();

    State state = State.of(taken);
    if (command.equals("bind")) {
      assertThat(state.driver()).isEqualTo(State.BOUND.driver());
      assertThat(state.former()).isEqualTo(State.BOUND.former());
    } else {
      assertThat(state).isEqualTo(State.FREE);
      assertThat(taken.blockDevice()).exists();
    }
  }

  private static DynamicTest summary(Map<Moment, Integer> counts, int kills) {
    String text =
        Stream.of(Moment.values())
            .map(moment -> counts.getOrDefault(moment, 0) + " " + moment)
            .collect(Collectors.joining(", "));
    System.out.println("bind kills: " + text);
    return DynamicTest.dynamicTest(
        "the kills: " + text,
        () -> assertThat(counts.values().stream().mapToInt(n -> n).sum()).isEqualTo(kills));
  }
}
