package org.gatun.vfio.common;

import java.util.List;
import org.gatun.nativeaccess.ClosedDescriptorException;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.pci.DeviceGoneException;

/**
 * The interrupts of a device, as the kernel, or who serves it, sees them: by index ({@code
 * VFIO_PCI_MSIX_IRQ_INDEX}) and number. Each call throws {@link LinuxException} if the kernel
 * refuses, and {@link ClosedDescriptorException} if the device, or an eventfd, is closed; over a
 * socket, {@link DeviceGoneException} if whoever serves the device is gone.
 */
public interface Irqs {
  /** How many there are that an eventfd can be given for. */
  int count(int index);

  /**
   * Lets interrupts signal eventfds, one each; enables them if they were not.
   *
   * @return 0; or how many the kernel could enable, if not all: then none is
   */
  int connect(int index, int start, List<Fd> events);

  /** Disables all of an index that is enabled. */
  void disable(int index);

  /** Masks or unmasks the first one. */
  void mask(int index, boolean on);

  /**
   * Makes an eventfd for interrupts to signal. To be overridden where those who signal it are not
   * trusted as the kernel is.
   *
   * @param description for messages
   */
  default EventFd newEvent(String description) {
    return EventFd.create(description);
  }
}
