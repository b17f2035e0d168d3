package org.gatun.benchmarks;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.FunctionDescription;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.FunctionDescription.InterruptDescription;
import org.gatun.simulated.FunctionDescription.Msix;
import org.gatun.simulated.ModelContext;
import org.gatun.simulated.RunningModel;
import org.gatun.simulated.SimulatedBus;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * A 32-bit access to a trapped register on the simulated bus, against the same call of the device's
 * model through its interface, without a bus: what decode, the MSI-X table in the same BAR and
 * events cost. The model takes no lock: those of real ones are their own.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@OperationsPerInvocation(SimulatedRegister.ACCESSES)
public class SimulatedRegister {
  static final int ACCESSES = 10_000;
  private static final int REGISTER = 16;

  /** Opaque: or all accesses of the loop would be one. */
  private static final VarHandle VALUE = MethodHandles.arrayElementVarHandle(long[].class);

  private final RunningModel bare = new Running();
  private final SimulatedBus bus = SimulatedBus.realTime();
  private final PciDevice device = bus.open(bus.plug("registers", new Model()));
  private final Mmio registers = device.bar(0).orElseThrow().map(0, 0x1000);

  private record Model() implements DeviceModel {
    @Override
    public FunctionDescription description() {
      return new FunctionDescription(
          new PciId(0x1234, 1, 0x1234, 1),
          new PciClass(0x088000),
          1,
          true,
          List.of(BarDescription.trapped(0, 0x2000, false)),
          new InterruptDescription(0, 0, Optional.of(new Msix(1, 0, 0x1000, 0x1800))));
    }

    @Override
    public RunningModel start(ModelContext context) {
      return new Running();
    }
  }

  private static final class Running implements RunningModel {
    private final long[] values = new long[0x1000 / Integer.BYTES];

    @Override
    public long read(int bar, long offset, int width) {
      return (long) VALUE.getOpaque(values, (int) offset / Integer.BYTES);
    }

    @Override
    public void write(int bar, long offset, int width, long value) {
      VALUE.setOpaque(values, (int) offset / Integer.BYTES, value);
    }

    @Override
    public void reset() {}

    @Override
    public void close() {}
  }

  @TearDown
  public void close() {
    registers.close();
    device.close();
    bus.close();
  }

  @Benchmark
  public long loadBare() {
    long sum = 0;
    for (int i = 0; i < ACCESSES; i++) {
      sum += bare.read(0, REGISTER, Integer.BYTES);
    }
    return sum;
  }

  @Benchmark
  public int loadSimulated() {
    int sum = 0;
    for (int i = 0; i < ACCESSES; i++) {
      sum += registers.read32(REGISTER);
    }
    return sum;
  }

  @Benchmark
  public void storeBare() {
    for (int i = 0; i < ACCESSES; i++) {
      bare.write(0, REGISTER, Integer.BYTES, i);
    }
  }

  @Benchmark
  public void storeSimulated() {
    for (int i = 0; i < ACCESSES; i++) {
      registers.write32(REGISTER, i);
    }
  }
}
