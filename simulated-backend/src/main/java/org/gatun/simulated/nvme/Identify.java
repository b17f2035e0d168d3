package org.gatun.simulated.nvme;

import java.lang.foreign.MemorySegment;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.List;
import org.gatun.simulated.NvmeModel;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.Cns;
import org.gatun.specs.nvme.Features;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.IdentifyNamespace;
import org.gatun.specs.nvme.IdentifyNvmController;
import org.gatun.specs.nvme.LbaFormat;
import org.gatun.specs.nvme.NamespaceDescriptor;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SubmissionEntry;
import org.gatun.specs.nvme.Version;
import org.jspecify.annotations.Nullable;

/** Identify: what controller and namespaces say of themselves (Base 5.17, NVM 4.1.5). */
final class Identify {
  private static final int INVALID_FIELD = NvmeStatus.INVALID_FIELD_IN_COMMAND.status();
  private static final int INVALID_NAMESPACE = NvmeStatus.INVALID_NAMESPACE_OR_FORMAT.status();
  private static final int MIN_PAGE = 4096;
  private static final int LIMITED_ABORTS = 3;

  /** Of 100 ms: the unit of MTFA, and the least that says something. */
  private static final int LEAST_ACTIVATION_TIME = 1;

  private final NvmeModel model;
  private final Namespaces namespaces;
  private final Firmware firmware;

  Identify(NvmeModel model, Namespaces namespaces, Firmware firmware) {
    this.model = model;
    this.namespaces = namespaces;
    this.firmware = firmware;
  }

  int execute(SubmissionQueue queue, Command command, int pageSize) {
    int nsid = command.nsid;
    return switch (AdminCommand.cns(command.dword10)) {
      case Cns.CONTROLLER -> send(queue, command, pageSize, controller());
      case Cns.ACTIVE_NAMESPACE_LIST ->
          Integer.compareUnsigned(nsid, SubmissionEntry.NSID_ALL - 1) < 0
              ? send(queue, command, pageSize, namespaces.after(nsid).segment())
              : INVALID_NAMESPACE;
      case Cns.NAMESPACE -> {
        Namespace namespace = namespaces.find(nsid);
        yield send(queue, command, pageSize, namespace == null ? null : namespace(namespace));
      }
      case Cns.NAMESPACE_DESCRIPTOR_LIST -> {
        Namespace namespace = namespaces.find(nsid);
        yield send(queue, command, pageSize, namespace == null ? null : descriptors(namespace));
      }
      case Cns.COMMAND_SET_CONTROLLER ->
          AdminCommand.commandSet(command.dword11) == 0
              ? send(queue, command, pageSize, nvmController())
              : INVALID_FIELD;
      default -> INVALID_FIELD;
    };
  }

  /** Sends a structure; there is none if there is no such namespace. */
  private static int send(
      SubmissionQueue queue, Command command, int pageSize, @Nullable MemorySegment data) {
    return data == null
        ? INVALID_NAMESPACE
        : DataPointer.send(queue, command, pageSize, data, 0, AdminCommand.IDENTIFY_SIZE);
  }

