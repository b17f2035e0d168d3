package org.gatun.specs.nvme;

/** Log page identifiers, LID (Base 5.16.1). */
public final class LogPage {
  /** 00h: Supported Log Pages: {@link SupportedLogPages}. */
  public static final int SUPPORTED_LOG_PAGES = 0x00;

  /** 01h: Error Information: {@link ErrorLogEntry}. */
  public static final int ERROR_INFORMATION = 0x01;

  /** 02h: SMART / Health Information: {@link SmartLog}. */
  public static final int SMART = 0x02;

  /** 03h: Firmware Slot Information: {@link FirmwareSlotLog}. */
  public static final int FIRMWARE_SLOT = 0x03;

  /** 04h: Changed Namespace List: {@link NamespaceList}. */
  public static final int CHANGED_NAMESPACE_LIST = 0x04;

  /** 05h: Commands Supported and Effects: {@link CommandEffectsLog}. */
  public static final int COMMANDS_SUPPORTED_AND_EFFECTS = 0x05;

  /** 06h: Device Self-test. */
  public static final int DEVICE_SELF_TEST = 0x06;

  /** 07h: Telemetry Host-Initiated. */
  public static final int TELEMETRY_HOST = 0x07;

  /** 08h: Telemetry Controller-Initiated. */
  public static final int TELEMETRY_CONTROLLER = 0x08;

  /** 09h: Endurance Group Information. */
  public static final int ENDURANCE_GROUP = 0x09;

  /** 0Ch: Asymmetric Namespace Access. */
  public static final int ASYMMETRIC_NAMESPACE_ACCESS = 0x0c;

  /** 0Dh: Persistent Event Log. */
  public static final int PERSISTENT_EVENT = 0x0d;

  /** 80h: Reservation Notification. */
  public static final int RESERVATION_NOTIFICATION = 0x80;

  /** 81h: Sanitize Status: {@link SanitizeStatusLog}. */
  public static final int SANITIZE_STATUS = 0x81;

  private LogPage() {}
}
