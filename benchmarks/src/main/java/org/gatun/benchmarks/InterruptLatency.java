package org.gatun.benchmarks;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.PciDevice;
import org.gatun.pci.Vector;
import org.gatun.simulated.SimulatedBus;
import org.gatun.vfio.common.Irqs;
import org.gatun.vfio.common.VfioInterrupts;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * An interrupt: another process, which is C in both cases, writes the eventfd that it was given for
 * a vector, and a thread that waits for that vector answers by another eventfd. In Java it is the
 * vector of vfio-user clients and of VFIO devices alike; in C the same system calls. Both ways are
 * counted.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@OperationsPerInvocation(InterruptLatency.INTERRUPTS)
public class InterruptLatency {
  static final int INTERRUPTS = 1_000;
  private static final Duration LIMIT = Duration.ofSeconds(10);

  private static final MethodHandle C_CONNECT =
      CBaseline.function("connect_events", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS));
  private static final MethodHandle C_WAIT =
      CBaseline.function("signal_and_wait", FunctionDescriptor.of(JAVA_LONG, ADDRESS, JAVA_LONG));

  /** A waiter in C. */
  @State(Scope.Thread)
  public static class InC {
    private final Peer peer = Peer.inC("events");
    private final Arena arena = Arena.ofShared();
    private final MemorySegment events = arena.allocate(JAVA_INT, 2);
    private final int socket = connect();

    private int connect() {
      try {
        return (int) C_CONNECT.invokeExact(arena.allocateFrom(peer.socket().toString()), events);
      } catch (Throwable e) {
        throw new IllegalStateException(e);
      }
    }

    /** Ends the other process. */
    @TearDown
    public void close() throws Throwable {
      CBaseline.close(socket);
      peer.close();
      arena.close();
    }
  }

  /** A vector, whose eventfd the other process was sent as by {@code VFIO_USER_DEVICE_SET_IRQS}. */
  @State(Scope.Thread)
  public static class InJava {
    private final Peer peer = Peer.inC("events");
    private final UnixSocket socket = UnixSocket.connect(peer.socket());
    private final EventFd answer = EventFd.create("answer");
    private final SimulatedBus bus = SimulatedBus.realTime();
    private final PciDevice device = bus.open(bus.plug("specimen"));
    private final VfioInterrupts interrupts =
        new VfioInterrupts(device.name(), new PeerIrqs(socket, answer), device.config());
    private final Vector vector = interrupts.enable(Kind.MSIX, 1).getFirst();

    /** Ends the other process. */
    @TearDown
    public void close() {
      interrupts.close();
      device.close();
      bus.close();
      answer.close();
      socket.close();
      peer.close();
    }
  }

  /** One vector, which the other process signals. */
  private record PeerIrqs(UnixSocket peer, EventFd answer) implements Irqs {
    /** As over a socket: the slower kind. */
    @Override
    public EventFd newEvent(String description) {
      return EventFd.createToShare(description);
    }

    @Override
    public int count(int index) {
      return 1;
    }

    @Override
    public int connect(int index, int start, List<Fd> events) {
      try (Arena arena = Arena.ofConfined()) {
        peer.send(arena.allocate(1), 0, 1, List.of(events.getFirst(), answer.fd()));
      }
      return 0;
    }

    @Override
    public void disable(int index) {
      peer.shutdown();
    }

    @Override
    public void mask(int index, boolean on) {
      throw new IllegalStateException("nobody masks here");
    }
  }

  @Benchmark
  public long awaitC(InC c) throws Throwable {
    long answered = (long) C_WAIT.invokeExact(c.events, (long) INTERRUPTS);
    if (answered != INTERRUPTS) {
      throw new IllegalStateException("the peer in C has left");
    }
    return answered;
  }

  @Benchmark
  public void awaitVector(InJava java) {
    for (int i = 0; i < INTERRUPTS; i++) {
      java.answer.signal();
      if (!java.vector.await(LIMIT)) {
        throw new IllegalStateException("no interrupt within " + LIMIT);
      }
    }
  }
}
