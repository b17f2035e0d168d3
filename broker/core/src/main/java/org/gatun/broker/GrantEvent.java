package org.gatun.broker;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A grant goes from one state to the next. */
@Name("org.gatun.Grant")
@Label("Grant")
@Description("A grant goes from one state to the next")
@Category({"Gatun", "Broker"})
@StackTrace(false)
@SuppressWarnings("unused") // JFR reads the fields
final class GrantEvent extends Event {
  @Label("Guest")
  private final String guest;

  @Label("Devices")
  private final String devices;

  @Label("From")
  private final String from;

  @Label("To")
  private final String to;

  private GrantEvent(String guest, String devices, String from, String to) {
    this.guest = guest;
    this.devices = devices;
    this.from = from;
    this.to = to;
  }

  static void emit(String guest, String devices, GrantState from, GrantState to) {
    new GrantEvent(guest, devices, from.toString(), to.toString()).commit();
  }
}
