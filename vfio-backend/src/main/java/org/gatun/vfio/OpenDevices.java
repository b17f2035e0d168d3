package org.gatun.vfio;

import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.gatun.pci.PciDevice;
import org.jspecify.annotations.Nullable;

/**
 * The devices that are open in this process, to be closed in the right order when the JVM shuts
 * down. There is a shutdown hook as long as there is a device.
 */
final class OpenDevices {
  private static final System.Logger LOG = System.getLogger(OpenDevices.class.getName());
  private static final Set<PciDevice> DEVICES = new HashSet<>();
  private static @Nullable Thread hook;
  private static boolean shuttingDown;

  private OpenDevices() {}

  /**
   * @throws IllegalStateException if the JVM is shutting down
   */
  static void add(PciDevice device) {
    synchronized (DEVICES) {
      if (shuttingDown) {
        // The hook has seen all that it will close.
        throw new IllegalStateException("the JVM is shutting down");
      }
      if (hook == null) {
        Thread thread = new Thread(OpenDevices::closeAll, "gatun shutdown");
        Runtime.getRuntime().addShutdownHook(thread);
        hook = thread;
      }
      DEVICES.add(device);
    }
  }

  static void remove(PciDevice device) {
    synchronized (DEVICES) {
      DEVICES.remove(device);
      Thread thread = hook;
      if (DEVICES.isEmpty() && thread != null) {
        try {
          Runtime.getRuntime().removeShutdownHook(thread);
          hook = null;
        } catch (IllegalStateException e) {
          LOG.log(Level.TRACE, "the JVM is shutting down, so the hook stays");
        }
      }
    }
  }

  private static void closeAll() {
    List<PciDevice> open;
    synchronized (DEVICES) {
      shuttingDown = true;
      open = new ArrayList<>(DEVICES);
    }
    for (PciDevice device : open) {
      try {
        device.close();
      } catch (RuntimeException e) {
        LOG.log(Level.ERROR, device.name() + ": closing it at shutdown failed", e);
      }
    }
  }
}
