package org.gatun.broker;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.PciBackend;
import org.gatun.pci.spi.SeizedDevice;

/**
 * A backend whose devices a test can want back, or change when they are seized; and which, as VFIO,
 * takes several names for one device: in capital letters, too.
 */
final class HookedBackend implements PciBackend {
  private final PciBackend inner;
  private Consumer<SeizedDevice> onSeize = _ -> {};
  private volatile Consumer<String> onCall = _ -> {};

  /** Of all devices that were seized, in that order. */
  final List<DetachListener> listeners = new ArrayList<>();

  HookedBackend(PciBackend inner) {
    this.inner = inner;
  }

  /** What happens to a device when it is seized from now on. */
  void onSeize(Consumer<SeizedDevice> hook) {
    onSeize = hook;
  }

  /** What happens before each call to a device. */
  void onCall(Consumer<String> hook) {
    onCall = hook;
  }

  @Override
  public String scheme() {
    return inner.scheme();
  }

  @Override
  public List<FoundDevice> scan() {
    return inner.scan();
  }

  @Override
  public DeviceName nameOf(DeviceName name) {
    return canonical(name);
  }

  @Override
  public Optional<FoundDevice> find(DeviceName name) {
    return inner.find(canonical(name));
  }

  @Override
  public PciDevice open(DeviceName name) {
    return inner.open(canonical(name));
  }

  @Override
  public SeizedDevice seize(DeviceName name) {
    SeizedDevice device = inner.seize(canonical(name));
    onSeize.accept(device);
    return (SeizedDevice)
        Proxy.newProxyInstance(
            HookedBackend.class.getClassLoader(),
            new Class<?>[] {SeizedDevice.class},
            (_, method, arguments) -> {
              onCall.accept(method.getName());
              if (method.getName().equals("onDetach")) {
                listeners.add((DetachListener) arguments[0]);
              }
              try {
                return method.invoke(device, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  private static DeviceName canonical(DeviceName name) {
    return new DeviceName(name.scheme(), name.text().toLowerCase(java.util.Locale.ROOT));
  }
}
