package org.gatun.simulated;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.LongConsumer;
import org.gatun.pci.Bar;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Mmio;
import org.gatun.pci.PortIo;
import org.gatun.pci.ResetUnavailableException;
import org.gatun.pci.SharedRange;
import org.gatun.pci.Vector;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.spi.ResourceTracker;
import org.gatun.pci.spi.ResourceTracker.Resource;
import org.gatun.pci.spi.SeizedDevice;
import org.gatun.pci.spi.SharedMemory;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.jspecify.annotations.Nullable;

/** A function, opened. It ends with {@link #close}; an unplugged one is gone before. */
final class SimulatedDevice implements SeizedDevice {
  private static final System.Logger LOG = System.getLogger(SimulatedDevice.class.getName());

  private final SimulatedFunction function;
  private final DeviceName name;
  private final Runnable afterClose;
  private final ResourceTracker mappings;
  private final ResourceTracker buffers;
  private final ConfigSpace config = new GuardedConfig();
  private final Interrupts interrupts = new GuardedInterrupts();
  private final DmaSpace dma;
  private final List<SimulatedBar> bars;
  private final List<DetachListener> listeners = new CopyOnWriteArrayList<>();
  private final AtomicReference<@Nullable Thread> closer = new AtomicReference<>();
  private final CountDownLatch closed = new CountDownLatch(1);

  /** Guarded by lifeCycle, except for reads: after it, nothing touches the function any more. */
  private volatile boolean gone;

  /** Guarded by lifeCycle, except for reads. */
  private volatile boolean decode = true;

  /** What the owner does about errors, if it wants to know of them. */
  private volatile @Nullable Runnable recovery;

  /** Held by what changes the function as a whole: reset, gone, close. */
  private final Object lifeCycle = new Object();

  /** Whether the device can be reset: neighbours may have been plugged in meanwhile. */
  private final BooleanSupplier resettable;

  SimulatedDevice(SimulatedFunction function, BooleanSupplier resettable, Runnable afterClose) {
    this.function = function;
    this.resettable = resettable;
    this.name = function.name();
    this.afterClose = afterClose;
    this.mappings = new ResourceTracker(name);
    this.buffers = new ResourceTracker(name);
    this.dma = new SimulatedDmaSpace(name, function.group().domain(), buffers);
    this.bars = function.description().bars().stream().map(SimulatedBar::new).toList();
    function.acquire(this);
  }

  @Override
  public DeviceName name() {
    return name;
  }

  @Override
  public ConfigSpace config() {
    check("config space");
    return config;
  }

  @Override
  public Optional<Bar> bar(int index) {
    if (index < 0 || index > 5) {
      throw new IllegalArgumentException(name + ": a device has BARs 0 to 5, not " + index);
    }
    check("BAR " + index);
    return bars.stream().filter(b -> b.index() == index).<Bar>map(b -> b).findFirst();
  }

  @Override
  public DmaSpace dma() {
    check("DMA");
    return dma;
  }

  @Override
  public Interrupts interrupts() {
    check("interrupts");
    return interrupts;
  }

  @Override
  public void busMaster(boolean on) {
    synchronized (lifeCycle) {
      check("bus master");
      function.busMaster(on);
    }
  }

  @Override
  public void reset() {
    synchronized (lifeCycle) {
      check("reset");
      if (!resettable.getAsBoolean()) {
        throw new ResetUnavailableException(
            name,
            "the device has no reset: neither of its own, nor by its slot",
            "plug it in alone behind a root port",
            null);
      }
      function.reset();
      if (!decode) {
        function.decode(false);
      }
    }
  }

  /** As a host does when it hands a device to somebody: whatever its last owner left is gone. */
  void resetIfPossible() {
    synchronized (lifeCycle) {
      if (!gone && resettable.getAsBoolean()) {
        function.reset();
      }
    }
  }

  @Override
  public void decode(boolean on) {
    synchronized (lifeCycle) {
      check("decode");
      decode = on;
      function.decode(on);
      if (!on) {
        // Memory that a model shares can't be made to fault: its mappings end instead.
        mappings.closeOpen();
      }
    }
  }

  @Override
  public void onError(Runnable recovery) {
    this.recovery = recovery;
  }

  @Override
  public void onDmaFault(LongConsumer listener) {
    synchronized (lifeCycle) {
      check("listening for faults");
      function.onDmaFault(listener);
    }
  }

  @Override
  public Optional<String> release() {
    close();
    return Optional.empty();
  }

  /** The device reported an error that is not correctable. */
  void failed(String cause) {
    Runnable owners = recovery;
    if (owners != null) {
      owners.run();
    } else {
      tell(cause);
    }
  }

  @Override
  public void onDetach(DetachListener listener) {
    check("listening for its removal");
    listeners.add(listener);
  }

  @Override
  public Usage usage() {
    Usage mapped = mappings.usage(0);
    Usage allocated = buffers.usage(0);
    return new Usage(
        mapped.mappings(),
        allocated.buffers(),
        allocated.dmaBytes(),
        gone ? 0 : function.interrupts().enabledVectors());
  }

  /** The device was unplugged: stops it, and tells the listeners. DMA memory stays until close. */
  void unplugged(String cause) {
    synchronized (lifeCycle) {
      if (gone) {
        return;
      }
      function.reset();
      gone = true;
      mappings.closeAll();
    }
    tell(cause);
  }

  private void tell(String cause) {
    for (DetachListener listener : listeners) {
      try {
        listener.gone(cause);
      } catch (RuntimeException e) {
        LOG.log(System.Logger.Level.ERROR, name + ": a detach listener failed", e);
      }
    }
  }

