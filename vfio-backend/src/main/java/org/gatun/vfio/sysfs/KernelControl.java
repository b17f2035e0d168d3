package org.gatun.vfio.sysfs;

import java.io.IOException;
import java.nio.file.Path;

/** What binding changes in the kernel. */
interface KernelControl {
  /**
   * Writes to a file of sysfs, in one write.
   *
   * @throws IOException with the kernel's reason
   */
  void write(Path file, String text) throws IOException;

  /**
   * Loads a kernel module.
   *
   * @throws IOException with modprobe's reason
   */
  void loadModule(String module) throws IOException;
}
