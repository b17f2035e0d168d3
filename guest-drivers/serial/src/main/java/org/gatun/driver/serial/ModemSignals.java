package org.gatun.driver.serial;

/** What the other end of a line says of itself. */
public record ModemSignals(
    boolean clearToSend, boolean dataSetReady, boolean ringing, boolean carrier) {}
