package org.gatun.vmtests;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What devices hold of this machine's memory: a mapping of VFIO's type 1 pins pages, and counts as
 * locked in the process that made it.
 *
 * @param pages that are pinned, whoever did it
 * @param lockedKibibytes of this process
 */
record PinnedMemory(long pages, long lockedKibibytes) {
  static final PinnedMemory NONE = new PinnedMemory(0, 0);

  /** As it is now. */
  static PinnedMemory now() throws IOException {
    // Each processor counts for itself, and adds that to what all read now and then; or when asked
    // to: Linux, Documentation/admin-guide/sysctl/vm.rst, stat_refresh.
    Files.readAllBytes(Path.of("/proc/sys/vm/stat_refresh"));
    long pages = 0;
    for (String line : Files.readAllLines(Path.of("/proc/vmstat"))) {
      if (line.startsWith("nr_foll_pin_acquired ")) {
        pages += Long.parseLong(line.substring(line.indexOf(' ') + 1));
      } else if (line.startsWith("nr_foll_pin_released ")) {
        pages -= Long.parseLong(line.substring(line.indexOf(' ') + 1));
      }
    }
    String locked =
        Files.readAllLines(Path.of("/proc/self/status")).stream()
            .filter(line -> line.startsWith("VmLck:"))
            .findFirst()
            .orElseThrow();
    return new PinnedMemory(pages, Long.parseLong(locked.replaceAll("\\D", "")));
  }
}
