package org.gatun.simulated.fault;

import java.time.Duration;

/** What goes wrong. Which effects there are at which {@link Point}s is said with each. */
public sealed interface Effect {
  /**
   * It is as if it had not been. A command is not completed, nor found by who aborts it (nor
   * carried out, by NVMe); a register reads all ones; a write is dropped; an interrupt does not
   * arrive; DMA is refused, as by the IOMMU; a reset changes nothing. At all points.
   */
  record Lose() implements Effect {}

  /**
   * It comes later: a command is carried out, and an interrupt arrives, only then. Of the pin, what
   * arrives is the level of then. Nothing comes if the device is reset before. Of commands and
   * interrupts.
   *
   * @param by in the bus's time, 0 or more; more than 73 years are for ever
   */
  record Delay(Duration by) implements Effect {
    public Delay {
      if (by.isNegative()) {
        throw new IllegalArgumentException("a delay is 0 or more, not " + by);
      }
    }
  }

  /**
   * It comes again: the same completion is posted, and an interrupt arrives, more often than once,
   * at once. Of commands and interrupts.
   *
   * @param times besides the right one: 1 to {@value #MAX}
   */
  record Repeat(int times) implements Effect {
    /** A storm, but one that ends. */
    public static final int MAX = 10_000;

    public Repeat {
      if (times < 1 || times > MAX) {
        throw new IllegalArgumentException("1 to %d times more, not %d".formatted(MAX, times));
      }
    }
  }

  /**
   * Bits are the wrong way round: of what a register reads, or of what is written to it; of the
   * first 8 bytes of a DMA transfer, or as many as it has; of a completion. Of a completion, the 8
   * bytes are: for NVMe, its last ones (queue head, queue, command identifier, phase, status); for
   * virtio, the element of the used ring (descriptor, length).
   *
   * @param bits those that are flipped, little-endian
   */
  record Flip(long bits) implements Effect {}

  /**
   * Some bits of a register read as others, whatever it has: all ones, a status that never comes, a
   * wrong version. Of reads of registers.
   *
   * @param mask the bits
   * @param value what they read as
   */
  record Force(long mask, long value) implements Effect {}

  /**
   * The device fails, and says so in its way, instead of carrying out a command: CSTS.CFS of NVMe,
   * DEVICE_NEEDS_RESET of virtio. Of commands.
   */
  record Fail() implements Effect {}

  /**
   * An interrupt without a cause arrives before. At all points.
   *
   * @param vector of a message; without messages, the pin is asserted
   */
  record Interrupt(int vector) implements Effect {}

  /**
   * The link goes down before: config space and registers read all ones, nothing that is written
   * arrives, and the device neither reads nor writes memory nor interrupts; of a DMA write half is
   * done. When it comes up again, the function is as after a reset. At all points.
   *
   * @param duration in the bus's time, more than 0, until it is trained again
   */
  record LinkDown(Duration duration) implements Effect {
    public LinkDown {
      if (!duration.isPositive()) {
        throw new IllegalArgumentException("the link is down for more than " + duration);
      }
    }
  }

  /**
   * The device is pulled out: at once as {@link LinkDown}, and soon after its driver is told that
   * it is gone. At all points.
   */
  record Remove() implements Effect {}

  /** Whether there is such a thing at a point. */
  default boolean isPossibleAt(Point point) {
    return switch (this) {
      case Lose _, Interrupt _, LinkDown _, Remove _ -> true;
      case Delay _, Repeat _ -> point == Point.COMMAND || point == Point.INTERRUPT;
      case Flip _ -> point != Point.INTERRUPT && point != Point.RESET;
      case Force _ -> point == Point.REGISTER_READ;
      case Fail _ -> point == Point.COMMAND;
    };
  }
}
