package org.gatun.simulated.trace;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.gatun.pci.Event;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Vector;

/** Interrupts, of which each that arrives is seen when the driver sees it. */
record ObservedInterrupts(Interrupts interrupts, Observer observer) implements Interrupts {
  @Override
  public int count(Kind kind) {
    return interrupts.count(kind);
  }

  @Override
  public List<Vector> enable(Kind kind, int count) {
    observer.before();
    List<Vector> vectors = interrupts.enable(kind, count);
    observer.saw(Access.Kind.enabling(kind), 0, 0, 0, count);
    return vectors.stream().<Vector>map(v -> new ObservedVector(v, observer)).toList();
  }

  @Override
  public void disable() {
    observer.before();
    interrupts.disable();
    observer.saw(Access.Kind.DISABLE, 0, 0, 0, 0);
  }

  private record ObservedVector(Vector vector, Observer observer) implements Vector {
    @Override
    public int index() {
      return vector.index();
    }

    @Override
    public boolean await(Duration limit) {
      observer.before();
      return taken(vector.await(limit));
    }

    @Override
    public boolean poll() {
      observer.before();
      return taken(vector.poll());
    }

    @Override
    public void connect(Event event) {
      observer.before();
      observer.saw(Access.Kind.CONNECT, 0, index(), 0, 0);
      vector.connect(new ObservedEvent(event, index(), observer));
    }

    @Override
    public void mask(boolean on) {
      observer.before();
      vector.mask(on);
      observer.saw(on ? Access.Kind.MASK : Access.Kind.UNMASK, 0, index(), 0, 0);
    }

    private boolean taken(boolean arrived) {
      if (arrived) {
        observer.saw(Access.Kind.INTERRUPT, 0, index(), 0, 0);
      } else {
        observer.waited();
      }
      return arrived;
    }
  }

  /** Where the system signals the event itself, with no thread of ours between, none is seen. */
  private record ObservedEvent(Event event, int vector, Observer observer) implements Event {
    @Override
    public void signal() {
      observer.saw(Access.Kind.SIGNAL, 0, vector, 0, 0);
      event.signal();
    }

    @Override
    public <T> Optional<T> unwrap(Class<T> exactType) {
      return event.unwrap(exactType);
    }
  }
}
