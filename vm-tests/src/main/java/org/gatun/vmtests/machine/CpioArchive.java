package org.gatun.vmtests.machine;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/**
 * A cpio archive in the "newc" form: Linux,
 * Documentation/driver-api/early-userspace/buffer-format.rst.
 */
final class CpioArchive {
  private static final int DIRECTORY = 0040000;
  private static final int FILE = 0100000;
  private static final int CHARACTER_DEVICE = 0020000;

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private int nextInode = 1;

  CpioArchive directory(String name) {
    add(name, DIRECTORY | 0755, 0, 0, new byte[0]);
    return this;
  }

  CpioArchive file(String name, int permissions, byte[] content) {
    add(name, FILE | permissions, 0, 0, content);
    return this;
  }

  CpioArchive characterDevice(String name, int major, int minor) {
    add(name, CHARACTER_DEVICE | 0600, major, minor, new byte[0]);
    return this;
  }

  byte[] toByteArray() {
    add("TRAILER!!!", 0, 0, 0, new byte[0]);
    return out.toByteArray();
  }

  private void add(String name, int mode, int major, int minor, byte[] content) {
    byte[] nameBytes = (name + '\0').getBytes(StandardCharsets.UTF_8);
    int[] fields = {
      nextInode++, // inode
      mode,
      0, // uid
      0, // gid
      1, // links
      0, // modification time
      content.length,
      0, // major and minor of the file system
      0,
      major, // of the device
      minor,
      nameBytes.length,
      0 // checksum, which newc does not use
    };
    StringBuilder header = new StringBuilder("070701");
    for (int field : fields) {
      header.append("%08x".formatted(field));
    }
    out.writeBytes(header.toString().getBytes(StandardCharsets.US_ASCII));
    out.writeBytes(nameBytes);
    pad();
    out.writeBytes(content);
    pad();
  }

  private void pad() {
    while (out.size() % 4 != 0) {
      out.write(0);
    }
  }
}
