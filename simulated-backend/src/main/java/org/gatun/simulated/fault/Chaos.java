package org.gatun.simulated.fault;

import java.time.Duration;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/**
 * Makes faults up, by a seed: the same ones for the same seed. One thread at a time.
 *
 * <pre>{@code
 * Chaos chaos = new Chaos(seed);
 * faults.clear();
 * faults.add(chaos.next());
 * }</pre>
 *
 * Who uses it prints the seed, so that a run can be repeated.
 */
public final class Chaos {
  private static final List<Point> POINTS = List.of(Point.values());
  private static final Duration LONGEST = Duration.ofMinutes(2);

  private final long seed;
  private final RandomGenerator random;

  /** By that seed. */
  public Chaos(long seed) {
    this.seed = seed;
    // By name: what is the default may change from one JDK to the next.
    this.random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
  }

  /** What it was made with. */
  public long seed() {
    return seed;
  }

  /** A fault, of any kind: of some of what happens at a point, after a few that go well. */
  public Fault next() {
    Point point = POINTS.get(random.nextInt(POINTS.size()));
    Fault fault = Fault.at(point, effect(point)).after(few());
    if (random.nextBoolean()) {
      fault = fault.times(1 + few());
    }
    return random.nextBoolean()
        ? fault
        : fault.matching(random.nextLong(), 1L << random.nextInt(12));
  }

  private Effect effect(Point point) {
    while (true) {
      Effect effect = anyEffect();
      if (effect.isPossibleAt(point)) {
        return effect;
      }
    }
  }

  private Effect anyEffect() {
    return switch (random.nextInt(9)) {
      case 0 -> new Effect.Lose();
      case 1 -> new Effect.Delay(duration());
      case 2 -> new Effect.Repeat(1 + few());
      case 3 -> new Effect.Flip(bits());
      case 4 -> new Effect.Force(bits(), random.nextBoolean() ? -1 : random.nextLong());
      case 5 -> new Effect.Fail();
      case 6 -> new Effect.Interrupt(random.nextInt(4));
      case 7 -> new Effect.LinkDown(duration());
      default -> new Effect.Remove();
    };
  }

  /** All, or one, or some. */
  private long bits() {
    return switch (random.nextInt(3)) {
      case 0 -> -1;
      case 1 -> 1L << random.nextInt(Long.SIZE);
      default -> random.nextLong();
    };
  }

  /** 0 to 63, mostly a few. */
  private int few() {
    return random.nextInt(1 << random.nextInt(7));
  }

  /** A nanosecond to minutes: each order of magnitude as often. */
  private Duration duration() {
    long nanos = 1L << random.nextInt(Long.SIZE - Long.numberOfLeadingZeros(LONGEST.toNanos()));
    return Duration.ofNanos(nanos + random.nextLong(nanos));
  }
}
