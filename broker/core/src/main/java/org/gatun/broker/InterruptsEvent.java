package org.gatun.broker;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Throttle;
import org.gatun.pci.DeviceName;
import org.gatun.pci.Interrupts;

/** A guest enabled interrupts of its device. */
@Name("org.gatun.Interrupts")
@Label("Interrupts")
@Description("A guest enabled interrupts of its device")
@Category({"Gatun", "Broker"})
@StackTrace(false)
@Throttle("1000/s")
@SuppressWarnings("unused") // JFR reads the fields
final class InterruptsEvent extends Event {
  @Label("Guest")
  private final String guest;

  @Label("Device")
  private final String device;

  @Label("Kind")
  private final String kind;

  @Label("Count")
  private final int count;

  private InterruptsEvent(String guest, String device, String kind, int count) {
    this.guest = guest;
    this.device = device;
    this.kind = kind;
    this.count = count;
  }

  static void emit(String guest, DeviceName device, Interrupts.Kind kind, int count) {
    new InterruptsEvent(guest, device.toString(), kind.toString(), count).commit();
  }
}
