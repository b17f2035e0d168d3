package org.gatun.broker;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A device is taken back from a guest. */
@Name("org.gatun.Revocation")
@Label("Revocation")
@Description("A device is taken back from a guest, from the fence to the next owner")
@Category({"Gatun", "Broker"})
@StackTrace(false)
@SuppressWarnings("unused") // JFR reads the fields
final class RevocationEvent extends Event {
  @Label("Guest")
  String guest = "";

  @Label("Device")
  String device = "";

  @Label("By Force")
  boolean byForce;

  @Label("Quarantine")
  @Description("Why the device is not granted again; empty if it can be")
  String quarantine = "";
}
