package org.gatun.simulated.nvme;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.UUID;
import org.gatun.simulated.NvmeModel;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.Cns;
import org.gatun.specs.nvme.ErrorLogEntry;
import org.gatun.specs.nvme.Features;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.IdentifyNamespace;
import org.gatun.specs.nvme.LbaFormat;
import org.gatun.specs.nvme.LogPage;
import org.gatun.specs.nvme.NamespaceDescriptor;
import org.gatun.specs.nvme.NamespaceList;
import org.gatun.specs.nvme.NvmeRegisters;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SanitizeStatusLog;
import org.gatun.specs.nvme.SmartLog;
import org.gatun.specs.nvme.SubmissionEntry;
import org.gatun.specs.nvme.Version;

/**
 * The Admin commands (Base 5). Called with the monitors of the controller and of the admin queue
 * held.
 */
final class AdminCommands {
  private static final int SUCCESS = DataPointer.SUCCESS;
  private static final int INVALID_FIELD = NvmeStatus.INVALID_FIELD_IN_COMMAND.status();
  private static final int INVALID_NAMESPACE = NvmeStatus.INVALID_NAMESPACE_OR_FORMAT.status();
  private static final int MIN_PAGE = 4096;
  private static final int FIRMWARE_PAGE = 512;
  private static final String FIRMWARE = "1.0";
  private static final int NO_PART = -1;

  /** TMPSEL of Set Features. */
  private static final int ALL_SENSORS = 0xf;

  private static final int LIMITED_ABORTS = 3;

  /** 20 degrees Celsius in kelvins. */
  private static final int TEMPERATURE = 293;

  private static final int DATA_UNIT = 512 * 1000;

  private final NvmeDevice device;
  private final NvmeModel model;
  private final IoCommands io;
  private final FeatureValues features;

  /** Survives resets. */
  private final SanitizeStatusLog sanitizeStatus = SanitizeStatusLog.create();

  AdminCommands(NvmeDevice device, NvmeModel model, IoCommands io, FeatureValues features) {
    this.device = device;
    this.model = model;
    this.io = io;
    this.features = features;
    sanitizeStatus.setProgress(SanitizeStatusLog.NOT_IN_PROGRESS);
  }