  private MemorySegment controller() {
    IdentifyController data = IdentifyController.create();
    data.setVendorId(model.description().id().vendor());
    data.setSubsystemVendorId(model.description().id().subsystemVendor());
    data.setSerialNumber(model.serial());
    data.setModelNumber("Gatun simulated NVMe");
    data.setFirmwareRevision(firmware.revision());
    data.setIeeeOui(new byte[] {0, 0x54, 0x52});
    data.setMdts(maxTransferLog2());
    data.setControllerId(0);
    data.setVersion(Version.V1_4);
    data.setOaes(Features.EVENT_NAMESPACE_ATTRIBUTE | Features.EVENT_FIRMWARE_ACTIVATION);
    data.setControllerType(IdentifyController.CNTRLTYPE_IO);
    data.setOacs(
        IdentifyController.OACS_FORMAT_NVM
            | IdentifyController.OACS_FIRMWARE
            | (model.hasShadowDoorbells() ? IdentifyController.OACS_DOORBELL_BUFFER_CONFIG : 0));
    data.setAbortCommandLimit(LIMITED_ABORTS);
    data.setAsynchronousEventRequestLimit(Events.REQUESTS - 1);
    data.setFrmw(
        IdentifyController.FRMW_FIRST_SLOT_READ_ONLY
            | IdentifyController.FRMW_ACTIVATION_WITHOUT_RESET);
    data.setFirmwareSlots(Firmware.SLOTS);
    data.setMaxFirmwareActivationTime(LEAST_ACTIVATION_TIME);
    data.setFirmwareUpdateGranularity(IdentifyController.FWUG_NO_RESTRICTION);
    data.setLpa(IdentifyController.LPA_COMMAND_EFFECTS | IdentifyController.LPA_EXTENDED_DATA);
    data.setErrorLogPageEntries(ErrorLog.ENTRIES - 1);
    data.setWarningTemperature(Health.TEMPERATURE + 50);
    data.setCriticalTemperature(Health.TEMPERATURE + 60);
    data.setTotalNvmCapacity(BigInteger.valueOf(namespaces.capacity()));
    data.setSanicap(
        IdentifyController.SANICAP_BLOCK_ERASE
            | IdentifyController.SANICAP_OVERWRITE
            | IdentifyController.SANICAP_NOT_MODIFIED_AFTER);
    data.setSqes(SubmissionEntry.SIZE_LOG2 << 4 | SubmissionEntry.SIZE_LOG2);
    data.setCqes(NvmeDevice.CQES << 4 | NvmeDevice.CQES);
    data.setNumberOfNamespaces(namespaces.count());
    data.setOncs(
        IdentifyController.ONCS_COMPARE
            | IdentifyController.ONCS_DATASET_MANAGEMENT
            | IdentifyController.ONCS_WRITE_ZEROES
            | IdentifyController.ONCS_VERIFY);
    data.setVwc(IdentifyController.VWC_PRESENT | 3 << 1); // Flush takes the broadcast NSID
    if (model.hasScatterGather()) {
      data.setSgls(IdentifyController.SGLS_UNALIGNED | IdentifyController.SGLS_BIT_BUCKET);
    }
    data.setSubsystemNqn("nqn.2026-01.org.gatun:simulated:" + model.serial());
    return data.segment();
  }

  /** Of NVMe 2.0, and with it the only place to say that Verify has a limit. */
  private MemorySegment nvmController() {
    IdentifyNvmController data = IdentifyNvmController.create();
    data.setVerifySizeLimit(maxTransferLog2());
    return data.segment();
  }

  private int maxTransferLog2() {
    return Integer.numberOfTrailingZeros(model.maxTransfer() / MIN_PAGE);
  }

  private static MemorySegment namespace(Namespace namespace) {
    IdentifyNamespace data = IdentifyNamespace.create();
    data.setSize(namespace.blocks());
    data.setCapacity(namespace.blocks());
    data.setUtilization(namespace.blocks());
    data.setDlfeat(1 | 1 << 3); // deallocated blocks read as zeros, by Write Zeroes too
    data.setNvmCapacity(BigInteger.valueOf(namespace.media.size()));
    data.setEui64(namespace.eui64());
    List<LbaFormat> formats = namespace.formats();
    data.setNlbaf(formats.size() - 1);
    for (int i = 0; i < formats.size(); i++) {
      data.setLbaFormat(i, formats.get(i));
    }
    data.setFormatIndex(namespace.format());
    return data.segment();
  }

  private static MemorySegment descriptors(Namespace namespace) {
    MemorySegment list = MemorySegment.ofArray(new byte[AdminCommand.IDENTIFY_SIZE]);
    byte[] uuid =
        ByteBuffer.allocate(16)
            .putLong(namespace.uuid().getMostSignificantBits())
            .putLong(namespace.uuid().getLeastSignificantBits())
            .array();
    long next =
        NamespaceDescriptor.write(list, 0, NamespaceDescriptor.NIDT_EUI64, namespace.eui64());
    NamespaceDescriptor.write(list, next, NamespaceDescriptor.NIDT_UUID, uuid);
    return list;
  }
}
