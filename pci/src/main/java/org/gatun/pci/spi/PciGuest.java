package org.gatun.pci.spi;

import java.util.List;
import org.gatun.pci.PciDevice;

/**
 * A guest: a module of the user's that does its work with a device. Found by {@link
 * java.util.ServiceLoader}. It uses driver libraries, and answers through standard output and its
 * exit status.
 */
public interface PciGuest {
  /** The devices that it can use; asked for before it gets one. */
  List<DeviceMatch> matches();

  /**
   * Starts work on a device, and returns soon: long work goes to threads of the context's.
   *
   * @param device the guest's until it is detached; the guest does not close it. The guest need not
   *     listen for its going: it is {@linkplain Attachment#detach detached} then.
   */
  Attachment attach(PciDevice device, GuestContext context);
}
