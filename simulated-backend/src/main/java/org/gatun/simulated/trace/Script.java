package org.gatun.simulated.trace;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import org.gatun.pci.DeviceName;
import org.gatun.simulated.trace.Access.Kind;
import org.gatun.simulated.trace.Access.Register;
import org.jspecify.annotations.Nullable;

/**
 * A recording, as what a driver is to do and what the device does upon that. Any thread, one at a
 * time.
 *
 * <p>All that the driver does to registers and interrupts has to come in the order of the
 * recording: a read can have side effects, as that of a FIFO has. Reads that follow each other, of
 * one register with one value, are a poll: of them there may be fewer, or more. Memory is given out
 * in an order of its own.
 */
final class Script {
  /**
   * A line that has its place in the order.
   *
   * @param number of the line in the file
   * @param times how often it was done, with nothing between that has its place in the order
   */
  private record Step(int number, RecordedLine line, long times) {
    Access access() {
      return line.access();
    }

    Step with(long more) {
      return new Step(number, line, times + more);
    }

    /** Whether it is a read of that register. */
    boolean isOf(Register register) {
      return access().kind() == Kind.READ && access().register().equals(register);
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

  private final byte[] config;
  private int next;

  /** Where the next one is that the driver has to do, or before it. */
  private int nextDue;

  /** What the driver has read, if it has done nothing since; and how often it was so again. */
  private @Nullable Step justRead;

  private long left;
  private @Nullable String mismatch;

  Script(DeviceName device, Recording recording, ReplayedMemory memory, ReplayedSignals signals) {
    this.device = device;
    this.memory = memory;
    this.signals = signals;
    this.config = recording.device().config().clone();
    read(recording);
    // From here on it is what the driver has been told.
    System.arraycopy(recording.device().config(), 0, config, 0, config.length);
    playDevice();
  }

  private void read(Recording recording) {
    int number = recording.firstLine();
    int poll = -1; // where the reads are that the next one may belong to
    for (RecordedLine line : recording.lines()) {
      Step step = new Step(number++, line, line.times());
      switch (line.access().kind()) {
        case READ -> {
          if (line.access().space() == Access.CONFIG) {
            poll = -1;
            if (changesConfig(line.access())) {
              steps.add(step);
            }
          } else if (poll >= 0 && steps.get(poll).access().equals(line.access())) {
            steps.set(poll, steps.get(poll).with(line.times()));
          } else {
            poll = steps.size();
            steps.add(step);
          }
        }
        case ALLOCATE, MAP -> allocations.add(step);
        case DEVICE_WRITE, DRIVER_WRITE, SIGNAL -> steps.add(step);
        default -> {
          if (step.isDue() || line.access().kind() == Kind.INTERRUPT) {
            steps.add(step);
            poll = -1;
          }
        }
      }
    }
  }

  /** The driver reads a register. */
  synchronized long read(Access read) {
    checkMatches();
    Register register = read.register();
    if (justRead != null && left > 0 && justRead.isOf(register)) {
      long value = justRead.access().value();
      left--;
      if (left == 0) {
        playDevice();
      }
      return value;
    }
    Step expected = expected();
    if (expected != null && expected.isOf(register)) {
      passTo(expected);
      readFirst(expected);
      playDevice();
      return expected.access().value();
    }
    if (register.space() == Access.CONFIG) {
      return configValue(register);
    }
    if (justRead != null && justRead.times() > 1 && justRead.isOf(register)) {
      return justRead.access().value();
    }
    String what = read.toString();
    throw mismatch(expected, what.substring(0, what.indexOf(" = ")));
  }

  private void readFirst(Step step) {
    if (step.access().space() == Access.CONFIG) {
      changesConfig(step.access());
      justRead = null;
    } else {
      justRead = step;
      left = step.times() - 1;
    }
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

  /**
   * The driver wants memory: looks whether it can have it.
   *
   * @throws ReplayMismatchException if it can't
   */
  synchronized void checkAllocation(Kind kind, long size, long alignment) {
    checkMatches();
    Step expected = allocations.peek();
    String actual = "%s of 0x%x bytes".formatted(kind.word(), size);
    if (expected == null
        || expected.access().kind() != kind
        || expected.access().length() != size) {
      throw mismatch(expected, actual);
    }
    long busAddress = expected.access().address();
    if ((busAddress & (alignment - 1)) != 0) {
      throw mismatch(expected, "%s aligned to 0x%x".formatted(actual, alignment));
    }
    // It gives back in its own order.
    if (memory.isTaken(busAddress, size)) {
      throw mismatch(expected, actual + ", and has other memory there");
    }
  }

  /** The driver gets memory; returns where it is. */
  synchronized long allocate(Kind kind, MemorySegment segment, long alignment) {
    checkAllocation(kind, segment.byteSize(), alignment);
    long busAddress = allocations.remove().access().address();
    memory.add(busAddress, segment);
    return busAddress;
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
    // It never goes back: there may be a lot between, and the driver may ask often.
    nextDue = Math.max(nextDue, next);
    while (nextDue < steps.size() && !steps.get(nextDue).isDue()) {
      nextDue++;
    }
    return nextDue < steps.size() ? steps.get(nextDue) : null;
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
    int end = next;
    while (end < steps.size() && steps.get(end).isOfDevice()) {
      end++;
    }
    if (end < steps.size() && isPolledUntil(steps.get(end))) {
      return; // a driver that saw it now might poll no more, and take the old value for the new one
    }
    while (next < end) {
      play(steps.get(next++));
    }
  }

  /** Whether the driver has to read a register until it has the value of that step. */
  private boolean isPolledUntil(Step step) {
    return justRead != null && left > 0 && step.isOf(justRead.access().register());
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

  /** Notes what config space has shown; whether it had shown something else. */
  private boolean changesConfig(Access read) {
    Register register = read.register();
    boolean changes = configValue(register) != read.value();
    for (int i = 0; i < register.width(); i++) {
      config[(int) register.offset() + i] = (byte) (read.value() >>> (8 * i));
    }
    return changes;
  }

  private long configValue(Register register) {
    long value = 0;
    for (int i = 0; i < register.width(); i++) {
      value |= (config[(int) register.offset() + i] & 0xffL) << (8 * i);
    }
    return value;
  }
}
