package org.gatun.benchmarks;

import java.util.List;
import java.util.concurrent.TimeUnit;
import org.gatun.broker.Broker;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.Quota;
import org.gatun.driver.nvme.Completion;
import org.gatun.driver.nvme.NvmeCallback;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeNamespace;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.driver.nvme.NvmeQueuePair;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.SpecimenModel;
import org.gatun.specs.nvme.NvmeRegisters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * The same device, bare and through a broker's grant: 32-bit accesses to mapped registers, and NVMe
 * reads of 512 bytes at queue depth 32 from the simulated controller, whose doorbells are mapped
 * memory, as a real one's are, driver and controller on one thread. A grant adds nothing to either:
 * it is the same {@link Mmio} class on the same memory.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class GrantAccess {
  static final int ACCESSES = 10_000;
  private static final int DEPTH = 32;
  private static final int REGISTER = 16;

  /** A device, by one way or the other. */
  private static final class Machine implements AutoCloseable {
    final SimulatedBus bus = SimulatedBus.realTime();
    final PciDevice device;
    private final Broker broker = new Broker(List.of(bus));

    Machine(DeviceModel model, boolean granted) {
      DeviceName name = bus.plug("device", model);
      if (granted) {
        broker.seize(name);
        device =
            broker
                .grant("guest", Quota.DEFAULT, List.of(DeviceRequest.of(name)))
                .connect()
                .getFirst();
      } else {
        device = bus.open(name);
      }
    }

    @Override
    public void close() {
      device.close();
      broker.close();
      bus.close();
    }
  }

  /** Mapped registers. */
  @State(Scope.Thread)
  public abstract static class Registers {
    private final Machine machine;
    private final Mmio mapped;

    Registers(boolean granted) {
      machine = new Machine(new SpecimenModel(), granted);
      mapped =
          machine
              .device
              .bar(SpecimenModel.REGISTERS)
              .orElseThrow()
              .map(SpecimenModel.DIRECT, 0x1000);
      if (!mapped.isDirect()) {
        throw new IllegalStateException("the registers are not mapped");
      }
    }

    /** Closes the device. */
    @TearDown
    public void close() {
      machine.close();
    }

    void store() {
      for (int i = 0; i < ACCESSES; i++) {
        mapped.write32(REGISTER, i);
      }
    }

    int load() {
      int sum = 0;
      for (int i = 0; i < ACCESSES; i++) {
        sum += mapped.read32(REGISTER);
      }
      return sum;
    }
  }

  /** The backend's. */
  public static class BareRegisters extends Registers {
    /** For JMH. */
    public BareRegisters() {
      super(false);
    }
  }

  /** A grant's. */
  public static class GrantedRegisters extends Registers {
    /** For JMH. */
    public GrantedRegisters() {
      super(true);
    }
  }

  /** A disk and its driver. */
  @State(Scope.Thread)
  public abstract static class Disk implements NvmeCallback {
    private final PumpedNvme model = new PumpedNvme();
    private final Machine machine;
    private final NvmeController controller;
    private final NvmeNamespace namespace;
    private final NvmeQueuePair queue;
    private final DmaBuffer data;
    private int failed;

    Disk(boolean granted) {
      machine = new Machine(model, granted);
      requireMappedDoorbells(machine.device);
      controller = model.served(() -> NvmeController.open(machine.device, NvmeOptions.defaults()));
      namespace = model.served(() -> controller.namespace(1));
      queue = model.served(() -> controller.createQueuePair(DEPTH, Completion.POLL));
      data = machine.device.dma().allocate(DEPTH * 512L, 4096);
    }

    private static void requireMappedDoorbells(PciDevice device) {
      Bar bar = device.bar(NvmeRegisters.BAR).orElseThrow();
      if (bar.ranges().stream()
          .noneMatch(
              range ->
                  range.access() == Bar.Access.DIRECT
                      && range.contains(NvmeRegisters.DOORBELLS, 16))) {
        throw new IllegalStateException("doorbells are not mapped: " + bar.ranges());
      }
    }

    /** Shuts it down. */
    @TearDown
    public void close() {
      model.served(
          () -> {
            data.close();
            queue.close();
            controller.close();
            machine.close();
            return failed;
          });
    }

    @Override
    public void completed(long context, int status) {
      failed += status == 0 ? 0 : 1;
    }

    int read() {
      int submitted = 0;
      int done = 0;
      while (done < ACCESSES) {
        while (submitted < ACCESSES
            && queue.submitRead(
                namespace, submitted & 0xfff, 1, data, submitted % DEPTH * 512L, this, submitted)) {
          submitted++;
        }
        queue.ring();
        model.pump();
        done += queue.poll();
      }
      if (failed != 0) {
        throw new IllegalStateException(failed + " reads failed");
      }
      return done;
    }
  }

  /** The backend's. */
  public static class BareDisk extends Disk {
    /** For JMH. */
    public BareDisk() {
      super(false);
    }
  }

  /** A grant's. */
  public static class GrantedDisk extends Disk {
    /** For JMH. */
    public GrantedDisk() {
      super(true);
    }
  }

  @Benchmark
  @OperationsPerInvocation(ACCESSES)
  public void storeBare(BareRegisters registers) {
    registers.store();
  }

  @Benchmark
  @OperationsPerInvocation(ACCESSES)
  public void storeGranted(GrantedRegisters registers) {
    registers.store();
  }

  @Benchmark
  @OperationsPerInvocation(ACCESSES)
  public int loadBare(BareRegisters registers) {
    return registers.load();
  }

  @Benchmark
  @OperationsPerInvocation(ACCESSES)
  public int loadGranted(GrantedRegisters registers) {
    return registers.load();
  }

  @Benchmark
  @OperationsPerInvocation(ACCESSES)
  public int readBare(BareDisk disk) {
    return disk.read();
  }

  @Benchmark
  @OperationsPerInvocation(ACCESSES)
  public int readGranted(GrantedDisk disk) {
    return disk.read();
  }
}
