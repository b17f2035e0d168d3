package org.gatun.benchmarks;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Stream;
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
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * A 32-bit access to a trapped register on the simulated bus, against the same call of the device's
 * model through its interface, without a bus: what decode, the MSI-X table in the same BAR and
 * events cost. The models take no lock: those of real ones are their own.
 *
 * <p>Of one kind of model, as here, the compiler makes both calls a part of the loop: then the
 * plain one is no call any more. {@link SimulatedRegisterOfFour} has four kinds.
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

  private final int models;
  private final SimulatedBus bus = SimulatedBus.realTime();
  private final List<PciDevice> devices = new ArrayList<>();
  private RunningModel[] bare = {};
  private Mmio[] registers = {};

  /** With one kind of model. */
  public SimulatedRegister() {
    this(1);
  }

  SimulatedRegister(int models) {
    this.models = models;
  }

  private record Model(Supplier<RunningModel> running) implements DeviceModel {
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
      return running.get();
    }
  }

  private static class Running implements RunningModel {
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

  private static final class Second extends Running {}

  private static final class Third extends Running {}

  private static final class Fourth extends Running {}

  @Setup
  public void open() {
    List<Supplier<RunningModel>> kinds =
        List.<Supplier<RunningModel>>of(Running::new, Second::new, Third::new, Fourth::new)
            .subList(0, models);
    bare = kinds.stream().map(Supplier::get).toArray(RunningModel[]::new);
    for (Supplier<RunningModel> kind : kinds) {
      devices.add(bus.open(bus.plug("registers-" + devices.size(), new Model(kind))));
    }
    registers =
        devices.stream().map(d -> d.bar(0).orElseThrow().map(0, 0x1000)).toArray(Mmio[]::new);
  }

  @TearDown
  public void close() {
    Stream.of(registers).forEach(Mmio::close);
    devices.forEach(PciDevice::close);
    bus.close();
  }

  @Benchmark
  public long loadBare() {
    int mask = bare.length - 1;
    long sum = 0;
    for (int i = 0; i < ACCESSES; i++) {
      sum += bare[i & mask].read(0, REGISTER, Integer.BYTES);
    }
    return sum;
  }

  @Benchmark
  public int loadSimulated() {
    int mask = registers.length - 1;
    int sum = 0;
    for (int i = 0; i < ACCESSES; i++) {
      sum += registers[i & mask].read32(REGISTER);
    }
    return sum;
  }

  @Benchmark
  public void storeBare() {
    int mask = bare.length - 1;
    for (int i = 0; i < ACCESSES; i++) {
      bare[i & mask].write(0, REGISTER, Integer.BYTES, i);
    }
  }

  @Benchmark
  public void storeSimulated() {
    int mask = registers.length - 1;
    for (int i = 0; i < ACCESSES; i++) {
      registers[i & mask].write32(REGISTER, i);
    }
  }
}
