package org.gatun.driver.nvme;

import org.jspecify.annotations.Nullable;

/**
 * A namespace that somebody has opened, as it is known now: namespaces vanish, shrink, grow, and
 * are replaced by others under their number. One thread.
 */
final class OpenNamespace {
  private final NvmeController controller;
  private final NvmeNamespace opened;
  private NvmeNamespace namespace;

  /** Those of the controller when the namespace was looked up. */
  private @Nullable Namespaces seen;

  OpenNamespace(NvmeController controller, NvmeNamespace opened) {
    this.controller = controller;
    this.opened = opened;
    this.namespace = opened;
  }

  /**
   * The namespace: it may have grown, or shrunk.
   *
   * @throws NvmeNamespaceException if it has vanished, or has become another one
   */
  NvmeNamespace namespace() {
    Namespaces now = controller.current();
    if (now != seen) {
      namespace = lookUp(now);
      seen = now;
    }
    return namespace;
  }

  /** As {@link #namespace} was when it was last asked for. */
  NvmeNamespace known() {
    return namespace;
  }

  private NvmeNamespace lookUp(Namespaces now) {
    NvmeNamespace found = now.find(opened.id()).orElse(null);
    String problem;
    if (found != null && found.isSameAs(opened)) {
      return found;
    } else if (found == null) {
      problem = "has vanished, or can't be used any more: see the controller's namespaces";
    } else if (found.blockSize() != opened.blockSize()) {
      problem =
          "has blocks of %d bytes now, and had %d".formatted(found.blockSize(), opened.blockSize());
    } else {
      problem = "was replaced by another one";
    }
    throw new NvmeNamespaceException(
        controller.name(), opened.id(), problem, "open it anew, if it is still the one you want");
  }

  /**
   * The blocks that bytes are.
   *
   * @throws NvmeNamespaceException also if the namespace had them, and has them no more
   * @throws IllegalArgumentException as {@link BlockRange#of}
   */
  BlockRange range(long offset, long length) {
    NvmeNamespace now = namespace();
    if (!BlockRange.isInside(now, offset, length) && BlockRange.isInside(opened, offset, length)) {
      throw new NvmeNamespaceException(
          controller.name(),
          now.id(),
          "has shrunk from %d bytes to %d, and offset %d, length %d goes past the end"
              .formatted(opened.sizeBytes(), now.sizeBytes(), offset, length),
          null);
    }
    return BlockRange.of(controller.name(), now, offset, length);
  }
}
