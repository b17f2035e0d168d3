package org.gatun.benchmarks;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;
import java.util.concurrent.TimeUnit;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SpecimenModel;
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
 * A 32-bit read of a trapped register that another process serves over a socket: there and back,
 * against a request and a reply of the same sizes between two processes in C over the same kind of
 * socket.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@OperationsPerInvocation(WireRegister.READS)
public class WireRegister {
  static final int READS = 1_000;

  private static final MethodHandle C_CONNECT =
      CBaseline.function("connect_to", FunctionDescriptor.of(JAVA_INT, ADDRESS));
  private static final MethodHandle C_PING =
      CBaseline.function("ping", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG));

  /** Both ends in C. */
  @State(Scope.Thread)
  public static class InC {
    private final Peer peer = Peer.inC("replies");
    private final int socket = connect(peer);

    private static int connect(Peer peer) {
      try (Arena arena = Arena.ofConfined()) {
        return (int) C_CONNECT.invokeExact(arena.allocateFrom(peer.socket().toString()));
      } catch (Throwable e) {
        throw new IllegalStateException(e);
      }
    }

    /** Ends the other process. */
    @TearDown
    public void close() throws Throwable {
      CBaseline.close(socket);
      peer.close();
    }
  }

  /** A device that another JVM serves. */
  @State(Scope.Thread)
  public static class Served {
    private final Peer peer = Peer.serving("specimen");
    private final PciDevice device = new VfioUserBackend().open(peer.device());
    private final Mmio registers =
        device.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, SpecimenModel.DIRECT);

    /** Has the registers. */
    public Served() {
      if (registers.isDirect()) {
        throw new IllegalStateException("the registers are mapped");
      }
    }

    /** Closes it, and ends the other process. */
    @TearDown
    public void close() {
      device.close();
      peer.close();
    }
  }

  @Benchmark
  public long readC(InC c) throws Throwable {
    long answered = (long) C_PING.invokeExact(c.socket, (long) READS);
    if (answered != READS) {
      throw new IllegalStateException("the peer in C has left");
    }
    return answered;
  }

  @Benchmark
  public int readWire(Served served) {
    int sum = 0;
    for (int i = 0; i < READS; i++) {
      sum += served.registers.read32(SpecimenModel.DMA_STATUS);
    }
    return sum;
  }
}
