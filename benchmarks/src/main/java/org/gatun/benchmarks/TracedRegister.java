package org.gatun.benchmarks;

import java.util.concurrent.TimeUnit;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.SpecimenModel;
import org.gatun.simulated.trace.Trace;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * A 32-bit access to a register of a device on the simulated bus, and of one that is traced. Both
 * are in one program, so that the bare one has to be as fast as where nothing is traced.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class TracedRegister {
  /** Keeps what is written. */
  private static final int REGISTER = 0x20;

  private static final int CAPACITY = 4096;

  private final SimulatedBus bus = SimulatedBus.realTime();
  private final PciDevice bareDevice = bus.open(bus.plug("bare", new SpecimenModel()));
  private final PciDevice tracedDevice =
      new Trace(CAPACITY, TimeSource.system())
          .watch(bus.open(bus.plug("traced", new SpecimenModel())));
  private final Mmio bare = map(bareDevice);
  private final Mmio traced = map(tracedDevice);
  private int next;

  private static Mmio map(PciDevice device) {
    return device.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, SpecimenModel.DIRECT);
  }

  @TearDown
  public void close() {
    tracedDevice.close();
    bareDevice.close();
    bus.close();
  }

  @Benchmark
  public int readBare() {
    return bare.read32(REGISTER);
  }

  @Benchmark
  public int readTraced() {
    return traced.read32(REGISTER);
  }

  @Benchmark
  public void writeBare() {
    bare.write32(REGISTER, next++);
  }

  @Benchmark
  public void writeTraced() {
    traced.write32(REGISTER, next++);
  }
}
