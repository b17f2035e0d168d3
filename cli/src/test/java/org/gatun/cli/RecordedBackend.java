package org.gatun.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.PciBackend;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.FunctionDescription;
import org.gatun.simulated.ModelContext;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.RunningModel;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.fault.Fault;
import org.gatun.simulated.fault.Faults;
import org.gatun.specs.nvme.Cc;
import org.gatun.specs.nvme.NvmeRegisters;
import org.jspecify.annotations.Nullable;

/**
 * {@code recorded:FILE}, a simulated disk of 16 GiB that notes in the file when it is notified of a
 * shutdown, also in a process of its own; in this one, a test can take it away in the middle.
 */
public final class RecordedBackend implements PciBackend {
  private static final String SCHEME = "recorded";
  private static volatile @Nullable Accident accident;
  private static volatile @Nullable Fault fault;

  /**
   * What happens to the next disk.
   *
   * @param doorbells how many are rung before it does, on the thread that rings
   */
  record Accident(int doorbells, Consumer<Disk> what) {}

  /** A disk that is open. */
  static final class Disk {
    private final SimulatedBus bus;
    private final DeviceName plugged;
    private final List<DetachListener> listeners = new CopyOnWriteArrayList<>();

    private Disk(SimulatedBus bus, DeviceName plugged) {
      this.bus = bus;
      this.plugged = plugged;
    }

    void requestBack() {
      listeners.forEach(listener -> listener.requested(Duration.ofSeconds(10)));
    }

    void unplug() {
      bus.unplug(plugged);
    }
  }

  /** For {@link java.util.ServiceLoader}. */
  public RecordedBackend() {}

  static DeviceName name(Path file) {
    return new DeviceName(SCHEME, file.toString());
  }

  static void next(Accident planned) {
    accident = planned;
  }

  /** What goes wrong with the next disk. */
  static void next(Fault planned) {
    fault = planned;
  }

  @Override
  public String scheme() {
    return SCHEME;
  }

  @Override
  public List<FoundDevice> scan() {
    return List.of();
  }

  @Override
  public PciDevice open(DeviceName name) {
    SimulatedBus bus = SimulatedBus.realTime();
    Recorder recorder = new Recorder(Path.of(name.text()), accident);
    accident = null;
    Faults faults = new Faults();
    Optional.ofNullable(fault).ifPresent(faults::add);
    fault = null;
    Disk disk = new Disk(bus, bus.plug("disk", faults.on(recorder)));
    recorder.disk = disk;
    PciDevice device = bus.open(disk.plugged);
    return (PciDevice)
        Proxy.newProxyInstance(
            RecordedBackend.class.getClassLoader(),
            new Class<?>[] {PciDevice.class},
            (_, method, arguments) -> {
              if (method.getName().equals("onDetach")) {
                disk.listeners.add((DetachListener) arguments[0]);
              }
              try {
                return method.invoke(device, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              } finally {
                if (method.getName().equals("close")) {
                  bus.close();
                }
              }
            });
  }

  /** A disk whose registers are watched. */
  private static final class Recorder implements DeviceModel {
    private final NvmeModel model = NvmeModel.builder().size(16L << 30).build();
    private final Path file;
    private final @Nullable Accident planned;
    private volatile @Nullable Disk disk;
    private int doorbells;

    Recorder(Path file, @Nullable Accident planned) {
      this.file = file;
      this.planned = planned;
    }

    @Override
    public FunctionDescription description() {
      return model.description();
    }

    @Override
    public RunningModel start(ModelContext context) {
      RunningModel running = model.start(context);
      return new RunningModel() {
        @Override
        public long read(int bar, long offset, int width) {
          return running.read(bar, offset, width);
        }

        @Override
        public void write(int bar, long offset, int width, long value) {
          note(offset, (int) value);
          running.write(bar, offset, width, value);
        }

        @Override
        public void reset() {
          running.reset();
        }

        @Override
        public void close() {
          running.close();
        }
      };
    }

    private void note(long offset, int value) {
      if (offset == NvmeRegisters.CC && Cc.shn(value) == Cc.SHN_NORMAL && Cc.en(value)) {
        try {
          Files.writeString(
              file, "shutdown\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      }
      Accident accident = planned;
      Disk victim = disk;
      if (offset >= NvmeRegisters.DOORBELLS
          && accident != null
          && victim != null
          && ++doorbells == accident.doorbells) {
        accident.what.accept(victim);
      }
    }
  }
}