  @Override
  public void close() {
    if (!closer.compareAndSet(null, Thread.currentThread())) {
      awaitClosed();
      return;
    }
    try {
      synchronized (lifeCycle) {
        if (!gone) {
          if (resettable.getAsBoolean()) {
            function.reset();
          } else {
            function.stop();
          }
          function.renewPassedOn();
          gone = true;
        }
      }
      // Buffers first: they are often newer, and nothing uses either any more.
      try {
        buffers.closeAll();
      } finally {
        mappings.closeAll();
      }
    } finally {
      function.onDmaFault(null);
      function.release(this);
      try {
        afterClose.run();
      } finally {
        closed.countDown();
      }
    }
  }

  @Override
  public String toString() {
    return name.toString();
  }

  private void awaitClosed() {
    if (closer.get() == Thread.currentThread()) {
      return; // from inside of our own close
    }
    boolean interrupted = false;
    while (true) {
      try {
        closed.await();
        break;
      } catch (InterruptedException _) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void check(String operation) {
    if (gone) {
      throw new DeviceGoneException(name, operation, null);
    }
  }

  private final class GuardedConfig implements ConfigSpace {
    @Override
    public int size() {
      return function.config().size();
    }

    @Override
    public int read(int offset, int width) {
      check("config read at offset 0x" + Integer.toHexString(offset));
      return function.readConfig(offset, width);
    }

    @Override
    public void write(int offset, int width, int value) {
      synchronized (lifeCycle) {
        check("config write at offset 0x" + Integer.toHexString(offset));
        function.writeConfig(offset, width, value);
        if (!decode) {
          function.decode(false); // a write can reset the function
        }
      }
      function.signalEvents(); // of what the write has unmasked
    }
  }

  private final class GuardedInterrupts implements Interrupts {
    @Override
    public int count(Interrupts.Kind kind) {
      check("interrupts");
      return function.interrupts().count(kind);
    }

    @Override
    public List<Vector> enable(Interrupts.Kind kind, int count) {
      synchronized (lifeCycle) {
        check("enabling interrupts");
        return function.interrupts().enable(kind, count);
      }
    }

    @Override
    public void disable() {
      synchronized (lifeCycle) {
        if (!gone) {
          function.interrupts().disable();
        }
      }
    }
  }

  /** A range that somebody else was given. */
  private final class PassedOn implements SharedRange {
    private final SharedMemory memory;
    private final long offset;
    private boolean ended;

    PassedOn(SharedMemory memory, long offset) {
      this.memory = memory;
      this.offset = offset;
    }

    @Override
    public long offset() {
      return offset;
    }

    @Override
    public <T> Optional<T> unwrap(Class<T> exactType) {
      return memory.unwrap(exactType);
    }

    @Override
    public void close() {
      synchronized (lifeCycle) {
        if (!ended && !gone) {
          function.renewPassedOn();
        }
        ended = true;
      }
    }
  }

  private final class SimulatedBar implements Bar {
    private final BarDescription description;

    SimulatedBar(BarDescription description) {
      this.description = description;
    }

    @Override
    public int index() {
      return description.index();
    }

    @Override
    public Bar.Kind kind() {
      return description.kind();
    }

    @Override
    public long size() {
      return description.size();
    }

    @Override
    public boolean prefetchable() {
      return description.prefetchable();
    }

    @Override
    public List<Range> ranges() {
      return description.ranges();
    }

    @Override
    @SuppressWarnings("MustBeClosed") // the mapping closes it
    public Mmio map(long offset, long length) {
      Range range =
          ranges().stream()
              .filter(r -> r.contains(offset, length))
              .findFirst()
              .orElseThrow(() -> cannotMap(offset, length));
      if (offset % 4 != 0 || length % 4 != 0) {
        throw cannotMap(offset, length);
      }
      check("mapping BAR " + index());
      if (!decode) {
        throw new DeviceGoneException(name, "mapping BAR " + index() + " with decode off", null);
      }
      Object key = new Object();
      Mmio mmio =
          switch (range.access()) {
            case TRAPPED ->
                Mmio.trapped(
                    name, length, function.handler(index(), offset), () -> mappings.remove(key));
            case DIRECT -> {
              Arena lifetime = Arena.ofShared();
              MemorySegment view = function.memory(index()).map(offset, length, lifetime);
              yield Mmio.direct(
                  name,
                  view,
                  () -> {
                    lifetime.close();
                    mappings.remove(key);
                  });
            }
          };
      try {
        mappings.add(key, new Resource.Mapping(), mmio::close);
      } catch (DeviceGoneException e) {
        mmio.close();
        throw e;
      }
      return mmio;
    }

    @Override
    public PortIo ports() {
      if (kind() != Bar.Kind.IO) {
        throw new IllegalArgumentException(
            name + ": BAR " + index() + " has memory behind it, not I/O ports");
      }
      check("the ports of BAR " + index());
      return new SimulatedPorts(
          name, size(), function.portHandler(index()), () -> check("a port of BAR " + index()));
    }

    @Override
    public List<Doorbell> doorbells() {
      return description.doorbells();
    }

    @Override
    public Optional<SharedRange> share(Range range) {
      boolean direct =
          ranges().stream()
              .anyMatch(
                  r -> r.access() == Access.DIRECT && r.contains(range.offset(), range.length()));
      check("sharing BAR " + index());
      return direct
          ? function.memory(index()).passOn().map(memory -> new PassedOn(memory, range.offset()))
          : Optional.empty();
    }

    private IllegalArgumentException cannotMap(long offset, long length) {
      return new IllegalArgumentException(
          ("%s: can't map %d bytes at 0x%x of BAR %d: multiples of 4, and inside one of its ranges"
                  + " (%d bytes, %s)")
              .formatted(name, length, offset, index(), size(), ranges()));
    }
  }
}
