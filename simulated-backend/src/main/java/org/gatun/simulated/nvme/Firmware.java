package org.gatun.simulated.nvme;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.Optional;
import org.gatun.simulated.NvmeFirmware;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AsynchronousEvent;
import org.gatun.specs.nvme.Features;
import org.gatun.specs.nvme.FirmwareSlotLog;
import org.gatun.specs.nvme.LogPage;
import org.gatun.specs.nvme.NvmeStatus;
import org.jspecify.annotations.Nullable;

/**
 * Firmware: what is in the slots, what runs, and an image that is on its way to a slot (Base 3.11).
 * All that is kept of an image is its header. Slots survive resets. Guarded by the controller's
 * monitor.
 */
final class Firmware {
  /** The first is read only. */
  static final int SLOTS = 3;

  private static final int SUCCESS = DataPointer.SUCCESS;
  private static final int INVALID_FIELD = NvmeStatus.INVALID_FIELD_IN_COMMAND.status();
  private static final int INVALID_SLOT = NvmeStatus.INVALID_FIRMWARE_SLOT.status();
  private static final int INVALID_IMAGE = NvmeStatus.INVALID_FIRMWARE_IMAGE.status();
  private static final int READ_ONLY_SLOT = 1;
  private static final int ANY_SLOT = 0;
  private static final int NO_SLOT = 0;
  private static final int DWORD = 4;
  private static final int MAX_IMAGE = 16 << 20;

  private final Events events;

  /** By slot, from 1. */
  private final @Nullable NvmeFirmware[] slots = new NvmeFirmware[SLOTS + 1];

  private NvmeFirmware running = new NvmeFirmware("1.0");
  private int active = READ_ONLY_SLOT;
  private int next = NO_SLOT;

  /** Which dwords of the image were downloaded, and its first ones. */
  private final BitSet downloaded = new BitSet();

  private final MemorySegment header = MemorySegment.ofArray(new byte[NvmeFirmware.HEADER_SIZE]);

  Firmware(Events events) {
    this.events = events;
    slots[READ_ONLY_SLOT] = running;
  }

  /** What the controller runs. */
  String revision() {
    return running.revision();
  }

  /** Firmware Image Download (Base 5.13): a part of an image, in any order. */
  int download(SubmissionQueue queue, Command command, int pageSize, long maxTransfer) {
    long size = AdminCommand.downloadSize(command.dword10);
    long offset = AdminCommand.downloadOffset(command.dword11);
    if (size > maxTransfer || offset + size > MAX_IMAGE) {
      return INVALID_FIELD;
    }
    int first = (int) (offset / DWORD);
    int end = (int) ((offset + size) / DWORD);
    int there = downloaded.nextSetBit(first);
    if (there >= 0 && there < end) {
      return NvmeStatus.OVERLAPPING_RANGE.status();
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment part = arena.allocate(size);
      int status = DataPointer.receive(queue, command, pageSize, part);
      if (status == SUCCESS) {
        downloaded.set(first, end);
        if (offset < header.byteSize()) {
          MemorySegment.copy(part, 0, header, offset, Math.min(size, header.byteSize() - offset));
        }
      }
      return status;
    }
  }

  /** Firmware Commit (Base 5.12). One that comes to look at what was downloaded uses it up. */
  int commit(int dword10) {
    int action = AdminCommand.commitAction(dword10);
    int slot = AdminCommand.firmwareSlot(dword10);
    if (slot == ANY_SLOT) {
      slot = active == SLOTS ? SLOTS - 1 : SLOTS;
    }
    if (slot > SLOTS) {
      return INVALID_SLOT;
    }
    return switch (action) {
      case AdminCommand.COMMIT_REPLACE -> replace(slot);
      case AdminCommand.COMMIT_REPLACE_AND_ACTIVATE -> {
        int status = replace(slot);
        yield status == SUCCESS ? activateAtReset(slot) : status;
      }
      case AdminCommand.COMMIT_ACTIVATE -> activateAtReset(slot);
      case AdminCommand.COMMIT_ACTIVATE_NOW -> {
        int status = downloaded.isEmpty() ? SUCCESS : replace(slot);
        yield status == SUCCESS ? activateNow(slot) : status;
      }
      default -> INVALID_FIELD; // there are no boot partitions
    };
  }

  /** The Firmware Slot Information log page (Base 5.16.1.4). */
  FirmwareSlotLog log() {
    FirmwareSlotLog log = FirmwareSlotLog.create();
    log.setSlots(active, next);
    for (int slot = 1; slot <= SLOTS; slot++) {
      NvmeFirmware firmware = slots[slot];
      if (firmware != null) {
        log.setRevision(slot, firmware.revision());
      }
    }
    return log;
  }

  /** A Controller Level Reset: the next firmware is activated, and what was downloaded is gone. */
  void reset() {
    downloaded.clear();
    if (next != NO_SLOT) {
      activate(next);
    }
  }

  private int replace(int slot) {
    if (slot == READ_ONLY_SLOT) {
      return INVALID_SLOT;
    }
    boolean whole =
        downloaded.cardinality() == downloaded.length()
            && downloaded.length() * DWORD >= NvmeFirmware.HEADER_SIZE;
    Optional<NvmeFirmware> image = whole ? NvmeFirmware.of(header) : Optional.empty();
    downloaded.clear();
    if (image.isEmpty()) {
      return INVALID_IMAGE;
    }
    slots[slot] = image.get();
    return SUCCESS;
  }

  private int activateAtReset(int slot) {
    if (slots[slot] == null) {
      return INVALID_IMAGE;
    }
    next = slot;
    return SUCCESS;
  }

  /** In no time: CSTS.PP need not be set, and the event is all that is seen of it. */
  private int activateNow(int slot) {
    if (slots[slot] == null) {
      return INVALID_IMAGE;
    }
    activate(slot);
    events.raiseIfEnabled(
        Features.EVENT_FIRMWARE_ACTIVATION,
        AsynchronousEvent.dword0(
            AsynchronousEvent.TYPE_NOTICE,
            AsynchronousEvent.NOTICE_FIRMWARE_ACTIVATION_STARTING,
            LogPage.FIRMWARE_SLOT));
    return SUCCESS;
  }

  private void activate(int slot) {
    active = slot;
    next = NO_SLOT;
    NvmeFirmware firmware = slots[slot];
    if (firmware != null) {
      running = firmware;
    }
  }
}
