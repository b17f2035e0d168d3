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
  /** Most of it a Java machine's start, in an emulated machine. */
  private static final int LONGEST_LIFE_MILLIS = 2500;

  /** What comes after the first change. */
  private static final int LONGEST_CHANGE_MILLIS = 60;

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

  @TestFactory
  Stream<DynamicTest> theNextCommandWorks() {
    Random random = new Random(Long.parseLong(Inside.property(KillDuringIoInVm.SEED)));
    int kills = Integer.parseInt(Inside.property(KillDuringIoInVm.KILLS));
    Taken taken = devices.device("disk", NVME);
    Map<Moment, Integer> moments = new EnumMap<>(Moment.class);
    return Stream.concat(
        Stream.iterate(1, i -> i + 1)
            .limit(kills)
            .map(
                i -> {
                  String command = i % 2 == 1 ? "bind" : "unbind";
                  // Half of them when nothing but chance says, half while something is going on.
                  boolean atChange = (i - 1) / 2 % 2 == 1;
                  int life = random.nextInt(atChange ? LONGEST_CHANGE_MILLIS : LONGEST_LIFE_MILLIS);
                  boolean thenBind = random.nextBoolean();
                  return DynamicTest.dynamicTest(
                      "kill %d: %s, %d ms after %s, then %s"
                          .formatted(
                              i,
                              command,
                              life,
                              atChange ? "its first change" : "its start",
                              thenBind ? "bind and unbind" : "unbind"),
                      () -> {
                        Moment moment = kill(taken, command, atChange, life);
                        moments.merge(moment, 1, Integer::sum);
                        recover(taken, thenBind);
                      });
                }),
        // Made when the others have run.
        Stream.of(moments)
            .map(
                counts ->
                    DynamicTest.dynamicTest(
                        "kills came " + describe(counts),
                        () ->
                            assertThat(counts.values().stream().mapToInt(n -> n).sum())
                                .isEqualTo(kills))));
  }

  private static Moment kill(Taken taken, String command, boolean atChange, int life)
      throws Exception {
    boolean bind = command.equals("bind");
    State before = bind ? State.FREE : State.BOUND;
    State done = bind ? State.BOUND : State.FREE;
    if (!bind) {
      taken.bind();
    }
    assertThat(State.of(taken)).isEqualTo(before);
    GatunCommand.Running victim = GatunCommand.start(command, taken.address().toString());
    try {
      if (atChange) {
        TimeSource.system()
            .await(
                () -> !State.of(taken).equals(before) || !victim.process().isAlive(),
                Duration.ofMinutes(1),
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
    return after.equals(before)
        ? Moment.BEFORE_ANY_CHANGE
        : after.equals(done) ? Moment.AFTER_THE_LAST_CHANGE : Moment.HALF_WAY;
  }

  private static void recover(Taken taken, boolean bind) throws Exception {
    String address = taken.address().toString();
    if (bind) {
      GatunCommand.run("bind", address).expectSuccess();
      assertThat(taken.sysfs().driver()).contains(DriverBinding.VFIO_PCI);
    }
    GatunCommand.run("unbind", address).expectSuccess();
    assertThat(State.of(taken)).isEqualTo(State.FREE);
    assertThat(taken.blockDevice()).exists();
  }

  private static String describe(Map<Moment, Integer> moments) {
    return Stream.of(Moment.values())
        .map(
            moment ->
                moments.getOrDefault(moment, 0)
                    + " times "
                    + moment.name().toLowerCase(java.util.Locale.ROOT).replace('_', ' '))
        .collect(Collectors.joining(", "));
  }
}
