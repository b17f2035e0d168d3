package org.gatun.specs.nvme;

/** Dword 0 of the completion of an Asynchronous Event Request (Base 5.2.1; 1.4 section 5.2.1). */
public final class AsynchronousEvent {
  /** Type 0h: Error status. */
  public static final int TYPE_ERROR = 0;

  /** Type 1h: SMART / Health status. */
  public static final int TYPE_SMART = 1;

  /** Type 2h: Notice. */
  public static final int TYPE_NOTICE = 2;

  /** Type 6h: I/O Command Specific status. */
  public static final int TYPE_IO_COMMAND_SPECIFIC = 6;

  /** Type 7h: Vendor specific. */
  public static final int TYPE_VENDOR_SPECIFIC = 7;

  /** Error: a doorbell of a queue that does not exist was written. */
  public static final int ERROR_INVALID_DOORBELL_REGISTER = 0;

  /** Error: a doorbell got a value that is not valid. */
  public static final int ERROR_INVALID_DOORBELL_VALUE = 1;

  /** Error: Diagnostic Failure. */
  public static final int ERROR_DIAGNOSTIC_FAILURE = 2;

  /** Error: Persistent Internal Error. */
  public static final int ERROR_PERSISTENT_INTERNAL = 3;

  /** Error: Transient Internal Error. */
  public static final int ERROR_TRANSIENT_INTERNAL = 4;

  /** Error: Firmware Image Load Error. */
  public static final int ERROR_FIRMWARE_IMAGE_LOAD = 5;

  /** SMART: NVM subsystem Reliability. */
  public static final int SMART_RELIABILITY = 0;

  /** SMART: Temperature Threshold. */
  public static final int SMART_TEMPERATURE_THRESHOLD = 1;

  /** SMART: Spare Below Threshold. */
  public static final int SMART_SPARE_BELOW_THRESHOLD = 2;

  /** Notice: Namespace Attribute Changed. */
  public static final int NOTICE_NAMESPACE_ATTRIBUTE_CHANGED = 0;

  /** Notice: Firmware Activation Starting. */
  public static final int NOTICE_FIRMWARE_ACTIVATION_STARTING = 1;

  /** Notice: Telemetry Log Changed. */
  public static final int NOTICE_TELEMETRY_LOG_CHANGED = 2;

  /** Notice: Asymmetric Namespace Access Change. */
  public static final int NOTICE_ASYMMETRIC_NAMESPACE_ACCESS_CHANGE = 3;

  /** I/O Command Specific: Sanitize Operation Completed. */
  public static final int IO_SANITIZE_COMPLETED = 1;

  private static final BitField TYPE = new BitField("Asynchronous Event.Type", 0, 3);
  private static final BitField INFORMATION = new BitField("Asynchronous Event.Information", 8, 8);
  private static final BitField LOG_PAGE = new BitField("Asynchronous Event.Log Page", 16, 8);

  private AsynchronousEvent() {}

  /** Returns the dword; see {@link LogPage} for the page that tells more and clears the event. */
  public static int dword0(int type, int information, int logPage) {
    return TYPE.set(INFORMATION.set(LOG_PAGE.set(0, logPage), information), type);
  }

  /** Asynchronous Event Type (bits 2:0). */
  public static int type(int dword0) {
    return TYPE.get(dword0);
  }

  /** Asynchronous Event Information: what happened, by type (bits 15:8). */
  public static int information(int dword0) {
    return INFORMATION.get(dword0);
  }

  /** Log Page Identifier: which page to read (bits 23:16). */
  public static int logPage(int dword0) {
    return LOG_PAGE.get(dword0);
  }
}
