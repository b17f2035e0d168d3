package org.gatun.driver.nvme;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.gatun.specs.nvme.DataTransfer;

/**
 * A command of any kind, as it goes to the controller, for {@link NvmeController#execute}, {@link
 * NvmeQueuePair#execute} and {@link NvmeDisk#execute}. Which way its data go is told by its opcode
 * ({@link DataTransfer}). Dwords 2 and 3, the metadata pointer, and the flags beside the opcode are
 * zero.
 *
 * @param opcode 0 to 255
 * @param namespaceId unsigned; 0 if the command is of none
 * @param dwords command dwords 10 to 15; those that are left out are zero
 * @param data what the controller gets, read when the command is executed; empty if it gets nothing
 * @param dataLength how many bytes go either way; at most {@link NvmeController#maxTransferBytes}.
 *     It must be what the dwords tell the controller: a controller that goes beyond it meets no
 *     memory of the driver's
 * @param timeout after which the controller is taken to have failed the command; empty for {@link
 *     NvmeOptions#commandTimeout}
 */
public record NvmeCommand(
    int opcode,
    int namespaceId,
    List<Integer> dwords,
    MemorySegment data,
    int dataLength,
    Optional<Duration> timeout) {
  private static final int DWORDS = 6;
  private static final MemorySegment NO_DATA = MemorySegment.ofArray(new byte[0]);

  /**
   * @throws IllegalArgumentException if a value is out of its range, or if data are to go another
   *     way than the opcode says
   */
  public NvmeCommand {
    if (opcode < 0 || opcode > 0xff) {
      throw new IllegalArgumentException("an opcode is 0 to 255, not " + opcode);
    }
    if (dwords.size() > DWORDS) {
      throw new IllegalArgumentException(
          "a command has dwords 10 to 15, and %d were given".formatted(dwords.size()));
    }
    List<Integer> all = new ArrayList<>(dwords);
    all.addAll(Collections.nCopies(DWORDS - dwords.size(), 0));
    dwords = List.copyOf(all);
    DataTransfer way = DataTransfer.of(opcode);
    if (dataLength < 0
        || data.byteSize() != (way.isToController() ? dataLength : 0)
        || (way == DataTransfer.NONE && dataLength != 0)) {
      throw new IllegalArgumentException(
          "opcode %sh is for data %s, and here the controller is to get %d bytes, of %d that go"
              .formatted(
                  HexFormat.of().withUpperCase().toHexDigits((byte) opcode),
                  switch (way) {
                    case NONE -> "neither way";
                    case HOST_TO_CONTROLLER -> "to the controller";
                    case CONTROLLER_TO_HOST -> "from the controller";
                    case BIDIRECTIONAL -> "both ways, as many to it as from it";
                  },
                  data.byteSize(),
                  dataLength));
    }
    if (timeout.isPresent() && !timeout.get().isPositive()) {
      throw new IllegalArgumentException(
          "a time-out is greater than 0, not " + timeout.orElseThrow());
    }
  }

  /** A command without data: see the components. */
  public static NvmeCommand of(int opcode, int namespaceId, int... dwords) {
    return new NvmeCommand(
        opcode, namespaceId, Arrays.stream(dwords).boxed().toList(), NO_DATA, 0, Optional.empty());
  }

  /** This command, sending data, and getting as many where the opcode has data go both ways. */
  public NvmeCommand sending(MemorySegment value) {
    return new NvmeCommand(
        opcode, namespaceId, dwords, value, Math.toIntExact(value.byteSize()), timeout);
  }

  /** This command, getting data of that length in bytes. */
  public NvmeCommand receiving(int length) {
    return new NvmeCommand(opcode, namespaceId, dwords, NO_DATA, length, timeout);
  }

  /** This command, with a time-out of its own. */
  public NvmeCommand within(Duration value) {
    return new NvmeCommand(opcode, namespaceId, dwords, data, dataLength, Optional.of(value));
  }

  /** A command dword, 10 to 15. */
  public int dword(int number) {
    return dwords.get(number - 10);
  }

  /** Dwords as the queue entry has them: that one, and the next above it. */
  long dwordPair(int number) {
    return Integer.toUnsignedLong(dword(number)) | (long) dword(number + 1) << 32;
  }
}
