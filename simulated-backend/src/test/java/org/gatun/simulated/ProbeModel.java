package org.gatun.simulated;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.gatun.pci.Bar;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.FunctionDescription.InterruptDescription;
import org.gatun.simulated.FunctionDescription.Msix;
import org.jspecify.annotations.NullMarked;
import org.jspecify.annotations.Nullable;

/**
 * A device that does what its test says: BAR 0 has trapped registers that keep what is written, and
 * an MSI-X table; BAR 2 is 64 bits wide, prefetchable, and shared memory from 0x1000 on.
 */
@NullMarked
final class ProbeModel implements DeviceModel {
  static final long TABLE = 0x2000;
  static final long PENDING = 0x3000;

  /** At work. */
  static final class Running implements RunningModel {
    final ModelContext context;
    final DmaPort port;
    final long[] registers = new long[0x1000 / 8];
    final AtomicInteger resets = new AtomicInteger();
    volatile boolean closed;

    Running(ModelContext context) {
      this.context = context;
      this.port = context.newDmaPort();
    }

    @Override
    public synchronized long read(int bar, long offset, int width) {
      return offset < 0x1000 ? registers[(int) offset / 8] >>> (8 * (offset & 7)) : 0;
    }

    @Override
    public synchronized void write(int bar, long offset, int width, long value) {
      if (offset < 0x1000) {
        registers[(int) offset / 8] = value;
      }
    }

    @Override
    public void reset() {
      resets.incrementAndGet();
    }

    @Override
    public void close() {
      closed = true;
    }
  }

  private final List<CapabilityDescription> capabilities;
  private @Nullable Running running;

  /** One with a function level reset. */
  ProbeModel() {
    this(StandardCapabilities.expressEndpoint(true));
  }

  /** One with these capabilities. */
  ProbeModel(CapabilityDescription... capabilities) {
    this.capabilities = List.of(capabilities);
  }

  Running running() {
    return Objects.requireNonNull(running);
  }

  @Override
  public FunctionDescription description() {
    return new FunctionDescription(
        new PciId(0x1234, 0x5678, 0x9abc, 0xdef0),
        new PciClass(0x080000),
        3,
        List.of(
            BarDescription.trapped(0, 0x4000, false),
            new BarDescription(
                2,
                0x4000,
                true,
                true,
                List.of(
                    new Bar.Range(0, 0x1000, Bar.Access.TRAPPED),
                    new Bar.Range(0x1000, 0x3000, Bar.Access.DIRECT)))),
        0,
        new InterruptDescription(1, 4, Optional.of(new Msix(70, 0, TABLE, PENDING))),
        capabilities,
        Set.of());
  }

  @Override
  public RunningModel start(ModelContext context) {
    running = new Running(context);
    return running;
  }
}
