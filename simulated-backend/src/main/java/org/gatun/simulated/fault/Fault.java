package org.gatun.simulated.fault;

/**
 * Something that goes wrong with a device: where, with which of what happens there, and how. Data:
 * it does nothing until it is {@linkplain Faults#add switched on}.
 *
 * <pre>{@code
 * Fault.at(Point.COMMAND, new Effect.Lose()).matching(0x02, 0xff).after(3).times(1)
 * }</pre>
 *
 * loses the fourth read of an NVMe disk.
 *
 * @param point where
 * @param pattern a key is matched if it has the same bits under the mask
 * @param mask 0 matches all
 * @param skipped how many that match go well before: 0 or more
 * @param count how many then go wrong: 1 or more
 * @param effect what happens
 */
public record Fault(Point point, long pattern, long mask, long skipped, long count, Effect effect) {
  /** In the key of a command: that it is one of an admin queue, where a device has such a queue. */
  public static final long ADMIN = 1L << 24;

  private static final int BAR_SHIFT = 56;
  private static final int QUEUE_SHIFT = 8;

  /**
   * See there.
   *
   * @throws IllegalArgumentException if there is no such effect at such a point, or a count is out
   *     of range
   */
  public Fault {
    if (!effect.isPossibleAt(point)) {
      throw new IllegalArgumentException(effect + " is not possible at " + point);
    }
    if (skipped < 0 || count < 1) {
      throw new IllegalArgumentException(
          "0 or more are skipped, and then 1 or more go wrong, not %d and %d"
              .formatted(skipped, count));
    }
  }

  /** With all that happens at a point, from the first on and without end. */
  public static Fault at(Point point, Effect effect) {
    return new Fault(point, 0, 0, 0, Long.MAX_VALUE, effect);
  }

  /**
   * The key of a register.
   *
   * @param offset of the access, which is not necessarily the register's start
   */
  public static long register(int bar, long offset) {
    return (long) bar << BAR_SHIFT | offset;
  }

  /**
   * The key of a command of a queue that is not an admin queue.
   *
   * @param opcode 0 to 255; 0 where the device knows none
   */
  public static long command(int queue, int opcode) {
    return (long) queue << QUEUE_SHIFT | opcode;
  }

  /** The same with keys that have the same bits under a mask only. */
  public Fault matching(long otherPattern, long otherMask) {
    return new Fault(point, otherPattern, otherMask, skipped, count, effect);
  }

  /** The same with one key only. */
  public Fault matching(long key) {
    return matching(key, -1);
  }

  /** The same after some that go well. */
  public Fault after(long others) {
    return new Fault(point, pattern, mask, others, count, effect);
  }

  /** The same, so often only. */
  public Fault times(long times) {
    return new Fault(point, pattern, mask, skipped, times, effect);
  }

  boolean matches(Point where, long key) {
    return point == where && ((key ^ pattern) & mask) == 0;
  }
}
