package org.gatun.vfio.common;

import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.gatun.nativeaccess.ClosedDescriptorException;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.Event;
import org.gatun.pci.Interrupts;
import org.gatun.pci.PciException;
import org.gatun.pci.Vector;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigSpace;
import org.jspecify.annotations.Nullable;

/**
 * The interrupts of a VFIO device: the kernel signals an eventfd for each vector.
 *
 * <p>INTx the kernel masks itself, when it fires and on demand. For message-signalled vectors VFIO
 * has no mask: while one is masked here, the kernel signals an eventfd that nobody waits for, and
 * what is in there is passed on when it is unmasked. Each such change takes the vector down for a
 * moment. What comes then waits in the device if the device can mask vectors; where it can't, it
 * would be lost, so there masking is ignored.
 *
 * <p>An {@link Event} is code of whoever connects it, and may block: it is never called with the
 * lock held, which closing the device, and taking it back, need.
 */
public final class VfioInterrupts implements Interrupts {
  private static final System.Logger LOG = System.getLogger(VfioInterrupts.class.getName());

  /** Message Control: bit 8 is per-vector masking (PCI Local Bus Specification 3.0, 6.8.1.3). */
  private static final int MSI_CONTROL = 2;

  private static final int MSI_PER_VECTOR_MASKING = 1 << 8;

  private final DeviceName device;
  private final Irqs irqs;
  private final boolean msiCanMask;
  private @Nullable Kind enabled;
  private List<VfioVector> vectors = List.of();
  private boolean closed;

  public VfioInterrupts(DeviceName device, Irqs irqs, ConfigSpace config) {
    this.device = device;
    this.irqs = irqs;
    Optional<Capability> msi = Capabilities.walk(config).find(Capability.MSI);
    this.msiCanMask =
        msi.filter(c -> (config.read16(c.offset() + MSI_CONTROL) & MSI_PER_VECTOR_MASKING) != 0)
            .isPresent();
  }

  @Override
  public int count(Kind kind) {
    try {
      return irqs.count(index(kind));
    } catch (LinuxException | ClosedDescriptorException e) {
      throw new DeviceGoneException(device, "count interrupts", e);
    }
  }

  @Override
  public synchronized List<Vector> enable(Kind kind, int count) {
    if (closed) {
      throw new DeviceGoneException(device, "enable interrupts", null);
    }
    int available = count(kind);
    if (count < 1 || count > available) {
      throw new IllegalArgumentException(
          "%s: it has %d %s vectors, so %d can't be enabled"
              .formatted(device, available, kind, count));
    }
    if (enabled != null) {
      throw new IllegalStateException(device + ": " + enabled + " is enabled: disable it first");
    }
    List<VfioVector> made = new ArrayList<>();
    boolean connected = false;
    boolean done = false;
    try {
      for (int i = 0; i < count; i++) {
        EventFd event = irqs.newEvent("%s %s vector %d".formatted(device, kind, i));
        made.add(new VfioVector(this, i, event));
      }
      int possible = irqs.connect(index(kind), 0, made.stream().map(VfioVector::ownEvent).toList());
      if (possible != 0) {
        throw failure(kind, count, "the kernel can enable only " + possible, "ask for fewer", null);
      }
      connected = true;
      if (kind == Kind.INTX) {
        // An interrupt controller may have missed a line that went high while nobody was to be told
        // (QEMU's does). Unmasking looks at the device itself.
        irqs.mask(index(kind), true);
        irqs.mask(index(kind), false);
      }
      done = true;
    } catch (LinuxException e) {
      throw switch (e.errno()) {
        case EMFILE, ENFILE ->
            failure(kind, count, "too many open files", "raise the limit: 'ulimit -n'", e);
        case ENODEV, ENXIO -> new DeviceGoneException(device, "enable interrupts", e);
        default -> failure(kind, count, String.valueOf(e.getMessage()), null, e);
      };
    } catch (ClosedDescriptorException e) {
      throw new DeviceGoneException(device, "enable interrupts", e);
    } finally {
      if (!done) {
        if (connected) {
          disableQuietly(kind);
        }
        made.forEach(VfioVector::close);
      }
    }
    enabled = kind;
    vectors = List.copyOf(made);
    return List.copyOf(made);
  }

