package org.gatun.simulated.trace;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import org.gatun.pci.DeviceName;
import org.gatun.simulated.trace.Access.Kind;
import org.gatun.simulated.trace.Access.Register;
import org.jspecify.annotations.Nullable;

/**
 * A recording, as what a driver is to do and what the device does upon that. Any thread, one at a
 * time.
 *
 * <p>A read that told the driver nothing new, since the register read the same before, was a poll:
 * it may be there or not. All else that the driver does to registers and interrupts has to come in
 * the order of the recording. Memory is given out in an order of its own.
 */
final class Script {
  /**
   * A line that is not a poll.
   *
   * @param number of the line in the file
   * @param polls the registers that were polled since the last thing that the driver did
   */
  private record Step(int number, RecordedLine line, Set<Register> polls) {
    Access access() {
      return line.access();
    }

    /** Whether the driver has to do it. */
    boolean isDue() {
      return access().kind() == Kind.READ || access().kind().replayedInOrder();
    }

    /** Whether the device does it by itself, when the driver has done what comes before. */
    boolean isOfDevice() {
      return access().kind() == Kind.DEVICE_WRITE || access().kind() == Kind.SIGNAL;
    }
  }

  private final DeviceName device;
  private final ReplayedMemory memory;
  private final ReplayedSignals signals;
  private final List<Step> steps = new ArrayList<>();
  private final Queue<Step> allocations = new ArrayDeque<>();

  /** What was polled after the last step. */
  private final Set<Register> lastPolls;

  /** What registers read when they were last read. */
  private final Map<Register, Long> values = new HashMap<>();

  private final byte[] config;
  private int next;
  private @Nullable Register justRead;
  private @Nullable String mismatch;

  Script(DeviceName device, Recording recording, ReplayedMemory memory, ReplayedSignals signals) {
    this.device = device;
    this.memory = memory;
    this.signals = signals;
    this.config = recording.device().config().clone();
    int number = recording.firstLine();
    Set<Register> polls = new HashSet<>();
    for (RecordedLine line : recording.lines()) {
      Step step = new Step(number++, line, polls);
      switch (line.access().kind()) {
        case READ -> {
          if (isNews(line.access())) {
            steps.add(step);
            polls = new HashSet<>();
          } else {
            polls.add(line.access().register());
          }
        }
        case ALLOCATE, MAP -> allocations.add(step);
        case DEVICE_WRITE, DRIVER_WRITE, SIGNAL, INTERRUPT -> steps.add(step);
        default -> {
          if (step.isDue()) {
            steps.add(step);
            polls = new HashSet<>();
          }
        }
      }
    }
    lastPolls = polls;
    // From here on they are what the driver has been told.
    values.clear();
    System.arraycopy(recording.device().config(), 0, config, 0, config.length);
    playDevice();
  }

  /** The driver reads a register. */
  synchronized long read(Access read) {
    checkMatches();
    Register register = read.register();
    Step expected = expected();
    if (expected != null
        && expected.access().kind() == Kind.READ
        && expected.access().register().equals(register)) {
      passTo(expected);
      isNews(expected.access());
      justRead = register;
      playDevice();
      return expected.access().value();
    }
    Set<Register> polls = expected == null ? lastPolls : expected.polls();
    if (register.space() == Access.CONFIG) {
      return configValue(register);
    }
    Long known = values.get(register);
    if (known != null && (register.equals(justRead) || polls.contains(register))) {
      return known;
    }
    String what = read.toString();
    throw mismatch(expected, what.substring(0, what.indexOf(" = ")));
  }

  /** The driver does something else that it has to do in order. */
  synchronized void act(Access act) {
    checkMatches();
    Step expected = expected();
    if (expected == null || !expected.access().equals(act)) {
      throw mismatch(expected, act.toString());
    }
    justRead = null;
    passTo(expected);
    playDevice();
  }

