package org.gatun.simulated;

/**
 * What can be plugged into a {@link SimulatedBus}: immutable, a kind of device with its options. It
 * may be plugged several times, into several buses; each time it starts a device of its own.
 */
public interface DeviceModel {
  /** What config space shows, and what is behind the BARs. The same at each call. */
  FunctionDescription description();

  /**
   * Powers a device up, with registers as after a reset.
   *
   * @param context what the device gets from its bus, valid until it is closed
   * @throws org.gatun.pci.DeviceUnavailableException if something that it needs is not there, say
   *     the file behind a disk
   */
  RunningModel start(ModelContext context);
}
