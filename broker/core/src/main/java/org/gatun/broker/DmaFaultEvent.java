package org.gatun.broker;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Throttle;
import org.gatun.pci.DeviceName;

/** The IOMMU refused an access of a granted device. */
@Name("org.gatun.DmaFault")
@Label("DMA Fault")
@Description("The IOMMU refused an access of a granted device")
@Category({"Gatun", "Broker"})
@StackTrace(false)
@Throttle("1000/s")
@SuppressWarnings("unused") // JFR reads the fields
final class DmaFaultEvent extends Event {
  @Label("Guest")
  private final String guest;

  @Label("Device")
  private final String device;

  @Label("Bus Address")
  private final long busAddress;

  private DmaFaultEvent(String guest, String device, long busAddress) {
    this.guest = guest;
    this.device = device;
    this.busAddress = busAddress;
  }

  static void emit(String guest, DeviceName device, long busAddress) {
    new DmaFaultEvent(guest, device.toString(), busAddress).commit();
  }
}
