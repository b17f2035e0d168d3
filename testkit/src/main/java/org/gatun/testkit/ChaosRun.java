package org.gatun.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Random;
import java.util.function.Supplier;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.fault.Chaos;
import org.gatun.simulated.fault.Effect;
import org.gatun.simulated.fault.Faults;
import org.gatun.testkit.ChaosContract.Operation;
import org.gatun.testkit.ChaosContract.Subject;
import org.jspecify.annotations.Nullable;

/** A run of {@link ChaosContract}. */
final class ChaosRun implements AutoCloseable {
  /** More than any fault lasts: then the device is what it was. */
  private static final Duration ALL_OVER = Duration.ofMinutes(5);

  private final Subject subject;
  private final Duration limit;
  private final Chaos chaos;
  private final Random random;
  private final Faults faults = new Faults();
  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final TimeSource time = bus.time();
  private final MessageDigest digest;
  private @Nullable PciDevice device;
  private boolean open;
  private int step;
  private int successes;
  private int failures;
  private long longest;

  ChaosRun(Subject subject, Duration limit, long seed) {
    this.subject = subject;
    this.limit = limit;
    this.chaos = new Chaos(seed);
    this.random = new Random(seed);
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  int successes() {
    return successes;
  }

  int failures() {
    return failures;
  }

  /** Of what was done, what came of it, and when. */
  String digest() {
    return HexFormat.of().formatHex(digest.digest());
  }

  @Override
  public String toString() {
    return "%d steps, %d operations succeeded, %d failed, the longest took %s of the bus's time"
        .formatted(step, successes, failures, Duration.ofNanos(longest));
  }

  void steps(int count) {
    recover(false);
    for (int i = 0; i < count; i++) {
      step++;
      if (random.nextInt(3) > 0) {
        faults.add(chaos.next());
      }
      boolean corrupt = faults.active().stream().anyMatch(f -> f.effect() instanceof Effect.Flip);
      boolean sound = attempt(corrupt);
      if (!sound || corrupt) {
        recover(corrupt);
      } else {
        faults.clear();
      }
    }
  }

  /** Does something; whether the driver can go on. */
  private boolean attempt(boolean corrupt) {
    if (random.nextInt(8) == 0) {
      closeDriver();
      return openDriver();
    }
    Operation operation = subject.next(random);
    boolean done = succeeds(operation.name(), operation.action());
    checked(operation.name(), () -> operation.after().accept(done, corrupt));
    return done;
  }

  /** Closes all, with what goes wrong going on; then, with a sound device, all is well again. */
  private void recover(boolean corrupt) {
    closeDriver();
    closeDevice();
    faults.clear();
    time.sleep(ALL_OVER);
    boolean isNew = bus.scan().isEmpty();
    DeviceName name =
        isNew ? bus.plug("device", faults.on(subject.model())) : bus.scan().getFirst().name();
    device = bus.open(name);
    assertThat(openDriver()).as(where(() -> "a sound device")).isTrue();
    assertThat(succeeds("prove", () -> subject.prove(corrupt || isNew)))
        .as(where(() -> "a sound device"))
        .isTrue();
  }

  private boolean openDriver() {
    open = succeeds("open", () -> subject.open(device(), time, random.nextBoolean()));
    return open;
  }

  private void closeDriver() {
    if (open) {
      open = false;
      succeeds("close", subject::close);
    }
  }

  private void closeDevice() {
    PciDevice last = device;
    device = null;
    if (last != null) {
      assertThat(last.usage()).as(where(() -> "left open")).isEqualTo(PciDevice.Usage.NONE);
      last.close();
    }
  }

  private boolean succeeds(String operation, Runnable action) {
    long start = time.nanoTime();
    String outcome = "done";
    boolean done = false;
    try {
      checked(operation, action);
      done = true;
      successes++;
    } catch (PciException e) {
      failures++;
      outcome = e.toString();
    }
    took(operation, start);
    note(operation + ": " + outcome);
    return done;
  }

  /** Lets typed errors through, and says of others where they are from. */
  private void checked(String operation, Runnable action) {
    try {
      action.run();
    } catch (PciException e) {
      throw e;
    } catch (RuntimeException | Error e) {
      throw new AssertionError(where(() -> operation).get(), e);
    }
  }

  private void took(String operation, long start) {
    long nanos = time.nanoTime() - start;
    longest = Math.max(longest, nanos);
    assertThat(Duration.ofNanos(nanos))
        .as(where(() -> "time of " + operation))
        .isLessThanOrEqualTo(limit);
  }

  private void note(String line) {
    digest.update(
        "%d: %s %s at %d%n"
            .formatted(step, faults.active(), line, time.nanoTime())
            .getBytes(StandardCharsets.UTF_8));
  }

  private Supplier<String> where(Supplier<String> what) {
    return () ->
        "seed %d, step %d, with %s: %s".formatted(chaos.seed(), step, faults.active(), what.get());
  }

  private PciDevice device() {
    PciDevice opened = device;
    if (opened == null) {
      throw new IllegalStateException("it is not open");
    }
    return opened;
  }

  @Override
  public void close() {
    closeDriver();
    closeDevice();
    bus.close();
  }
}
