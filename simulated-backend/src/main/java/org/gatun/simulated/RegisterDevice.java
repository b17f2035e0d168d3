package org.gatun.simulated;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;
import java.util.function.LongSupplier;
import org.gatun.pci.DeviceName;
import org.gatun.simulated.fault.Effect;
import org.jspecify.annotations.Nullable;

/**
 * A device of a {@link RegisterModel}: for its behaviour, which says what is to happen, and for
 * what happens then. All of that is called with the device's lock held, one after the other, on the
 * thread that accesses the device or for which its time has come.
 */
public final class RegisterDevice {
  private final ModelContext context;
  private final DmaPort dma;
  private final Agenda agenda;
  private final Map<Integer, RegisterFile> files = new HashMap<>();
  private Runnable whenReset = () -> {};
  private Runnable whenClosed = () -> {};

  /** What was scheduled before a reset finds another number here, and is void. */
  private int generation;

  RegisterDevice(ModelContext context, List<RegisterMap> maps) {
    this.context = context;
    this.dma = context.newDmaPort();
    this.agenda = new Agenda(context);
    maps.forEach(map -> files.put(map.bar(), new RegisterFile(map)));
  }

  /**
   * The value of a register.
   *
   * @throws IllegalArgumentException if the device has no such register, as for all methods here
   *     that have one
   */
  public long get(Register register) {
    return file(register).get(register);
  }

  /** Gives a register a value, whatever a driver could; what is too wide for it is dropped. */
  public void set(Register register, long value) {
    file(register).set(register, value);
  }

  /** Sets some bits of a register. */
  public void setBits(Register register, long bits) {
    set(register, get(register) | bits);
  }

  /** Clears some bits of a register. */
  public void clearBits(Register register, long bits) {
    set(register, get(register) & ~bits);
  }

  /**
   * From now on a driver reads this instead of what is kept.
   *
   * @param value all of the register, also where only a part of it is read
   */
  public void onRead(Register register, LongSupplier value) {
    file(register).onRead(register, value);
  }

  /**
   * From now on this happens when a driver has written the register, or a part of it.
   *
   * @param action gets what was written, and zeros for what was not; what the register has become
   *     of it is its value
   */
  public void onWrite(Register register, LongConsumer action) {
    file(register).onWrite(register, action);
  }

  /** From now on this happens at a reset, when the registers have their values for that. */
  public void onReset(Runnable action) {
    whenReset = action;
  }

  /** From now on this happens when the device is pulled out, after a reset. */
  public void onClose(Runnable action) {
    whenClosed = action;
  }

  /**
   * Does something later, in the time of the bus; never if the device is reset before.
   *
   * @return to be cancelled if something else comes before
   */
  public Agenda.Entry after(Duration delay, Runnable action) {
    int scheduledIn = generation;
    return agenda.add(
        delay,
        () -> {
          synchronized (this) {
            if (generation == scheduledIn) {
              action.run();
            }
          }
        });
  }

  /**
   * Does something soon, in the time of the bus, whatever resets the device: for what comes to the
   * device from elsewhere, a line say. Any thread, with whatever locks.
   */
  public void soon(Runnable action) {
    context.schedule(
        0,
        () -> {
          synchronized (this) {
            action.run();
          }
        });
  }

  /**
   * Has something done soon, in the time of the bus, without the device's lock: for what calls code
   * that is not the device's, such as who is at the other end of a line. In the order of the calls.
   */
  public void handOver(Runnable action) {
    context.schedule(0, action);
  }

  /** Its name, for messages. */
  public DeviceName name() {
    return context.name();
  }

  /** Whether the host has enabled interrupts by messages. */
  public boolean hasMessageInterrupts() {
    return context.hasMessageInterrupts();
  }

  /** What is to go wrong with a command: as {@link ModelContext#faultOf}. */
  public @Nullable Effect faultOf(long command) {
    return context.faultOf(command);
  }

  /** The way to the host's memory. */
  public DmaPort dma() {
    return dma;
  }

  /**
   * Interrupts: by a message, if the host has enabled these.
   *
   * @param vector 0 to the number of vectors; of no importance without messages
   * @param line the level of the interrupt pin, where there are no messages: level-triggered, so it
   *     stays until this is called again
   */
  public void interrupt(int vector, boolean line) {
    if (!context.hasMessageInterrupts()) {
      context.setInterruptLine(line);
    } else if (line) {
      context.signal(vector);
    }
  }

  private RegisterFile file(Register register) {
    for (RegisterFile file : files.values()) {
      if (file.has(register)) {
        return file;
      }
    }
    throw new IllegalArgumentException(
        context.name() + " has no register " + register.name() + " as it is given");
  }

  /** What the bus has of it. */
  RunningModel running() {
    return new Running();
  }

  private final class Running implements RunningModel {
    @Override
    public long read(int bar, long offset, int width) {
      synchronized (RegisterDevice.this) {
        RegisterFile file = files.get(bar);
        return file == null ? 0 : file.read(offset, width);
      }
    }

    @Override
    public void write(int bar, long offset, int width, long value) {
      synchronized (RegisterDevice.this) {
        RegisterFile file = files.get(bar);
        if (file != null) {
          file.write(offset, width, value);
        }
      }
    }

    @Override
    public void reset() {
      synchronized (RegisterDevice.this) {
        generation++;
        agenda.clear();
        files.values().forEach(RegisterFile::reset);
        context.setInterruptLine(false);
        whenReset.run();
      }
    }

    @Override
    public void close() {
      reset();
      whenClosed.run();
    }
  }
}
