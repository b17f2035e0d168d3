package org.gatun.simulated.trace;

import java.time.Duration;
import java.util.Optional;
import org.gatun.pci.Bar;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.Interrupts;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.simulated.trace.Access.Kind;

/** A device, with somebody who sees what is done through it. */
final class ObservedDevice implements PciDevice {
  private final PciDevice device;
  private final Observer observer;
  private final DmaSpace dma;
  private final Object closing = new Object();

  /** Guarded by closing. */
  private boolean closed;

  /**
   * @param dma what the driver gets for the memory of the device
   */
  ObservedDevice(PciDevice device, Observer observer, DmaSpace dma) {
    this.device = device;
    this.observer = observer;
    this.dma = dma;
  }

  @Override
  public DeviceName name() {
    return device.name();
  }

  @Override
  public ConfigSpace config() {
    return new ObservedConfig(device.config(), observer);
  }

  @Override
  public Optional<Bar> bar(int index) {
    return device.bar(index).map(bar -> new ObservedBar(device.name(), bar, observer));
  }

  @Override
  public DmaSpace dma() {
    device.dma(); // throws if it is gone
    return dma;
  }

  @Override
  public Interrupts interrupts() {
    return new ObservedInterrupts(device.interrupts(), observer);
  }

  @Override
  public void busMaster(boolean on) {
    observer.before();
    device.busMaster(on);
    observer.saw(Kind.BUS_MASTER, 0, 0, 0, on ? 1 : 0);
  }

  @Override
  public void reset() {
    observer.before();
    device.reset();
    observer.saw(Kind.RESET, 0, 0, 0, 0);
  }

  @Override
  public void onDetach(DetachListener listener) {
    device.onDetach(new ObservedListener(listener, observer));
  }

  @Override
  public Usage usage() {
    return device.usage();
  }

  @Override
  public void close() {
    device.close();
    synchronized (closing) { // whoever comes second waits until the first has let go of all, too
      if (!closed) {
        closed = true;
        observer.saw(Kind.CLOSE, 0, 0, 0, 0);
      }
    }
  }

  @Override
  public String toString() {
    return device.toString();
  }

  private record ObservedConfig(ConfigSpace config, Observer observer) implements ConfigSpace {
    @Override
    public int size() {
      return config.size();
    }

    @Override
    public int read(int offset, int width) {
      observer.before();
      int value = config.read(offset, width);
      observer.saw(Kind.READ, Access.CONFIG, offset, width, value);
      return value;
    }

    @Override
    public void write(int offset, int width, int value) {
      observer.before();
      config.write(offset, width, value);
      observer.saw(Kind.WRITE, Access.CONFIG, offset, width, value);
    }
  }

  private record ObservedListener(DetachListener listener, Observer observer)
      implements DetachListener {
    @Override
    public void requested(Duration deadline) {
      observer.saw(Kind.WANTED, 0, 0, 0, 0);
      listener.requested(deadline);
    }

    @Override
    public void gone(String cause) {
      observer.saw(Kind.GONE, 0, 0, 0, 0);
      listener.gone(cause);
    }

    @Override
    public boolean recover(RecoveryStep step) {
      return listener.recover(step);
    }
  }
}
