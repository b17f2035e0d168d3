package org.gatun.simulated.nvme;

import org.gatun.pci.TimeSource;
import org.gatun.simulated.NvmeModel;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.NvmeStatus;

/**
 * The Admin commands (Base 5). Called with the monitors of the controller and of the admin queue
 * held.
 */
final class AdminCommands {
  private static final int SUCCESS = DataPointer.SUCCESS;
  private static final int INVALID_FIELD = NvmeStatus.INVALID_FIELD_IN_COMMAND.status();

  private final NvmeDevice device;
  private final NvmeModel model;
  private final Events events;
  private final Health health;
  private final Firmware firmware;
  private final FeatureValues featureValues;
  private final FeatureCommands features;
  private final Identify identify;
  private final LogPages logPages;
  private final Erasure erasure;

  AdminCommands(
      NvmeDevice device,
      NvmeModel model,
      Namespaces namespaces,
      FeatureValues featureValues,
      Events events,
      TimeSource time) {
    this.device = device;
    this.model = model;
    this.events = events;
    this.featureValues = featureValues;
    this.health = new Health(featureValues, events, time);
    this.firmware = new Firmware(events);
    this.features = new FeatureCommands(device, model, featureValues, health);
    this.identify = new Identify(model, namespaces, firmware);
    this.erasure = new Erasure(device, model, namespaces, events);
    this.logPages = new LogPages(device, model, namespaces, events, health, firmware, erasure);
  }

  /** A Controller Level Reset. */
  void reset() {
    events.clear();
    featureValues.reset();
    health.reset();
    firmware.reset();
  }

  /** Executes a command, and returns its status, or {@link NvmeDevice#DEFERRED}. */
  int execute(SubmissionQueue queue, Command command) {
    if (!command.isPlain()) {
      return INVALID_FIELD;
    }
    return switch (command.opcode()) {
      case AdminOpcode.IDENTIFY -> identify.execute(queue, command, device.pageSize());
      case AdminOpcode.CREATE_IO_COMPLETION_QUEUE -> createCompletionQueue(command);
      case AdminOpcode.CREATE_IO_SUBMISSION_QUEUE -> createSubmissionQueue(command);
      case AdminOpcode.DELETE_IO_COMPLETION_QUEUE ->
          device.deleteCompletionQueue(AdminCommand.queueId(command.dword10));
      case AdminOpcode.DELETE_IO_SUBMISSION_QUEUE ->
          device.deleteSubmissionQueue(AdminCommand.queueId(command.dword10));
      case AdminOpcode.SET_FEATURES -> features.set(command);
      case AdminOpcode.GET_FEATURES -> features.get(command);
      case AdminOpcode.ABORT -> abort(command);
      case AdminOpcode.ASYNCHRONOUS_EVENT_REQUEST -> requestEvent(command);
      case AdminOpcode.GET_LOG_PAGE -> logPages.execute(queue, command, device.pageSize());
      case AdminOpcode.FIRMWARE_IMAGE_DOWNLOAD ->
          firmware.download(queue, command, device.pageSize(), model.maxTransfer());
      case AdminOpcode.FIRMWARE_COMMIT -> firmware.commit(command.dword10);
      case AdminOpcode.FORMAT_NVM -> erasure.format(queue, command);
      case AdminOpcode.SANITIZE -> erasure.sanitize(queue, command);
      case AdminOpcode.DOORBELL_BUFFER_CONFIG -> configureDoorbellBuffers(command);
      default -> NvmeStatus.INVALID_COMMAND_OPCODE.status();
    };
  }

  private int createCompletionQueue(Command command) {
    int id = AdminCommand.queueId(command.dword10);
    int entries = AdminCommand.queueEntries(command.dword10);
    int vector = AdminCommand.interruptVector(command.dword11);
    if (id == 0 || id > model.queues() || device.completionQueue(id) != null) {
      return NvmeStatus.INVALID_QUEUE_IDENTIFIER.status();
    }
    int status = checkQueue(command, entries);
    if (status != SUCCESS) {
      return status;
    }
    boolean interrupts = AdminCommand.areInterruptsEnabled(command.dword11);
    if (interrupts && vector >= model.vectors()) {
      return NvmeStatus.INVALID_INTERRUPT_VECTOR.status();
    }
    device.createCompletionQueue(id, command.prp1, entries, interrupts, vector);
    return SUCCESS;
  }

  private int createSubmissionQueue(Command command) {
    int id = AdminCommand.queueId(command.dword10);
    int entries = AdminCommand.queueEntries(command.dword10);
    int completionId = AdminCommand.completionQueueId(command.dword11);
    if (id == 0 || id > model.queues() || device.submissionQueue(id) != null) {
      return NvmeStatus.INVALID_QUEUE_IDENTIFIER.status();
    }
    if (completionId == 0 || completionId > model.queues()) {
      return NvmeStatus.INVALID_QUEUE_IDENTIFIER.status();
    }
    CompletionQueue completions = device.completionQueue(completionId);
    if (completions == null) {
      return NvmeStatus.COMPLETION_QUEUE_INVALID.status();
    }
    int status = checkQueue(command, entries);
    if (status == SUCCESS) {
      device.createSubmissionQueue(id, command.prp1, entries, completions);
    }
    return status;
  }

  private int checkQueue(Command command, int entries) {
    if (entries < 2 || entries > NvmeDevice.MAX_ENTRIES || !device.hasEntrySizes()) {
      return NvmeStatus.INVALID_QUEUE_SIZE.status();
    }
    if (!AdminCommand.isContiguous(command.dword11)) {
      return INVALID_FIELD;
    }
    return (command.prp1 & (device.pageSize() - 1L)) != 0
        ? NvmeStatus.PRP_OFFSET_INVALID.status()
        : SUCCESS;
  }

  private int configureDoorbellBuffers(Command command) {
    if (!model.hasShadowDoorbells()) {
      return NvmeStatus.INVALID_COMMAND_OPCODE.status();
    }
    DoorbellBuffers buffers = new DoorbellBuffers(command.prp1, command.prp2, device.pageSize());
    if (!buffers.isAligned()) {
      return INVALID_FIELD;
    }
    return device.shadowDoorbells(buffers) ? SUCCESS : NvmeStatus.DATA_TRANSFER_ERROR.status();
  }

  private int abort(Command command) {
    boolean aborted =
        device.abort(
            AdminCommand.abortQueueId(command.dword10),
            AdminCommand.abortCommandId(command.dword10));
    command.result = aborted ? 0 : 1;
    return SUCCESS;
  }

  private int requestEvent(Command command) {
    return events.request(command.id())
        ? NvmeDevice.DEFERRED
        : NvmeStatus.ASYNCHRONOUS_EVENT_REQUEST_LIMIT_EXCEEDED.status();
  }
}
