package org.gatun.benchmarks;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBus;
import org.gatun.specs.nvme.NvmeRegisters;
import org.gatun.vfiouser.VfioUserBackend;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * A write to a doorbell of the simulated NVMe controller that is in shared memory: the controller's
 * in this process, against one that another process serves. It is the same {@link Mmio} class on
 * the same kind of memory, which is checked. The controller is not enabled, so it has no queue
 * whose doorbell it would look at: what remains is the store.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@OperationsPerInvocation(SharedDoorbell.WRITES)
public class SharedDoorbell {
  static final int WRITES = 10_000;
  private static final String MODEL = "nvme,doorbells=shared";
  private static final int PAGE = 0x1000;

  /** The doorbells of a device. */
  @State(Scope.Thread)
  public abstract static class Doorbells {
    private final PciDevice device;
    private final Mmio mapped;

    Doorbells(PciDevice device) {
      this.device = device;
      long before = mappedMemfds();
      mapped = device.bar(NvmeRegisters.BAR).orElseThrow().map(NvmeRegisters.DOORBELLS, PAGE);
      if (!mapped.isDirect() || mappedMemfds() != before + 1) {
        throw new IllegalStateException("the doorbells are not in a memfd that is mapped here");
      }
    }

    /** Closes the device. */
    @TearDown
    public void close() {
      device.close();
    }

    void write() {
      for (int i = 0; i < WRITES; i++) {
        mapped.write32(0, i);
      }
    }

    /** How many shared mappings of memfds this process has (proc_pid_maps(5)). */
    private static long mappedMemfds() {
      try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
        return maps.filter(map -> map.contains("rw-s") && map.contains("/memfd:")).count();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  /** Of a device in this process. */
  public static class OwnDoorbells extends Doorbells {
    private final SimulatedBus bus;

    /** For JMH. */
    public OwnDoorbells() {
      this(SimulatedBus.realTime());
    }

    private OwnDoorbells(SimulatedBus bus) {
      super(bus.open(bus.plug(MODEL)));
      this.bus = bus;
    }

    @Override
    public void close() {
      super.close();
      bus.close();
    }
  }

  /** Of a device that another JVM serves. */
  public static class ServedDoorbells extends Doorbells {
    private final Peer peer;

    /** For JMH. */
    public ServedDoorbells() {
      this(Peer.serving(MODEL));
    }

    private ServedDoorbells(Peer peer) {
      super(new VfioUserBackend().open(peer.device()));
      this.peer = peer;
    }

    @Override
    public void close() {
      super.close();
      peer.close();
    }
  }

  @Benchmark
  public void storeBare(OwnDoorbells doorbells) {
    doorbells.write();
  }

  @Benchmark
  public void storeWire(ServedDoorbells doorbells) {
    doorbells.write();
  }
}
