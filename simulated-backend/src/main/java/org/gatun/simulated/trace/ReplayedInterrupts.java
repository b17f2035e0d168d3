package org.gatun.simulated.trace;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.Event;
import org.gatun.pci.Interrupts;
import org.gatun.pci.TimeSource;
import org.gatun.pci.Vector;

/**
 * The interrupts of a replayed device: they come when the driver waits for those of the recording.
 */
final class ReplayedInterrupts implements Interrupts {
  /** What comes, comes at once; but another thread may have to do something before. */
  private static final Duration LOOK = Duration.ofMillis(1);

  private final ReplayedDevice device;
  private final Map<Kind, Integer> counts;
  private final Script script;
  private final ReplayedSignals signals;
  private final TimeSource time;
  private volatile List<ReplayedVector> vectors = List.of();

  ReplayedInterrupts(
      ReplayedDevice device,
      Map<Kind, Integer> counts,
      Script script,
      ReplayedSignals signals,
      TimeSource time) {
    this.device = device;
    this.counts = counts;
    this.script = script;
    this.signals = signals;
    this.time = time;
  }

  int enabled() {
    return vectors.size();
  }

  @Override
  public int count(Kind kind) {
    device.check("interrupts");
    return counts.getOrDefault(kind, 0);
  }

  @Override
  public synchronized List<Vector> enable(Kind kind, int count) {
    if (count < 1 || count > count(kind)) {
      throw new IllegalArgumentException(
          "%s: can't enable %d vectors of %s: the device has %d"
              .formatted(device, count, kind, count(kind)));
    }
    if (!vectors.isEmpty()) {
      throw new IllegalStateException(device + ": interrupts are enabled already: disable them");
    }
    device.act(new Access(Access.Kind.enabling(kind), 0, 0, 0, count));
    vectors = IntStream.range(0, count).mapToObj(ReplayedVector::new).toList();
    return List.copyOf(vectors);
  }

  @Override
  public synchronized void disable() {
    device.act(new Access(Access.Kind.DISABLE, 0, 0, 0, 0));
    end();
  }

  /** The vectors are gone. */
  synchronized void end() {
    vectors = List.of();
    signals.clear();
  }

  private final class ReplayedVector implements Vector {
    private final int index;

    ReplayedVector(int index) {
      this.index = index;
    }

    @Override
    public int index() {
      return index;
    }

    @Override
    public boolean await(Duration limit) {
      return time.await(this::poll, limit, LOOK);
    }

    @Override
    public boolean poll() {
      check();
      if (signals.isConnected(index)) {
        throw new IllegalStateException(
            device + ": vector " + index + " is connected to an event, which has its interrupts");
      }
      return script.takeInterrupt(index);
    }

    @Override
    public void connect(Event event) {
      check();
      device.act(new Access(Access.Kind.CONNECT, 0, index, 0, 0));
      signals.connect(index, event);
      signals.signalDue();
    }

    @Override
    public void mask(boolean on) {
      check();
      device.act(new Access(on ? Access.Kind.MASK : Access.Kind.UNMASK, 0, index, 0, 0));
    }

    private void check() {
      if (!vectors.contains(this)) {
        throw new DeviceGoneException(device.name(), "interrupt vector " + index, null);
      }
    }
  }
}
