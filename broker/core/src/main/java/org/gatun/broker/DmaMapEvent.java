package org.gatun.broker;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Throttle;
import org.gatun.pci.DeviceName;

/** A guest made memory reachable by its device. */
@Name("org.gatun.DmaMap")
@Label("DMA Map")
@Description("A guest made memory reachable by its device")
@Category({"Gatun", "Broker"})
@StackTrace(false)
@Throttle("1000/s")
@SuppressWarnings("unused") // JFR reads the fields
final class DmaMapEvent extends Event {
  @Label("Guest")
  private final String guest;

  @Label("Device")
  private final String device;

  @Label("Bus Address")
  private final long busAddress;

  @Label("Size")
  private final long size;

  private DmaMapEvent(String guest, String device, long busAddress, long size) {
    this.guest = guest;
    this.device = device;
    this.busAddress = busAddress;
    this.size = size;
  }

  static void emit(String guest, DeviceName device, long busAddress, long size) {
    new DmaMapEvent(guest, device.toString(), busAddress, size).commit();
  }
}
