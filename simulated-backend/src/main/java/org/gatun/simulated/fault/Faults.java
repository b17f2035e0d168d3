package org.gatun.simulated.fault;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.gatun.simulated.DeviceModel;
import org.jspecify.annotations.Nullable;

/**
 * The fault switch of a device: what goes wrong with it now. It is put {@linkplain #on on} a model
 * before that is plugged in, and costs nothing on others. Any thread.
 *
 * <pre>{@code
 * Faults faults = new Faults();
 * DeviceName disk = bus.plug("disk", faults.on(NvmeModel.builder().build()));
 * ...
 * faults.add(Fault.at(Point.INTERRUPT, new Effect.Lose()).times(1));
 * }</pre>
 *
 * Of the faults that match what happens, and whose turn it is, the one that was added first has its
 * effect. With one thread, each run is the same; with several, the n-th that matches goes wrong in
 * each run, but which that is may differ.
 */
public final class Faults {
  /** A fault, and how much has matched it. */
  private record Armed(Fault fault, AtomicLong seen) {}

  /** Immutable. */
  private volatile List<Armed> armed = List.of();

  /** A switch with nothing on. */
  public Faults() {}

  /** The same model, with which these faults happen. */
  public DeviceModel on(DeviceModel model) {
    return new FaultyModel(model, this);
  }

  /** Switches a fault on: it counts from now. */
  public synchronized void add(Fault fault) {
    List<Armed> more = new ArrayList<>(armed);
    more.add(new Armed(fault, new AtomicLong()));
    armed = List.copyOf(more);
  }

  /** Switches a fault off; if it is on more than once, all of them. */
  public synchronized void remove(Fault fault) {
    armed = armed.stream().filter(a -> !a.fault.equals(fault)).toList();
  }

  /** Switches all off. What was delayed, or is down, comes as it would have. */
  public synchronized void clear() {
    armed = List.of();
  }

  /** Those that are on, whether or not they have happened as often as they will. */
  public List<Fault> active() {
    return armed.stream().map(Armed::fault).toList();
  }

  /** What goes wrong with something that happens now; null if it goes well. */
  @Nullable Effect at(Point point, long key) {
    List<Armed> all = armed;
    for (int i = 0; i < all.size(); i++) {
      Armed one = all.get(i);
      if (one.fault.matches(point, key)) {
        long number = one.seen.getAndIncrement() - one.fault.skipped();
        if (number >= 0 && number < one.fault.count()) {
          return one.fault.effect();
        }
      }
    }
    return null;
  }
}
