package org.gatun.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
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
import org.gatun.simulated.trace.Access;
import org.gatun.simulated.trace.Trace;
import org.gatun.simulated.trace.TraceRecord;
import org.gatun.testkit.ChaosContract.Operation;
import org.gatun.testkit.ChaosContract.Subject;
import org.jspecify.annotations.Nullable;

/** A run of {@link ChaosContract}. */
final class ChaosRun implements AutoCloseable {
  /** More than any fault lasts: then the device is what it was. */
  private static final Duration ALL_OVER = Duration.ofMinutes(5);

  /** How many accesses are kept of one operation. */
  private static final int TRACED = 1 << 14;

  private final Subject subject;
  private final Duration limit;
  private final Duration openingLimit;
  private final Chaos chaos;
  private final Random random;
  private final Faults faults = new Faults();
  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final TimeSource time = bus.time();
  private final Trace trace = new Trace(TRACED, time);
  private final StuckAlarm alarm = new StuckAlarm(() -> where(() -> "it is stuck").get());
  private final MessageDigest digest;

  /** The first access that the digest does not have yet. */
  private long untold;

  private @Nullable PciDevice device;
  private final ByteBuffer numbers = ByteBuffer.allocate(6 * Long.BYTES);
  private boolean open;
  private int step;
  private int successes;
  private int failures;
  private long longest;

  ChaosRun(Subject subject, Duration limit, Duration openingLimit, long seed) {
    this.subject = subject;
    this.limit = limit;
    this.openingLimit = openingLimit;
    this.chaos = new Chaos(seed);
    this.random = new Random(seed);
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
    bus.traceDma(trace);
  }

  int successes() {
    return successes;
  }

  int failures() {
    return failures;
  }

  /** Of what was done, each access and DMA of it, what came of it, and when. */
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
      alarm.reset();
      if (random.nextInt(3) > 0) {
        faults.add(chaos.next());
      }
      boolean corrupt = has(Effect.Flip.class);
      if (!attempt(corrupt) || corrupt) {
        recover(corrupt);
      } else {
        faults.clear();
      }
    }
  }

  private boolean has(Class<? extends Effect> effect) {
    return faults.active().stream().anyMatch(f -> effect.isInstance(f.effect()));
  }

  /** Does something; whether the driver can go on. */
  private boolean attempt(boolean corrupt) {
    if (random.nextInt(8) == 0) {
      closeDriver();
      // What it was told when it opened a device that lied, it knows for ever.
      return openDriver() && !has(Effect.Force.class);
    }
    Operation operation = subject.next(random);
    boolean done = succeeds(operation.name(), limit, operation.action());
    checked(
        operation.name(),
        () -> {
          operation.after().accept(done, corrupt);
          return "";
        });
    return done;
  }

  /** Closes all, with what goes wrong going on; then, with a sound device, all is well again. */
  private void recover(boolean corrupt) {
    closeDriver();
    long refused = bus.iommu().faultCount();
    time.sleep(ALL_OVER);
    assertThat(bus.iommu().faultCount())
        .as(where(() -> "DMA that the IOMMU refused after the driver had let go"))
        .isEqualTo(refused);
    closeDevice();
    faults.clear();
    time.sleep(ALL_OVER);
    boolean isNew = bus.scan().isEmpty();
    DeviceName name =
        isNew ? bus.plug("device", faults.on(subject.model())) : bus.scan().getFirst().name();
    device = trace.watch(bus.open(name));
    assertThat(openDriver()).as(where(() -> "a sound device")).isTrue();
    assertThat(succeeds("prove", limit, () -> proven(corrupt || isNew)))
        .as(where(() -> "a sound device"))
        .isTrue();
  }

  private String proven(boolean unknown) {
    subject.prove(unknown);
    return "done";
  }

  private boolean openDriver() {
    open = succeeds("open", openingLimit, this::opened);
    return open;
  }

  private String opened() {
    subject.open(device(), time, random.nextBoolean());
    return "done";
  }

  private void closeDriver() {
    if (open) {
      open = false;
      succeeds("close", limit, this::closed);
    }
  }

  private String closed() {
    subject.close();
    return "done";
  }

  private void closeDevice() {
    PciDevice last = device;
    device = null;
    if (last != null) {
      assertThat(last.usage()).as(where(() -> "left open")).isEqualTo(PciDevice.Usage.NONE);
      last.close();
    }
  }

  private boolean succeeds(String operation, Duration within, Supplier<String> action) {
    long start = time.nanoTime();
    String outcome;
    boolean done = false;
    try {
      outcome = checked(operation, action);
      done = true;
      successes++;
    } catch (PciException e) {
      failures++;
      outcome = e.toString();
    }
    took(operation, start, within);
    note(operation + ": " + outcome);
    return done;
  }

  /** Lets typed errors through, and says of others where they are from. */
  private String checked(String operation, Supplier<String> action) {
    try {
      return action.get();
    } catch (PciException e) {
      throw e;
    } catch (RuntimeException | Error e) {
      throw new AssertionError(where(() -> operation).get(), e);
    }
  }

  private void took(String operation, long start, Duration within) {
    long nanos = time.nanoTime() - start;
    longest = Math.max(longest, nanos);
    assertThat(Duration.ofNanos(nanos))
        .as(where(() -> "time of " + operation))
        .isLessThanOrEqualTo(within);
  }

  private void note(String line) {
    digest.update(
        "%d: %s %s at %d%n"
            .formatted(step, faults.active(), line, time.nanoTime())
            .getBytes(StandardCharsets.UTF_8));
    for (TraceRecord each : trace.snapshot(untold).records()) {
      untold = each.number() + 1;
      Access access = each.access();
      digest.update(access.kind().name().getBytes(StandardCharsets.UTF_8));
      numbers.clear();
      numbers
          .putLong(each.number())
          .putLong(each.nanos())
          .putLong(access.space())
          .putLong(access.address())
          .putLong(access.length())
          .putLong(access.value());
      digest.update(numbers.flip());
    }
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
    alarm.close();
    closeDriver();
    closeDevice();
    bus.close();
  }
}
