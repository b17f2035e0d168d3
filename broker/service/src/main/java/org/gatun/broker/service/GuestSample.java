package org.gatun.broker.service;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.Period;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;

/** What a guest's process uses, looked at from outside. */
@Name("org.gatun.GuestSample")
@Label("Guest Sample")
@Description("What a guest's process uses, looked at from outside")
@Category({"Gatun", "Broker"})
@Period("1 s")
@StackTrace(false)
@SuppressWarnings("unused") // JFR reads the fields
final class GuestSample extends Event {
  @Label("Guest")
  private final String guest;

  @Label("Device")
  private final String device;

  @Label("Process")
  private final long process;

  @Label("Processor Time")
  @Description("Since its start, of all threads")
  @Timespan(Timespan.MILLISECONDS)
  private final long processorMillis;

  @Label("Resident Memory")
  @DataAmount
  private final long residentBytes;

  @Label("Threads")
  private final long threads;

  GuestSample(
      String guest,
      String device,
      long process,
      long processorMillis,
      long residentBytes,
      long threads) {
    this.guest = guest;
    this.device = device;
    this.process = process;
    this.processorMillis = processorMillis;
    this.residentBytes = residentBytes;
    this.threads = threads;
  }
}
