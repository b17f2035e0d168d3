package org.gatun.broker;

import java.util.List;
import org.gatun.pci.DeviceName;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.SimulatedBus;

/** A bus and its broker, for one test. */
final class Site implements AutoCloseable {
  final SimulatedBus bus;
  final Broker broker;

  private Site(SimulatedBus bus) {
    this.bus = bus;
    this.broker = new Broker(List.of(bus));
  }

  static Site virtualTime() {
    return new Site(SimulatedBus.virtualTime());
  }

  static Site realTime() {
    return new Site(SimulatedBus.realTime());
  }

  /** Plugs a device in, and has the broker seize it. */
  DeviceName seize(String name, DeviceModel model) {
    DeviceName device = bus.plug(name, model);
    broker.seize(device);
    return device;
  }

  Grant grant(String guest, DeviceName... devices) {
    return broker.grant(
        guest, Quota.DEFAULT, List.of(devices).stream().map(DeviceRequest::of).toList());
  }

  @Override
  public void close() {
    broker.close();
    bus.close();
  }
}
