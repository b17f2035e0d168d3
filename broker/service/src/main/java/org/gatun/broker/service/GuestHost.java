package org.gatun.broker.service;

import java.util.List;
import org.gatun.broker.Broker;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.config.GuestConfig;
import org.gatun.pci.DeviceName;

/** What a {@link Guest} needs of its service. Any thread. */
interface GuestHost {
  Broker broker();

  BrokerService.Folders folders();

  /** What a guest is to have from the start. */
  List<DeviceName> devices(GuestConfig guest);

  /** What the policy file says of a device that the broker has, by the name that was used. */
  DeviceRequest request(DeviceName device);

  /**
   * Has the broker take a device.
   *
   * @return its name, as its backend has it
   */
  DeviceName seize(DeviceName device);

  /** Has the broker let a device go. */
  void release(DeviceName device);

  /** Where is kept what is left of processes. */
  PostMortems postMortems();

  void tell(BrokerEvent event);
}
