package org.gatun.broker;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Throttle;
import org.gatun.broker.policy.ConfigField;
import org.gatun.pci.DeviceName;
import org.jspecify.annotations.Nullable;

/** A guest's write to config space that its policy does not allow. */
@Name("org.gatun.DeniedAccess")
@Label("Denied Access")
@Description("A guest's write to config space that its policy does not allow, dropped or denied")
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
  private final int offset;

  @Label("Width")
  private final int width;

  @Label("Value")
  private final int value;

  @Label("Field")
  private final String field;

  private DeniedAccessEvent(
      String guest, String device, int offset, int width, int value, String field) {
    this.guest = guest;
    this.device = device;
    this.offset = offset;
    this.width = width;
    this.value = value;
    this.field = field;
  }

  static void emit(
      String guest,
      DeviceName device,
      int offset,
      int width,
      int value,
      @Nullable ConfigField field) {
    new DeniedAccessEvent(
            guest,
            device.toString(),
            offset,
            width,
            value,
            field == null ? "" : field.rule().name())
        .commit();
  }
}
