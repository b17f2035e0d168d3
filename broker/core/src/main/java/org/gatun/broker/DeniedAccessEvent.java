package org.gatun.broker;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Throttle;
import org.gatun.pci.DeviceName;

/** A guest's access that its policy does not allow. */
@Name("org.gatun.DeniedAccess")
@Label("Denied Access")
@Description(
    "A guest's write to config space, or access to registers or ports, that its policy does not"
        + " allow")
@Category({"Gatun", "Broker"})
@StackTrace(false)
@Throttle("100/s")
@SuppressWarnings("unused") // JFR reads the fields
final class DeniedAccessEvent extends Event {
  @Label("Guest")
  private final String guest;

  @Label("Device")
  private final String device;

  @Label("Offset")
  private final long offset;

  @Label("Width")
  private final int width;

  @Label("Value")
  private final int value;

  @Label("Field")
  @Description("The field of config space, if a rule governs it, or the BAR")
  private final String field;

  private DeniedAccessEvent(
      String guest, String device, String field, long offset, int width, int value) {
    this.guest = guest;
    this.device = device;
    this.field = field;
    this.offset = offset;
    this.width = width;
    this.value = value;
  }

  /**
   * @param value what was written to config space
   */
  static void emit(
      String guest, DeviceName device, String field, long offset, int width, int value) {
    new DeniedAccessEvent(guest, device.toString(), field, offset, width, value).commit();
  }
}