  /** The driver looks for an interrupt; whether it has one. */
  synchronized boolean takeInterrupt(int vector) {
    checkMatches();
    if (signals.take(vector)) {
      return true;
    }
    Step interrupt = next < steps.size() ? steps.get(next) : null;
    if (interrupt == null
        || interrupt.access().kind() != Kind.INTERRUPT
        || interrupt.access().address() != vector) {
      return false;
    }
    justRead = null;
    passTo(interrupt);
    playDevice();
    return true;
  }

  /** The driver wants memory; returns where it is. */
  synchronized long allocate(Kind kind, long size) {
    checkMatches();
    Step expected = allocations.poll();
    if (expected == null
        || expected.access().kind() != kind
        || expected.access().length() != size) {
      throw mismatch(expected, "%s of 0x%x bytes".formatted(kind.word(), size));
    }
    return expected.access().address();
  }

  /**
   * What is wrong: a difference that was found, or what the driver has not done; null if nothing.
   */
  synchronized @Nullable ReplayMismatchException verdict() {
    Step expected = expected();
    if (mismatch == null && expected != null) {
      long left = steps.subList(next, steps.size()).stream().filter(Step::isDue).count();
      return new ReplayMismatchException(
          device,
          "#%d: expected %s, but the driver was done; it left %d accesses out"
              .formatted(expected.number(), expected.access(), left));
    }
    return mismatch == null ? null : new ReplayMismatchException(device, mismatch);
  }

  private void checkMatches() {
    if (mismatch != null) {
      throw new ReplayMismatchException(device, mismatch);
    }
  }

  private ReplayMismatchException mismatch(@Nullable Step expected, String actual) {
    mismatch =
        expected == null
            ? "after the end of the recording the driver did " + actual
            : "#%d: expected %s, but the driver did %s"
                .formatted(expected.number(), expected.access(), actual);
    return new ReplayMismatchException(device, mismatch);
  }

  /** What the driver has to do next. */
  private @Nullable Step expected() {
    for (int at = next; at < steps.size(); at++) {
      if (steps.get(at).isDue()) {
        return steps.get(at);
      }
    }
    return null;
  }

  /**
   * The driver has done this: so it has written what was to be written before. If it did not wait
   * for an interrupt, that is pending now.
   */
  private void passTo(Step done) {
    while (steps.get(next).number() < done.number()) {
      Step step = steps.get(next++);
      switch (step.access().kind()) {
        case DRIVER_WRITE -> check(step);
        case INTERRUPT -> signals.signal((int) step.access().address());
        default -> play(step);
      }
    }
    next++;
  }

  private void check(Step step) {
    String difference = memory.difference(step.access().address(), step.line().written());
    if (difference != null) {
      mismatch = "#%d: expected %s, but %s".formatted(step.number(), step.access(), difference);
      throw new ReplayMismatchException(device, mismatch);
    }
  }

  /** What the device does without the driver doing anything more. */
  private void playDevice() {
    while (next < steps.size() && steps.get(next).isOfDevice()) {
      play(steps.get(next++));
    }
  }

  private void play(Step step) {
    Access access = step.access();
    if (access.kind() == Kind.SIGNAL) {
      signals.signal((int) access.address());
    } else if (!memory.write(access.address(), step.line().written())) {
      mismatch =
          "#%d: expected that the driver has DMA memory for %s, but it has not"
              .formatted(step.number(), access);
      throw new ReplayMismatchException(device, mismatch);
    }
  }

  /** Notes what a register has read; whether that is another value than the last time. */
  private boolean isNews(Access read) {
    Register register = read.register();
    if (register.space() == Access.CONFIG) {
      boolean news = configValue(register) != read.value();
      for (int i = 0; i < register.width(); i++) {
        config[(int) register.offset() + i] = (byte) (read.value() >>> (8 * i));
      }
      return news;
    }
    Long before = values.put(register, read.value());
    return before == null || before != read.value();
  }

  private long configValue(Register register) {
    long value = 0;
    for (int i = 0; i < register.width(); i++) {
      value |= (config[(int) register.offset() + i] & 0xffL) << (8 * i);
    }
    return value;
  }
}
