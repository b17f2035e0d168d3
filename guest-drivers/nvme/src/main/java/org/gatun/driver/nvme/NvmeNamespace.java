package org.gatun.driver.nvme;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Optional;
import org.gatun.specs.nvme.IdentifyNamespace;
import org.gatun.specs.nvme.LbaFormat;
import org.gatun.specs.nvme.NvmCommand;

/**
 * An active namespace that the driver can read and write, as it was when the driver looked at it
 * last: see {@link NvmeController#namespaces}.
 */
public final class NvmeNamespace {
  /** DPS bits 2:0: the type of protection information, 0 for none. */
  private static final int PROTECTION_TYPE = 0x7;

  private final int id;
  private final int blockShift;
  private final long blocks;
  private final int maxTransferBlocks;
  private final int features;
  private final byte[] nguid;
  private final byte[] eui64;
  private final byte[] uuid;

  /** On the heap: of a thousand namespaces, native memory that the collector gives back is slow. */
  private final byte[] identity = new byte[IdentifyNamespace.SIZE];

  /**
   * A namespace that can be used.
   *
   * @param identity what it says of itself: copied
   * @param uuid from its descriptors; empty if it has none there
   */
  NvmeNamespace(int id, IdentifyNamespace identity, byte[] uuid, int maxTransferBytes) {
    this.id = id;
    identity.segment().asByteBuffer().get(this.identity);
    this.features = identity.nsfeat();
    this.nguid = identity.nguid();
    this.eui64 = identity.eui64();
    this.uuid = uuid;
    this.blocks = identity.size();
    this.blockShift = identity.formattedLbaFormat().lbads();
    this.maxTransferBlocks = Math.min(maxTransferBytes >>> blockShift, NvmCommand.MAX_BLOCKS);
  }

  /** Why the driver can't use a namespace with that identity, and what to do; empty if it can. */
  static Optional<String> refusal(IdentifyNamespace identity, int maxTransferBytes) {
    int index = identity.formatIndex();
    if (index >= Math.min(identity.lbaFormats(), IdentifyNamespace.MAX_LBA_FORMATS)) {
      return Optional.of("it has LBA format %d of %d".formatted(index, identity.lbaFormats()));
    }
    if ((identity.dps() & PROTECTION_TYPE) != 0) {
      return Optional.of(
          "its blocks have protection information of type %d; format it without metadata"
              .formatted(identity.dps() & PROTECTION_TYPE));
    }
    LbaFormat format = identity.lbaFormat(index);
    if (format.blockSize() == 0 || format.blockSize() > maxTransferBytes) {
      return Optional.of("its blocks have 2^%d bytes".formatted(format.lbads()));
    }
    if (format.metadataSize() != 0) {
      return Optional.of(
          "its blocks have %d bytes of metadata each; format it without metadata"
              .formatted(format.metadataSize()));
    }
    if (identity.size() <= 0 || identity.size() > Long.MAX_VALUE >>> format.lbads()) {
      return Optional.of("it has %s blocks".formatted(Long.toUnsignedString(identity.size())));
    }
    return Optional.empty();
  }

  /** Its number, from 1, unsigned. */
  public int id() {
    return id;
  }

  /** The size of a logical block in bytes: a power of two, from 512. */
  public int blockSize() {
    return 1 << blockShift;
  }

  /** How many logical blocks it has. */
  public long blocks() {
    return blocks;
  }

  /** How many bytes it has. */
  public long sizeBytes() {
    return blocks << blockShift;
  }

  /** The most logical blocks that one read or write can transfer: 1 to 65536. */
  public int maxTransferBlocks() {
    return maxTransferBlocks;
  }

  /** NSFEAT: {@link IdentifyNamespace#NSFEAT_THIN_PROVISIONING} and so on. */
  public int features() {
    return features;
  }

  /** All that it says of itself. */
  public IdentifyNamespace identity() {
    MemorySegment copy = Arena.ofAuto().allocate(IdentifyNamespace.SIZE);
    copy.asByteBuffer().put(identity);
    return new IdentifyNamespace(copy);
  }

  /** Whether what was written to one can be read from the other: same blocks, same identifiers. */
  boolean isSameAs(NvmeNamespace other) {
    return id == other.id
        && blockShift == other.blockShift
        && Arrays.equals(nguid, other.nguid)
        && Arrays.equals(eui64, other.eui64)
        && Arrays.equals(uuid, other.uuid);
  }

  int blockShift() {
    return blockShift;
  }

  @Override
  public String toString() {
    return "namespace %s: %d blocks of %d bytes"
        .formatted(Integer.toUnsignedString(id), blocks, blockSize());
  }
}