  private void disableQuietly(Kind kind) {
    try {
      irqs.disable(index(kind));
    } catch (LinuxException | ClosedDescriptorException | DeviceGoneException e) {
      // The device is gone, and its interrupts with it.
      LOG.log(Level.WARNING, device + ": disabling its interrupts failed: " + e.getMessage());
    }
  }

  @Override
  public synchronized void disable() {
    Kind kind = enabled;
    if (kind == null) {
      return;
    }
    enabled = null;
    try {
      disableQuietly(kind);
    } finally {
      vectors.forEach(VfioVector::close);
      vectors = List.of();
    }
  }

  /** As {@link #disable}, for good. */
  public synchronized void close() {
    closed = true;
    disable();
  }

  /** How many vectors are enabled. */
  public synchronized int enabledCount() {
    return vectors.size();
  }

  DeviceName device() {
    return device;
  }

  EventFd newEvent(String description) {
    return irqs.newEvent(description);
  }

  /** Gives a vector another event to signal. */
  void connect(VfioVector vector, Event event) {
    requireEnabled(vector);
    Fd target = unwrap(event);
    boolean pending;
    synchronized (this) {
      Kind kind = requireEnabled(vector);
      if (!vector.isHeld()) {
        retarget(kind, vector, target);
      }
      pending = vector.connected(event, target);
    }
    if (pending) {
      event.signal();
    }
  }

  /** Masks or unmasks. */
  void mask(VfioVector vector, boolean on) {
    Event due = change(vector, on);
    if (due != null) {
      due.signal();
    }
  }

  /** Returns what is to be signalled, after the lock. */
  private synchronized @Nullable Event change(VfioVector vector, boolean masked) {
    Kind kind = requireEnabled(vector);
    switch (kind) {
      case INTX -> {
        try {
          irqs.mask(index(kind), masked);
        } catch (LinuxException e) {
          throw gone("mask", e);
        }
      }
      case MSI, MSIX -> {
        if ((kind == Kind.MSIX || msiCanMask) && vector.isHeld() != masked) {
          retarget(kind, vector, masked ? vector.holdEvent() : vector.target());
          return vector.held(masked);
        }
      }
    }
    return null;
  }

  private void retarget(Kind kind, VfioVector vector, Fd event) {
    try {
      irqs.connect(index(kind), vector.index(), List.of(event));
    } catch (LinuxException e) {
      throw gone("connect", e);
    }
  }

  private synchronized Kind requireEnabled(VfioVector vector) {
    Kind kind = enabled;
    if (kind == null || !vectors.contains(vector)) {
      throw new DeviceGoneException(device, "vector " + vector.index(), null);
    }
    return kind;
  }

  private Fd unwrap(Event event) {
    return event
        .unwrap(EventFd.class)
        .map(EventFd::fd)
        .or(() -> event.unwrap(Fd.class))
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    device
                        + ": the kernel can't signal that event: there is no eventfd behind it"));
  }

  private PciException gone(String operation, LinuxException e) {
    return switch (e.errno()) {
      case ENODEV, ENXIO, EIO -> new DeviceGoneException(device, operation + " vector", e);
      default -> new PciException(device, operation + " vector: " + e.getMessage(), null, e);
    };
  }

  private PciException failure(
      Kind kind, int count, String problem, @Nullable String remedy, @Nullable Exception cause) {
    return new PciException(
        device, "can't enable %d %s vectors: %s".formatted(count, kind, problem), remedy, cause);
  }

  private static int index(Kind kind) {
    return switch (kind) {
      case INTX -> Vfio.PCI_INTX_IRQ_INDEX;
      case MSI -> Vfio.PCI_MSI_IRQ_INDEX;
      case MSIX -> Vfio.PCI_MSIX_IRQ_INDEX;
    };
  }
}
