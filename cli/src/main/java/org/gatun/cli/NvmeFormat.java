package org.gatun.cli;

import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.gatun.specs.nvme.IdentifyNamespace;
import org.gatun.specs.nvme.LbaFormat;

/**
 * A format that a namespace can be given.
 *
 * @param index in its list of formats, as Format NVM names it
 * @param blockSize in bytes
 * @param metadataSize of each block, in bytes
 */
record NvmeFormat(int index, int blockSize, int metadataSize) {
  /** Those of a namespace that are there, in its order. */
  static List<NvmeFormat> of(IdentifyNamespace namespace) {
    return IntStream.range(0, Math.min(namespace.lbaFormats(), IdentifyNamespace.MAX_LBA_FORMATS))
        .mapToObj(index -> of(index, namespace.lbaFormat(index)))
        .filter(format -> format.blockSize != 0)
        .toList();
  }

  private static NvmeFormat of(int index, LbaFormat format) {
    return new NvmeFormat(index, format.blockSize(), format.metadataSize());
  }

  /** Those of a namespace, in a line: {@code 512, 4096, 4096+8}. */
  static String text(IdentifyNamespace namespace) {
    return of(namespace).stream().map(NvmeFormat::toString).collect(Collectors.joining(", "));
  }

  /** The bytes of a block, and those of its metadata if it has any: {@code 4096+8}. */
  @Override
  public String toString() {
    return metadataSize == 0 ? String.valueOf(blockSize) : blockSize + "+" + metadataSize;
  }
}
