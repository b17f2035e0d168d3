package org.gatun.specs.nvme;

import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Status codes by name: generic, command specific, media and path related ones of the base
 * specification and of the NVM Command Set (Base 3.3.3.2.1; 1.4 section 4.6.1). Codes of other
 * command sets and of fabrics, which reuse some of these numbers, are not here.
 *
 * <p>A <i>status</i> is an int of 15 bits as {@link CompletionEntry#status} returns it: SC in bits
 * 7:0, SCT in 10:8, CRD in 12:11, M in 13, DNR in 14.
 */
public enum NvmeStatus {
  /** Successful Completion: the command has completed without an error. */
  SUCCESSFUL_COMPLETION(StatusCodeType.GENERIC, 0x00, "Successful Completion"),

  /** Invalid Command Opcode: the opcode is reserved or not supported. */
  INVALID_COMMAND_OPCODE(StatusCodeType.GENERIC, 0x01, "Invalid Command Opcode"),

  /** Invalid Field in Command: a field of the command has a reserved or unsupported value. */
  INVALID_FIELD_IN_COMMAND(StatusCodeType.GENERIC, 0x02, "Invalid Field in Command"),

  /** Command ID Conflict: the command identifier is already in use. */
  COMMAND_ID_CONFLICT(StatusCodeType.GENERIC, 0x03, "Command ID Conflict"),

  /** Data Transfer Error: data or metadata could not be transferred. */
  DATA_TRANSFER_ERROR(StatusCodeType.GENERIC, 0x04, "Data Transfer Error"),

  /** Commands Aborted due to Power Loss Notification: power is about to be lost. */
  COMMANDS_ABORTED_DUE_TO_POWER_LOSS_NOTIFICATION(
      StatusCodeType.GENERIC, 0x05, "Commands Aborted due to Power Loss Notification"),

  /** Internal Error: an error inside the controller. */
  INTERNAL_ERROR(StatusCodeType.GENERIC, 0x06, "Internal Error"),

  /** Command Abort Requested: an Abort command named this command. */
  COMMAND_ABORT_REQUESTED(StatusCodeType.GENERIC, 0x07, "Command Abort Requested"),

  /** Command Aborted due to SQ Deletion: its Submission Queue was deleted. */
  COMMAND_ABORTED_DUE_TO_SQ_DELETION(
      StatusCodeType.GENERIC, 0x08, "Command Aborted due to SQ Deletion"),

  /**
   * Command Aborted due to Failed Fused Command: the other command of the fused operation failed.
   */
  COMMAND_ABORTED_DUE_TO_FAILED_FUSED_COMMAND(
      StatusCodeType.GENERIC, 0x09, "Command Aborted due to Failed Fused Command"),

  /**
   * Command Aborted due to Missing Fused Command: the other command of the fused operation is not
   * next to it.
   */
  COMMAND_ABORTED_DUE_TO_MISSING_FUSED_COMMAND(
      StatusCodeType.GENERIC, 0x0a, "Command Aborted due to Missing Fused Command"),

  /** Invalid Namespace or Format: the namespace, or its format, is not valid. */
  INVALID_NAMESPACE_OR_FORMAT(StatusCodeType.GENERIC, 0x0b, "Invalid Namespace or Format"),

  /** Command Sequence Error: a sequence of commands was not followed. */
  COMMAND_SEQUENCE_ERROR(StatusCodeType.GENERIC, 0x0c, "Command Sequence Error"),

  /** Invalid SGL Segment Descriptor: an SGL segment or last segment descriptor is not valid. */
  INVALID_SGL_SEGMENT_DESCRIPTOR(StatusCodeType.GENERIC, 0x0d, "Invalid SGL Segment Descriptor"),

  /**
   * Invalid Number of SGL Descriptors: an SGL segment descriptor is not the last of its segment.
   */
  INVALID_NUMBER_OF_SGL_DESCRIPTORS(
      StatusCodeType.GENERIC, 0x0e, "Invalid Number of SGL Descriptors"),

  /** Data SGL Length Invalid: the data SGL is too short or too long. */
  DATA_SGL_LENGTH_INVALID(StatusCodeType.GENERIC, 0x0f, "Data SGL Length Invalid"),

  /** Metadata SGL Length Invalid: the metadata SGL is too short or too long. */
  METADATA_SGL_LENGTH_INVALID(StatusCodeType.GENERIC, 0x10, "Metadata SGL Length Invalid"),

  /** SGL Descriptor Type Invalid: a type of SGL descriptor is not supported. */
  SGL_DESCRIPTOR_TYPE_INVALID(StatusCodeType.GENERIC, 0x11, "SGL Descriptor Type Invalid"),

  /**
   * Invalid Use of Controller Memory Buffer: the Controller Memory Buffer cannot be used for this.
   */
  INVALID_USE_OF_CONTROLLER_MEMORY_BUFFER(
      StatusCodeType.GENERIC, 0x12, "Invalid Use of Controller Memory Buffer"),

  /** PRP Offset Invalid: the offset of a PRP entry is not valid. */
  PRP_OFFSET_INVALID(StatusCodeType.GENERIC, 0x13, "PRP Offset Invalid"),

  /** Atomic Write Unit Exceeded: the length exceeds the atomic write unit. */
  ATOMIC_WRITE_UNIT_EXCEEDED(StatusCodeType.GENERIC, 0x14, "Atomic Write Unit Exceeded"),

  /** Operation Denied: access rights are missing. */
  OPERATION_DENIED(StatusCodeType.GENERIC, 0x15, "Operation Denied"),

  /** SGL Offset Invalid: the offset of an SGL descriptor is not valid. */
  SGL_OFFSET_INVALID(StatusCodeType.GENERIC, 0x16, "SGL Offset Invalid"),

  /**
   * Host Identifier Inconsistent Format: 64-bit and 128-bit Host Identifiers are in use at once.
   */
  HOST_IDENTIFIER_INCONSISTENT_FORMAT(
      StatusCodeType.GENERIC, 0x18, "Host Identifier Inconsistent Format"),

  /** Keep Alive Timer Expired: the Keep Alive Timer has expired. */
  KEEP_ALIVE_TIMER_EXPIRED(StatusCodeType.GENERIC, 0x19, "Keep Alive Timer Expired"),

  /** Keep Alive Timeout Invalid: the Keep Alive Timeout is not valid. */
  KEEP_ALIVE_TIMEOUT_INVALID(StatusCodeType.GENERIC, 0x1a, "Keep Alive Timeout Invalid"),

  /** Command Aborted due to Preempt and Abort: a Reservation Acquire preempted it. */
  COMMAND_ABORTED_DUE_TO_PREEMPT_AND_ABORT(
      StatusCodeType.GENERIC, 0x1b, "Command Aborted due to Preempt and Abort"),

  /** Sanitize Failed: the last sanitize operation failed, and nothing has recovered from it. */
  SANITIZE_FAILED(StatusCodeType.GENERIC, 0x1c, "Sanitize Failed"),

  /** Sanitize In Progress: not allowed while a sanitize operation is in progress. */
  SANITIZE_IN_PROGRESS(StatusCodeType.GENERIC, 0x1d, "Sanitize In Progress"),

  /** SGL Data Block Granularity Invalid: alignment or length of an SGL data block is not valid. */
  SGL_DATA_BLOCK_GRANULARITY_INVALID(
      StatusCodeType.GENERIC, 0x1e, "SGL Data Block Granularity Invalid"),

  /**
   * Command Not Supported for Queue in CMB: not possible in a queue in the Controller Memory
   * Buffer.
   */
  COMMAND_NOT_SUPPORTED_FOR_QUEUE_IN_CMB(
      StatusCodeType.GENERIC, 0x1f, "Command Not Supported for Queue in CMB"),

  /** Namespace is Write Protected: the namespace is write protected. */
  NAMESPACE_IS_WRITE_PROTECTED(StatusCodeType.GENERIC, 0x20, "Namespace is Write Protected"),

  /** Command Interrupted: processing was interrupted: retry. */
  COMMAND_INTERRUPTED(StatusCodeType.GENERIC, 0x21, "Command Interrupted"),

  /** Transient Transport Error: the transport had a transient error: retry. */
  TRANSIENT_TRANSPORT_ERROR(StatusCodeType.GENERIC, 0x22, "Transient Transport Error"),

  /** Command Prohibited by Command and Feature Lockdown: a lockdown prohibits the command. */
  COMMAND_PROHIBITED_BY_COMMAND_AND_FEATURE_LOCKDOWN(
      StatusCodeType.GENERIC, 0x23, "Command Prohibited by Command and Feature Lockdown"),

  /** Admin Command Media Not Ready: the command needs media that are not ready. */
  ADMIN_COMMAND_MEDIA_NOT_READY(StatusCodeType.GENERIC, 0x24, "Admin Command Media Not Ready"),

  /** LBA Out of Range: a logical block is beyond the end of the namespace. */
  LBA_OUT_OF_RANGE(StatusCodeType.GENERIC, 0x80, "LBA Out of Range"),

  /** Capacity Exceeded: the capacity of the namespace would be exceeded. */
  CAPACITY_EXCEEDED(StatusCodeType.GENERIC, 0x81, "Capacity Exceeded"),

  /** Namespace Not Ready: the namespace is not ready: DNR says whether to retry. */
  NAMESPACE_NOT_READY(StatusCodeType.GENERIC, 0x82, "Namespace Not Ready"),

  /** Reservation Conflict: another host holds a reservation. */
  RESERVATION_CONFLICT(StatusCodeType.GENERIC, 0x83, "Reservation Conflict"),

  /** Format In Progress: the namespace is being formatted. */
  FORMAT_IN_PROGRESS(StatusCodeType.GENERIC, 0x84, "Format In Progress"),

  /** Completion Queue Invalid: the Completion Queue does not exist. */
  COMPLETION_QUEUE_INVALID(StatusCodeType.COMMAND_SPECIFIC, 0x00, "Completion Queue Invalid"),

  /** Invalid Queue Identifier: the queue identifier is in use or out of range. */
  INVALID_QUEUE_IDENTIFIER(StatusCodeType.COMMAND_SPECIFIC, 0x01, "Invalid Queue Identifier"),

  /** Invalid Queue Size: the number of entries is 0 or more than supported. */
  INVALID_QUEUE_SIZE(StatusCodeType.COMMAND_SPECIFIC, 0x02, "Invalid Queue Size"),

  /** Abort Command Limit Exceeded: too many Abort commands at once. */
  ABORT_COMMAND_LIMIT_EXCEEDED(
      StatusCodeType.COMMAND_SPECIFIC, 0x03, "Abort Command Limit Exceeded"),

  /** Asynchronous Event Request Limit Exceeded: too many Asynchronous Event Requests at once. */
  ASYNCHRONOUS_EVENT_REQUEST_LIMIT_EXCEEDED(
      StatusCodeType.COMMAND_SPECIFIC, 0x05, "Asynchronous Event Request Limit Exceeded"),

  /** Invalid Firmware Slot: the slot does not exist or is read only. */
  INVALID_FIRMWARE_SLOT(StatusCodeType.COMMAND_SPECIFIC, 0x06, "Invalid Firmware Slot"),

  /** Invalid Firmware Image: the image was not accepted. */
  INVALID_FIRMWARE_IMAGE(StatusCodeType.COMMAND_SPECIFIC, 0x07, "Invalid Firmware Image"),

  /** Invalid Interrupt Vector: the controller has no such interrupt vector. */
  INVALID_INTERRUPT_VECTOR(StatusCodeType.COMMAND_SPECIFIC, 0x08, "Invalid Interrupt Vector"),

  /** Invalid Log Page: the log page is reserved or not supported. */
  INVALID_LOG_PAGE(StatusCodeType.COMMAND_SPECIFIC, 0x09, "Invalid Log Page"),

  /** Invalid Format: the LBA format or its settings are not supported. */
  INVALID_FORMAT(StatusCodeType.COMMAND_SPECIFIC, 0x0a, "Invalid Format"),

  /**
   * Firmware Activation Requires Conventional Reset: accepted: active after a conventional reset.
   */
  FIRMWARE_ACTIVATION_REQUIRES_CONVENTIONAL_RESET(
      StatusCodeType.COMMAND_SPECIFIC, 0x0b, "Firmware Activation Requires Conventional Reset"),

  /** Invalid Queue Deletion: a Completion Queue that Submission Queues still use. */
  INVALID_QUEUE_DELETION(StatusCodeType.COMMAND_SPECIFIC, 0x0c, "Invalid Queue Deletion"),

  /** Feature Identifier Not Saveable: the feature cannot be saved. */
  FEATURE_IDENTIFIER_NOT_SAVEABLE(
      StatusCodeType.COMMAND_SPECIFIC, 0x0d, "Feature Identifier Not Saveable"),

  /** Feature Not Changeable: the feature cannot be changed. */
  FEATURE_NOT_CHANGEABLE(StatusCodeType.COMMAND_SPECIFIC, 0x0e, "Feature Not Changeable"),

  /** Feature Not Namespace Specific: the feature applies to all namespaces. */
  FEATURE_NOT_NAMESPACE_SPECIFIC(
      StatusCodeType.COMMAND_SPECIFIC, 0x0f, "Feature Not Namespace Specific"),

  /**
   * Firmware Activation Requires NVM Subsystem Reset: accepted: active after an NVM subsystem
   * reset.
   */
  FIRMWARE_ACTIVATION_REQUIRES_NVM_SUBSYSTEM_RESET(
      StatusCodeType.COMMAND_SPECIFIC, 0x10, "Firmware Activation Requires NVM Subsystem Reset"),

  /**
   * Firmware Activation Requires Controller Level Reset: accepted: active after a controller level
   * reset.
   */
  FIRMWARE_ACTIVATION_REQUIRES_CONTROLLER_LEVEL_RESET(
      StatusCodeType.COMMAND_SPECIFIC, 0x11, "Firmware Activation Requires Controller Level Reset"),

  /**
   * Firmware Activation Requires Maximum Time Violation: immediate activation would take longer
   * than MTFA.
   */
  FIRMWARE_ACTIVATION_REQUIRES_MAXIMUM_TIME_VIOLATION(
      StatusCodeType.COMMAND_SPECIFIC, 0x12, "Firmware Activation Requires Maximum Time Violation"),

  /** Firmware Activation Prohibited: the controller does not activate this image. */
  FIRMWARE_ACTIVATION_PROHIBITED(
      StatusCodeType.COMMAND_SPECIFIC, 0x13, "Firmware Activation Prohibited"),

  /** Overlapping Range: parts of the firmware image, or ranges, overlap. */
  OVERLAPPING_RANGE(StatusCodeType.COMMAND_SPECIFIC, 0x14, "Overlapping Range"),

  /** Namespace Insufficient Capacity: there is not enough free capacity for the namespace. */
  NAMESPACE_INSUFFICIENT_CAPACITY(
      StatusCodeType.COMMAND_SPECIFIC, 0x15, "Namespace Insufficient Capacity"),

  /** Namespace Identifier Unavailable: no more namespaces are supported. */
  NAMESPACE_IDENTIFIER_UNAVAILABLE(
      StatusCodeType.COMMAND_SPECIFIC, 0x16, "Namespace Identifier Unavailable"),

  /** Namespace Already Attached: the controller is attached to it already. */
  NAMESPACE_ALREADY_ATTACHED(StatusCodeType.COMMAND_SPECIFIC, 0x18, "Namespace Already Attached"),

  /** Namespace Is Private: a private namespace has a controller already. */
  NAMESPACE_IS_PRIVATE(StatusCodeType.COMMAND_SPECIFIC, 0x19, "Namespace Is Private"),

  /** Namespace Not Attached: the controller is not attached to it. */
  NAMESPACE_NOT_ATTACHED(StatusCodeType.COMMAND_SPECIFIC, 0x1a, "Namespace Not Attached"),

  /** Thin Provisioning Not Supported: the controller has no thin provisioning. */
  THIN_PROVISIONING_NOT_SUPPORTED(
      StatusCodeType.COMMAND_SPECIFIC, 0x1b, "Thin Provisioning Not Supported"),

  /** Controller List Invalid: the controller list is not valid. */
  CONTROLLER_LIST_INVALID(StatusCodeType.COMMAND_SPECIFIC, 0x1c, "Controller List Invalid"),

  /** Device Self-test In Progress: a device self-test is already running. */
  DEVICE_SELF_TEST_IN_PROGRESS(
      StatusCodeType.COMMAND_SPECIFIC, 0x1d, "Device Self-test In Progress"),

  /** Boot Partition Write Prohibited: the boot partition is locked. */
  BOOT_PARTITION_WRITE_PROHIBITED(
      StatusCodeType.COMMAND_SPECIFIC, 0x1e, "Boot Partition Write Prohibited"),

  /** Invalid Controller Identifier: there is no such controller. */
  INVALID_CONTROLLER_IDENTIFIER(
      StatusCodeType.COMMAND_SPECIFIC, 0x1f, "Invalid Controller Identifier"),

  /**
   * Invalid Secondary Controller State: the action does not fit the secondary controller's state.
   */
  INVALID_SECONDARY_CONTROLLER_STATE(
      StatusCodeType.COMMAND_SPECIFIC, 0x20, "Invalid Secondary Controller State"),

  /** Invalid Number of Controller Resources: the number of flexible resources is not valid. */
  INVALID_NUMBER_OF_CONTROLLER_RESOURCES(
      StatusCodeType.COMMAND_SPECIFIC, 0x21, "Invalid Number of Controller Resources"),

  /** Invalid Resource Identifier: a resource identifier is not valid. */
  INVALID_RESOURCE_IDENTIFIER(StatusCodeType.COMMAND_SPECIFIC, 0x22, "Invalid Resource Identifier"),

  /**
   * Sanitize Prohibited While Persistent Memory Region is Enabled: disable the Persistent Memory
   * Region first.
   */
  SANITIZE_PROHIBITED_WHILE_PERSISTENT_MEMORY_REGION_IS_ENABLED(
      StatusCodeType.COMMAND_SPECIFIC,
      0x23,
      "Sanitize Prohibited While Persistent Memory Region is Enabled"),

  /** ANA Group Identifier Invalid: the ANA group is not supported. */
  ANA_GROUP_IDENTIFIER_INVALID(
      StatusCodeType.COMMAND_SPECIFIC, 0x24, "ANA Group Identifier Invalid"),

  /** ANA Attach Failed: not attached because of an ANA condition. */
  ANA_ATTACH_FAILED(StatusCodeType.COMMAND_SPECIFIC, 0x25, "ANA Attach Failed"),

  /** Insufficient Capacity: there is not enough free capacity. */
  INSUFFICIENT_CAPACITY(StatusCodeType.COMMAND_SPECIFIC, 0x26, "Insufficient Capacity"),

  /** Namespace Attachment Limit Exceeded: too many namespaces would be attached. */
  NAMESPACE_ATTACHMENT_LIMIT_EXCEEDED(
      StatusCodeType.COMMAND_SPECIFIC, 0x27, "Namespace Attachment Limit Exceeded"),

  /** Prohibition of Command Execution Not Supported: the command cannot be locked down. */
  PROHIBITION_OF_COMMAND_EXECUTION_NOT_SUPPORTED(
      StatusCodeType.COMMAND_SPECIFIC, 0x28, "Prohibition of Command Execution Not Supported"),

  /** I/O Command Set Not Supported: the I/O Command Set is not supported. */
  IO_COMMAND_SET_NOT_SUPPORTED(
      StatusCodeType.COMMAND_SPECIFIC, 0x29, "I/O Command Set Not Supported"),

  /** I/O Command Set Not Enabled: the I/O Command Set is not enabled. */
  IO_COMMAND_SET_NOT_ENABLED(StatusCodeType.COMMAND_SPECIFIC, 0x2a, "I/O Command Set Not Enabled"),

  /**
   * I/O Command Set Combination Rejected: this combination of I/O Command Sets is not supported.
   */
  IO_COMMAND_SET_COMBINATION_REJECTED(
      StatusCodeType.COMMAND_SPECIFIC, 0x2b, "I/O Command Set Combination Rejected"),

  /** Invalid I/O Command Set: the I/O Command Set does not have what the command needs. */
  INVALID_IO_COMMAND_SET(StatusCodeType.COMMAND_SPECIFIC, 0x2c, "Invalid I/O Command Set"),

  /** Identifier Unavailable: no identifier is left. */
  IDENTIFIER_UNAVAILABLE(StatusCodeType.COMMAND_SPECIFIC, 0x2d, "Identifier Unavailable"),

  /** Stream Resource Allocation Failed: no stream resource could be allocated (Directives). */
  STREAM_RESOURCE_ALLOCATION_FAILED(
      StatusCodeType.COMMAND_SPECIFIC, 0x7f, "Stream Resource Allocation Failed"),

  /** Conflicting Attributes: the attributes of the command exclude each other. */
  CONFLICTING_ATTRIBUTES(StatusCodeType.COMMAND_SPECIFIC, 0x80, "Conflicting Attributes"),

  /** Invalid Protection Information: the protection information does not fit the format. */
  INVALID_PROTECTION_INFORMATION(
      StatusCodeType.COMMAND_SPECIFIC, 0x81, "Invalid Protection Information"),

  /** Attempted Write to Read Only Range: the LBA range is read only. */
  ATTEMPTED_WRITE_TO_READ_ONLY_RANGE(
      StatusCodeType.COMMAND_SPECIFIC, 0x82, "Attempted Write to Read Only Range"),

  /** Command Size Limit Exceeded: a size limit of the command is exceeded. */
  COMMAND_SIZE_LIMIT_EXCEEDED(StatusCodeType.COMMAND_SPECIFIC, 0x83, "Command Size Limit Exceeded"),

  /** Write Fault: the data could not be committed to the media. */
  WRITE_FAULT(StatusCodeType.MEDIA_AND_DATA_INTEGRITY, 0x80, "Write Fault"),

  /** Unrecovered Read Error: the data could not be recovered from the media. */
  UNRECOVERED_READ_ERROR(StatusCodeType.MEDIA_AND_DATA_INTEGRITY, 0x81, "Unrecovered Read Error"),

  /** End-to-end Guard Check Error: the guard does not match. */
  END_TO_END_GUARD_CHECK_ERROR(
      StatusCodeType.MEDIA_AND_DATA_INTEGRITY, 0x82, "End-to-end Guard Check Error"),

  /** End-to-end Application Tag Check Error: the application tag does not match. */
  END_TO_END_APPLICATION_TAG_CHECK_ERROR(
      StatusCodeType.MEDIA_AND_DATA_INTEGRITY, 0x83, "End-to-end Application Tag Check Error"),

  /** End-to-end Reference Tag Check Error: the reference tag does not match. */
  END_TO_END_REFERENCE_TAG_CHECK_ERROR(
      StatusCodeType.MEDIA_AND_DATA_INTEGRITY, 0x84, "End-to-end Reference Tag Check Error"),

  /** Compare Failure: a Compare command found a difference. */
  COMPARE_FAILURE(StatusCodeType.MEDIA_AND_DATA_INTEGRITY, 0x85, "Compare Failure"),

  /** Access Denied: access rights to the namespace or range are missing. */
  ACCESS_DENIED(StatusCodeType.MEDIA_AND_DATA_INTEGRITY, 0x86, "Access Denied"),

  /**
   * Deallocated or Unwritten Logical Block: the block has no data, and reading such is set to fail.
   */
  DEALLOCATED_OR_UNWRITTEN_LOGICAL_BLOCK(
      StatusCodeType.MEDIA_AND_DATA_INTEGRITY, 0x87, "Deallocated or Unwritten Logical Block"),

  /** End-to-end Storage Tag Check Error: the storage tag does not match. */
  END_TO_END_STORAGE_TAG_CHECK_ERROR(
      StatusCodeType.MEDIA_AND_DATA_INTEGRITY, 0x88, "End-to-end Storage Tag Check Error"),

  /** Internal Path Error: an internal error of this controller: another path may work. */
  INTERNAL_PATH_ERROR(StatusCodeType.PATH_RELATED, 0x00, "Internal Path Error"),

  /** Asymmetric Access Persistent Loss: the namespace is lost to this controller for good. */
  ASYMMETRIC_ACCESS_PERSISTENT_LOSS(
      StatusCodeType.PATH_RELATED, 0x01, "Asymmetric Access Persistent Loss"),

  /** Asymmetric Access Inaccessible: the namespace is not accessible through this controller. */
  ASYMMETRIC_ACCESS_INACCESSIBLE(
      StatusCodeType.PATH_RELATED, 0x02, "Asymmetric Access Inaccessible"),

  /** Asymmetric Access Transition: the namespace's access state is changing: retry. */
  ASYMMETRIC_ACCESS_TRANSITION(StatusCodeType.PATH_RELATED, 0x03, "Asymmetric Access Transition"),

  /** Controller Pathing Error: the controller found a pathing error. */
  CONTROLLER_PATHING_ERROR(StatusCodeType.PATH_RELATED, 0x60, "Controller Pathing Error"),

  /** Host Pathing Error: the host found a pathing error. */
  HOST_PATHING_ERROR(StatusCodeType.PATH_RELATED, 0x70, "Host Pathing Error"),

  /** Command Aborted By Host: the host aborted the command. */
  COMMAND_ABORTED_BY_HOST(StatusCodeType.PATH_RELATED, 0x71, "Command Aborted By Host");

  /** M, More: the Error Information log has more about this error. */
  public static final int MORE = 1 << 13;

  /** DNR, Do Not Retry: the same command would fail again. */
  public static final int DO_NOT_RETRY = 1 << 14;

  private static final BitField SC = new BitField("Status.SC", 0, 8);
  private static final BitField SCT = new BitField("Status.SCT", 8, 3);
  private static final BitField CRD = new BitField("Status.CRD", 11, 2);

  private static final Map<Integer, NvmeStatus> BY_STATUS =
      Arrays.stream(values())
          .collect(Collectors.toUnmodifiableMap(NvmeStatus::status, Function.identity()));

  private final StatusCodeType type;
  private final int code;
  private final String text;

  NvmeStatus(StatusCodeType type, int code, String text) {
    this.type = type;
    this.code = code;
    this.text = text;
  }

  /** Returns the named status of a status, whatever its CRD, M and DNR; empty if it has no name. */
  public static Optional<NvmeStatus> of(int status) {
    return Optional.ofNullable(BY_STATUS.get(status & 0x7ff));
  }

  /** Returns the Status Code, 0 to 255. */
  public static int code(int status) {
    return SC.get(status);
  }

  /** Returns the Status Code Type, 0 to 7: see {@link StatusCodeType}. */
  public static int type(int status) {
    return SCT.get(status);
  }

  /** Returns the Command Retry Delay: 0 none, 1 to 3 which CRDT of Identify Controller applies. */
  public static int retryDelay(int status) {
    return CRD.get(status);
  }

  /** Says whether the Error Information log has more. */
  public static boolean hasMore(int status) {
    return (status & MORE) != 0;
  }

  /** Says whether a retry is useless. */
  public static boolean isDoNotRetry(int status) {
    return (status & DO_NOT_RETRY) != 0;
  }

  /** Says whether SCT and SC are 0: success. */
  public static boolean isSuccess(int status) {
    return (status & 0x7ff) == 0;
  }

  /**
   * Returns a status as text for a person, of any value: {@code LBA Out of Range (SCT 0h, SC 80h,
   * do not retry)}.
   */
  public static String describe(int status) {
    String name =
        of(status)
            .map(NvmeStatus::toString)
            .or(() -> StatusCodeType.of(type(status)).map(t -> "unknown " + t))
            .orElse("reserved status");
    return name
        + " (SCT "
        + type(status)
        + "h, SC "
        + HexFormat.of().withUpperCase().toHexDigits((byte) code(status))
        + "h"
        + (hasMore(status) ? ", more in the error log" : "")
        + (isDoNotRetry(status) ? ", do not retry" : "")
        + ")";
  }

  /** Returns the Status Code Type. */
  public StatusCodeType type() {
    return type;
  }

  /** Returns the Status Code, 0 to 255. */
  public int code() {
    return code;
  }

  /** Returns the status, with CRD, M and DNR 0, as {@link CompletionEntry#dword3} takes it. */
  public int status() {
    return (type.code() << 8) | code;
  }

  /** Returns the name as in the specification. */
  @Override
  public String toString() {
    return text;
  }
}
