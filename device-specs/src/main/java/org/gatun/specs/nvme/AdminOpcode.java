package org.gatun.specs.nvme;

import java.util.HexFormat;

/**
 * Opcodes of Admin commands (Base 5, Admin Command Set).
 *
 * <p>Bits 1:0 of an opcode are the direction of the data transfer: 0 none, 1 host to controller, 2
 * controller to host, 3 both.
 */
public final class AdminOpcode {
  /** 00h: Delete I/O Submission Queue. */
  public static final int DELETE_IO_SUBMISSION_QUEUE = 0x00;

  /** 01h: Create I/O Submission Queue. */
  public static final int CREATE_IO_SUBMISSION_QUEUE = 0x01;

  /** 02h: Get Log Page. */
  public static final int GET_LOG_PAGE = 0x02;

  /** 04h: Delete I/O Completion Queue. */
  public static final int DELETE_IO_COMPLETION_QUEUE = 0x04;

  /** 05h: Create I/O Completion Queue. */
  public static final int CREATE_IO_COMPLETION_QUEUE = 0x05;

  /** 06h: Identify. */
  public static final int IDENTIFY = 0x06;

  /** 08h: Abort. */
  public static final int ABORT = 0x08;

  /** 09h: Set Features. */
  public static final int SET_FEATURES = 0x09;

  /** 0Ah: Get Features. */
  public static final int GET_FEATURES = 0x0a;

  /** 0Ch: Asynchronous Event Request. */
  public static final int ASYNCHRONOUS_EVENT_REQUEST = 0x0c;

  /** 0Dh: Namespace Management. */
  public static final int NAMESPACE_MANAGEMENT = 0x0d;

  /** 10h: Firmware Commit. */
  public static final int FIRMWARE_COMMIT = 0x10;

  /** 11h: Firmware Image Download. */
  public static final int FIRMWARE_IMAGE_DOWNLOAD = 0x11;

  /** 14h: Device Self-test. */
  public static final int DEVICE_SELF_TEST = 0x14;

  /** 15h: Namespace Attachment. */
  public static final int NAMESPACE_ATTACHMENT = 0x15;

  /** 18h: Keep Alive. */
  public static final int KEEP_ALIVE = 0x18;

  /** 19h: Directive Send. */
  public static final int DIRECTIVE_SEND = 0x19;

  /** 1Ah: Directive Receive. */
  public static final int DIRECTIVE_RECEIVE = 0x1a;

  /** 1Ch: Virtualization Management. */
  public static final int VIRTUALIZATION_MANAGEMENT = 0x1c;

  /** 1Dh: NVMe-MI Send. */
  public static final int NVME_MI_SEND = 0x1d;

  /** 1Eh: NVMe-MI Receive. */
  public static final int NVME_MI_RECEIVE = 0x1e;

  /** 20h: Capacity Management. */
  public static final int CAPACITY_MANAGEMENT = 0x20;

  /** 24h: Lockdown. */
  public static final int LOCKDOWN = 0x24;

  /** 7Ch: Doorbell Buffer Config. */
  public static final int DOORBELL_BUFFER_CONFIG = 0x7c;

  /** 80h: Format NVM. */
  public static final int FORMAT_NVM = 0x80;

  /** 81h: Security Send. */
  public static final int SECURITY_SEND = 0x81;

  /** 82h: Security Receive. */
  public static final int SECURITY_RECEIVE = 0x82;

  /** 84h: Sanitize. */
  public static final int SANITIZE = 0x84;

  /** 86h: Get LBA Status. */
  public static final int GET_LBA_STATUS = 0x86;

  /** C0h: the first of the vendor specific opcodes, which go to FFh. */
  public static final int FIRST_VENDOR_SPECIFIC = 0xc0;

  private AdminOpcode() {}

  /** Returns the name as in the specification of any opcode, 0 to 255, for a message. */
  public static String name(int opcode) {
    return switch (opcode) {
      case DELETE_IO_SUBMISSION_QUEUE -> "Delete I/O Submission Queue";
      case CREATE_IO_SUBMISSION_QUEUE -> "Create I/O Submission Queue";
      case GET_LOG_PAGE -> "Get Log Page";
      case DELETE_IO_COMPLETION_QUEUE -> "Delete I/O Completion Queue";
      case CREATE_IO_COMPLETION_QUEUE -> "Create I/O Completion Queue";
      case IDENTIFY -> "Identify";
      case ABORT -> "Abort";
      case SET_FEATURES -> "Set Features";
      case GET_FEATURES -> "Get Features";
      case ASYNCHRONOUS_EVENT_REQUEST -> "Asynchronous Event Request";
      case NAMESPACE_MANAGEMENT -> "Namespace Management";
      case FIRMWARE_COMMIT -> "Firmware Commit";
      case FIRMWARE_IMAGE_DOWNLOAD -> "Firmware Image Download";
      case DEVICE_SELF_TEST -> "Device Self-test";
      case NAMESPACE_ATTACHMENT -> "Namespace Attachment";
      case KEEP_ALIVE -> "Keep Alive";
      case DIRECTIVE_SEND -> "Directive Send";
      case DIRECTIVE_RECEIVE -> "Directive Receive";
      case VIRTUALIZATION_MANAGEMENT -> "Virtualization Management";
      case NVME_MI_SEND -> "NVMe-MI Send";
      case NVME_MI_RECEIVE -> "NVMe-MI Receive";
      case CAPACITY_MANAGEMENT -> "Capacity Management";
      case LOCKDOWN -> "Lockdown";
      case DOORBELL_BUFFER_CONFIG -> "Doorbell Buffer Config";
      case FORMAT_NVM -> "Format NVM";
      case SECURITY_SEND -> "Security Send";
      case SECURITY_RECEIVE -> "Security Receive";
      case SANITIZE -> "Sanitize";
      case GET_LBA_STATUS -> "Get LBA Status";
      default ->
          (opcode >= FIRST_VENDOR_SPECIFIC
                  ? "vendor specific Admin command "
                  : "unknown Admin command ")
              + HexFormat.of().withUpperCase().toHexDigits((byte) opcode)
              + "h";
    };
  }
}
