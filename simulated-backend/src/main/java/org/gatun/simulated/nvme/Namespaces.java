package org.gatun.simulated.nvme;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import org.gatun.pci.DeviceName;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.media.FileMedia;
import org.gatun.simulated.media.Media;
import org.gatun.simulated.media.MemoryMedia;
import org.gatun.specs.nvme.NamespaceList;
import org.gatun.specs.nvme.SubmissionEntry;
import org.jspecify.annotations.Nullable;

/** The namespaces, numbered from 1 without gaps, all active. */
final class Namespaces implements AutoCloseable {
  private final Namespace[] all;

  /** Ids of those that say something else of themselves than before. */
  private final BitSet changed = new BitSet();

  /**
   * Opens the media.
   *
   * @throws org.gatun.pci.DeviceUnavailableException if the file can't be used
   */
  Namespaces(DeviceName device, NvmeModel model) {
    all = new Namespace[model.namespaces()];
    for (int i = 0; i < all.length; i++) {
      Media media =
          model
              .file()
              .<Media>map(file -> FileMedia.open(device, file, model.size(), model.blockSize()))
              .orElseGet(() -> new MemoryMedia(model.size().orElse(NvmeModel.DEFAULT_SIZE)));
      all[i] = new Namespace(i + 1, model.serial(), media, model.blockSize());
    }
  }

  int count() {
    return all.length;
  }

  /**
   * The namespace of a command.
   *
   * @param nsid any value
   * @return null if that is none (Base 3.2.1.2)
   */
  @Nullable Namespace find(int nsid) {
    int index = nsid - 1;
    return index >= 0 && index < all.length ? all[index] : null;
  }

  /** As {@link #find}, of a command that may be for all of them. */
  List<Namespace> select(int nsid) {
    if (nsid == SubmissionEntry.NSID_ALL) {
      return List.of(all);
    }
    Namespace namespace = find(nsid);
    return namespace == null ? List.of() : List.of(namespace);
  }

  /** The ids that follow one, unsigned. */
  NamespaceList after(int nsid) {
    List<Integer> ids = new ArrayList<>();
    for (Namespace namespace : all) {
      if (Integer.compareUnsigned(namespace.id, nsid) > 0) {
        ids.add(namespace.id);
      }
    }
    return list(ids);
  }

  /** In bytes, of all media. */
  long capacity() {
    return Arrays.stream(all).mapToLong(namespace -> namespace.media.size()).sum();
  }

  /**
   * Makes all that was written durable.
   *
   * @throws java.io.UncheckedIOException if that fails
   * @throws InternalError if a file was cut short
   */
  void flush() {
    for (Namespace namespace : all) {
      namespace.media.flush();
    }
  }

  void markChanged(Namespace namespace) {
    changed.set(namespace.id);
  }

  /** Those that have changed since {@link #clearChanged}. */
  NamespaceList changed() {
    return list(changed.stream().boxed().toList());
  }

  void clearChanged() {
    changed.clear();
  }

  @Override
  public void close() {
    for (Namespace namespace : all) {
      namespace.media.close();
    }
  }

  private static NamespaceList list(List<Integer> ids) {
    NamespaceList list = NamespaceList.create();
    for (int i = 0; i < ids.size(); i++) {
      list.setNamespaceId(i, ids.get(i));
    }
    return list;
  }
}
