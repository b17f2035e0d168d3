package org.gatun.broker.service;

import java.util.List;
import org.gatun.broker.Broker;
import org.gatun.broker.Grant;
import org.gatun.broker.GrantedDevice;
import org.gatun.broker.config.GuestConfig;
import org.gatun.pci.DeviceName;

/**
 * What a {@link Guest} needs of its service: devices are named as their backends do. Any thread.
 */
interface GuestHost {
  Broker broker();

  BrokerService.Folders folders();

  /** What a guest is to have from the start. */
  List<DeviceName> devices(GuestConfig guest);

  /**
   * Whether a guest does not get a device for now that it is to have, because of what is on it;
   * then that is an event. Has the broker take the device.
   */
  boolean holdsBack(DeviceName device, GuestConfig guest);

  /**
   * Grants a guest devices that the broker has, as the policy file says; when they come back, what
   * the policy file says is done with them.
   *
   * @throws org.gatun.broker.GrantRefusedException as {@link Broker#grant}, and for what is on one
   */
  Grant grant(GuestConfig guest, List<DeviceName> devices);

  /** As {@link #grant}, of one more device, as {@link Broker#add}. */
  GrantedDevice add(Grant grant, DeviceName device);

  /**
   * Has the broker take a device, unless it has it.
   *
   * @return whether it had not
   */
  boolean seizeIfNeeded(DeviceName device);

  /** Has the broker let a device go. */
  void release(DeviceName device);

  /** Where is kept what is left of processes. */
  PostMortems postMortems();

  void tell(BrokerEvent event);
}