  /** Executes a command, and returns its status, or {@link NvmeDevice#DEFERRED}. */
  int execute(SubmissionQueue queue, Command command) {
    if (!command.isPlain()) {
      return INVALID_FIELD;
    }
    return switch (command.opcode()) {
      case AdminOpcode.IDENTIFY -> identify(queue, command);
      case AdminOpcode.CREATE_IO_COMPLETION_QUEUE -> createCompletionQueue(command);
      case AdminOpcode.CREATE_IO_SUBMISSION_QUEUE -> createSubmissionQueue(command);
      case AdminOpcode.DELETE_IO_COMPLETION_QUEUE ->
          device.deleteCompletionQueue(AdminCommand.queueId(command.dword10));
      case AdminOpcode.DELETE_IO_SUBMISSION_QUEUE ->
          device.deleteSubmissionQueue(AdminCommand.queueId(command.dword10));
      case AdminOpcode.SET_FEATURES -> setFeatures(command);
      case AdminOpcode.GET_FEATURES -> getFeatures(command);
      case AdminOpcode.ABORT -> abort(command);
      case AdminOpcode.ASYNCHRONOUS_EVENT_REQUEST -> requestEvent(command);
      case AdminOpcode.GET_LOG_PAGE -> getLogPage(queue, command);
      case AdminOpcode.FORMAT_NVM -> format(command);
      case AdminOpcode.SANITIZE -> sanitize(command);
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

  private int setFeatures(Command command) {
    int feature = Features.feature(command.dword10);
    int part = featurePart(feature, command.dword11);
    if (!features.has(feature) || part == NO_PART) {
      return INVALID_FIELD;
    }
    if (Features.isSave(command.dword10)) {
      return NvmeStatus.FEATURE_IDENTIFIER_NOT_SAVEABLE.status();
    }
    if (feature == Features.NUMBER_OF_QUEUES) {
      return setNumberOfQueues(command);
    }
    if (feature == Features.POWER_MANAGEMENT && (command.dword11 & 0x1f) != 0) {
      return INVALID_FIELD; // there is one power state
    }
    features.set(
        feature,
        part,
        feature == Features.TEMPERATURE_THRESHOLD ? command.dword11 & 0xffff : command.dword11);
    return SUCCESS;
  }

  /**
   * Which value of a feature dword 11 selects: over or under temperature (Base 5.27.1.3, THSEL), of
   * the one sensor there is, or of all (TMPSEL); an interrupt vector (5.27.1.7).
   *
   * @return {@link #NO_PART} if there is no such
   */
  private int featurePart(int feature, int dword11) {
    return switch (feature) {
      case Features.TEMPERATURE_THRESHOLD -> {
        int sensor = dword11 >>> 16 & 0xf;
        int type = dword11 >>> 20 & 0x3;
        yield (sensor == 0 || sensor == ALL_SENSORS) && type <= 1 ? type : NO_PART;
      }
      case Features.INTERRUPT_VECTOR_CONFIGURATION ->
          (dword11 & 0xffff) < model.vectors() ? dword11 & 0xffff : NO_PART;
      default -> 0;
    };
  }

  /** Whatever the host asks for, it gets what there is: it may use fewer. */
  private int setNumberOfQueues(Command command) {
    int tooMany = NvmeRegisters.MAX_QUEUE_ID + 1;
    if (Features.submissionQueues(command.dword11) == tooMany
        || Features.completionQueues(command.dword11) == tooMany) {
      return INVALID_FIELD;
    }
    if (device.hasIoQueues()) {
      return NvmeStatus.COMMAND_SEQUENCE_ERROR.status();
    }
    command.result = features.byDefault(Features.NUMBER_OF_QUEUES, 0);
    return SUCCESS;
  }

  private int getFeatures(Command command) {
    int feature = Features.feature(command.dword10);
    int part = featurePart(feature, command.dword11);
    if (!features.has(feature) || part == NO_PART) {
      return INVALID_FIELD;
    }
    command.result =
        switch (Features.select(command.dword10)) {
          case Features.SELECT_DEFAULT, Features.SELECT_SAVED -> features.byDefault(feature, part);
          case Features.SELECT_SUPPORTED -> 1 << 2; // changeable, neither saveable nor by namespace
          default -> features.get(feature, part);
        };
    return SUCCESS;
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
    return device.events().request(command.id())
        ? NvmeDevice.DEFERRED
        : NvmeStatus.ASYNCHRONOUS_EVENT_REQUEST_LIMIT_EXCEEDED.status();
  }

  /** With the format that there is, and without a key that could be changed (Base 5.14). */
  private int format(Command command) {
    if (command.nsid != IoCommands.NAMESPACE && command.nsid != SubmissionEntry.NSID_ALL) {
      return INVALID_NAMESPACE;
    }
    if (AdminCommand.formatIndex(command.dword10) != 0
        || AdminCommand.protectionInformation(command.dword10) != 0) {
      return NvmeStatus.INVALID_FORMAT.status();
    }
    return AdminCommand.secureErase(command.dword10) > AdminCommand.SECURE_ERASE_USER_DATA
        ? INVALID_FIELD
        : io.erase();
  }

  /** Done when the command is (Base 5.24). One that failed is no state: it can be tried again. */
  private int sanitize(Command command) {
    return switch (AdminCommand.sanitizeAction(command.dword10)) {
      case AdminCommand.SANITIZE_EXIT_FAILURE -> SUCCESS;
      case AdminCommand.SANITIZE_BLOCK_ERASE, AdminCommand.SANITIZE_OVERWRITE -> {
        int status = io.erase();
        sanitizeStatus.setCommandDword10(command.dword10);
        sanitizeStatus.setSstat(
            status == SUCCESS ? SanitizeStatusLog.STATUS_SUCCESS : SanitizeStatusLog.STATUS_FAILED);
        yield status;
      }
      default -> INVALID_FIELD;
    };
  }

  private int identify(SubmissionQueue queue, Command command) {
    MemorySegment data =
        switch (AdminCommand.cns(command.dword10)) {
          case Cns.CONTROLLER -> identifyController();
          case Cns.NAMESPACE -> command.nsid == IoCommands.NAMESPACE ? identifyNamespace() : null;
          case Cns.ACTIVE_NAMESPACE_LIST ->
              Integer.compareUnsigned(command.nsid, SubmissionEntry.NSID_ALL - 1) < 0
                  ? namespaceList(command.nsid)
                  : null;
          case Cns.NAMESPACE_DESCRIPTOR_LIST ->
              command.nsid == IoCommands.NAMESPACE ? namespaceDescriptors() : null;
          default -> MemorySegment.NULL;
        };
    if (data == null) {
      return INVALID_NAMESPACE;
    }
    return data.equals(MemorySegment.NULL)
        ? INVALID_FIELD
        : send(queue, command, data, 0, AdminCommand.IDENTIFY_SIZE);
  }

  private MemorySegment identifyController() {
    IdentifyController data = IdentifyController.create();
    data.setVendorId(model.description().id().vendor());
    data.setSubsystemVendorId(model.description().id().subsystemVendor());
    data.setSerialNumber(model.serial());
    data.setModelNumber("Gatun simulated NVMe");
    data.setFirmwareRevision(FIRMWARE);
    data.setIeeeOui(new byte[] {0, 0x54, 0x52});
    data.setMdts(Integer.numberOfTrailingZeros(model.maxTransfer() / MIN_PAGE));
    data.setControllerId(0);
    data.setVersion(Version.V1_4);
    data.setControllerType(IdentifyController.CNTRLTYPE_IO);
    data.setOacs(IdentifyController.OACS_FORMAT_NVM);
    data.setAbortCommandLimit(LIMITED_ABORTS);
    data.setAsynchronousEventRequestLimit(Events.REQUESTS - 1);
    data.setFrmw(0x03); // one slot, read-only
    data.setLpa(IdentifyController.LPA_EXTENDED_DATA);
    data.setErrorLogPageEntries(ErrorLog.ENTRIES - 1);
    data.setWarningTemperature(TEMPERATURE + 50);
    data.setCriticalTemperature(TEMPERATURE + 60);
    data.setTotalNvmCapacity(capacity());
    data.setSanicap(IdentifyController.SANICAP_BLOCK_ERASE | IdentifyController.SANICAP_OVERWRITE);
    data.setSqes(SubmissionEntry.SIZE_LOG2 << 4 | SubmissionEntry.SIZE_LOG2);
    data.setCqes(NvmeDevice.CQES << 4 | NvmeDevice.CQES);
    data.setNumberOfNamespaces(1);
    data.setOncs(IdentifyController.ONCS_DATASET_MANAGEMENT | IdentifyController.ONCS_WRITE_ZEROES);
    data.setVwc(IdentifyController.VWC_PRESENT | 3 << 1); // Flush takes the broadcast NSID
    data.setSubsystemNqn("nqn.2026-01.org.gatun:simulated:" + model.serial());
    return data.segment();
  }

  private MemorySegment identifyNamespace() {
    IdentifyNamespace data = IdentifyNamespace.create();
    data.setSize(io.blocks());
    data.setCapacity(io.blocks());
    data.setUtilization(io.blocks());
    data.setNlbaf(0);
    data.setDlfeat(1 | 1 << 3); // deallocated blocks read as zeros, by Write Zeroes too
    data.setNvmCapacity(capacity());
    data.setEui64(eui64());
    data.setLbaFormat(0, new LbaFormat(0, Integer.numberOfTrailingZeros(model.blockSize()), 0));
    return data.segment();
  }

  private static MemorySegment namespaceList(int after) {
    NamespaceList list = NamespaceList.create();
    if (Integer.compareUnsigned(after, IoCommands.NAMESPACE) < 0) {
      list.setNamespaceId(0, IoCommands.NAMESPACE);
    }
    return list.segment();
  }

  private MemorySegment namespaceDescriptors() {
    MemorySegment list = MemorySegment.ofArray(new byte[AdminCommand.IDENTIFY_SIZE]);
    UUID uuid = uuid();
    byte[] bytes =
        ByteBuffer.allocate(16)
            .putLong(uuid.getMostSignificantBits())
            .putLong(uuid.getLeastSignificantBits())
            .array();
    long next = NamespaceDescriptor.write(list, 0, NamespaceDescriptor.NIDT_EUI64, eui64());
    NamespaceDescriptor.write(list, next, NamespaceDescriptor.NIDT_UUID, bytes);
    return list;
  }

  /** As unique as the serial number. */
  private UUID uuid() {
    return UUID.nameUUIDFromBytes(model.serial().getBytes(StandardCharsets.UTF_8));
  }

  /** QEMU's OUI, and of the UUID what there is room for. */
  private byte[] eui64() {
    return ByteBuffer.allocate(8)
        .putLong(0x525400L << 40 | uuid().getMostSignificantBits() >>> 24)
        .array();
  }

  private int getLogPage(SubmissionQueue queue, Command command) {
    int id = AdminCommand.logPage(command.dword10);
    MemorySegment page =
        switch (id) {
          case LogPage.ERROR_INFORMATION -> errorPage();
          case LogPage.SMART -> smartPage();
          case LogPage.FIRMWARE_SLOT -> firmwarePage();
          case LogPage.SANITIZE_STATUS -> sanitizeStatus.segment();
          default -> null;
        };
    if (page == null) {
      return NvmeStatus.INVALID_LOG_PAGE.status();
    }
    long size = AdminCommand.logPageSize(command.dword10, command.dword11);
    long offset = (command.dword12 & 0xffff_ffffL) | (long) command.dword13 << 32;
    if (size > model.maxTransfer() || offset < 0 || offset > page.byteSize() || offset % 4 != 0) {
      return INVALID_FIELD;
    }
    int status = send(queue, command, page, offset, size);
    if (status == SUCCESS && !AdminCommand.isEventRetained(command.dword10)) {
      device.events().pageRead(id);
    }
    return status;
  }

  private MemorySegment errorPage() {
    MemorySegment page = MemorySegment.ofArray(new byte[ErrorLog.ENTRIES * ErrorLogEntry.SIZE]);
    device.errors().write(page);
    return page;
  }

  private MemorySegment smartPage() {
    SmartLog log = SmartLog.create();
    NvmeDevice.Traffic traffic = device.traffic();
    log.setCompositeTemperature(TEMPERATURE);
    log.setAvailableSpare(100);
    log.setAvailableSpareThreshold(10);
    log.setDataUnitsRead(dataUnits(traffic.bytesRead()));
    log.setDataUnitsWritten(dataUnits(traffic.bytesWritten()));
    log.setHostReadCommands(BigInteger.valueOf(traffic.reads()));
    log.setHostWriteCommands(BigInteger.valueOf(traffic.writes()));
    log.setPowerCycles(BigInteger.ONE);
    log.setErrorLogEntries(BigInteger.valueOf(device.errors().count()));
    return log.segment();
  }

  private static MemorySegment firmwarePage() {
    byte[] page = new byte[FIRMWARE_PAGE];
    page[0] = 1; // slot 1 is active
    byte[] revision = "%-8s".formatted(FIRMWARE).getBytes(StandardCharsets.US_ASCII);
    System.arraycopy(revision, 0, page, 8, revision.length);
    return MemorySegment.ofArray(page);
  }

  /** Sends a part of a structure; what is beyond its end is zero. */
  private int send(
      SubmissionQueue queue, Command command, MemorySegment data, long offset, long size) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment copy = arena.allocate(size);
      MemorySegment.copy(data, offset, copy, 0, Math.min(size, data.byteSize() - offset));
      return DataPointer.move(
          queue.completions.port, command, device.pageSize(), new Scratch(copy), 0, size, true);
    }
  }

  private BigInteger capacity() {
    return BigInteger.valueOf(io.blocks()).multiply(BigInteger.valueOf(model.blockSize()));
  }

  private static BigInteger dataUnits(long bytes) {
    return BigInteger.valueOf((bytes + DATA_UNIT - 1) / DATA_UNIT);
  }
}
