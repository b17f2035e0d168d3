package org.gatun.vmtests.machine;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.gatun.vmtests.inside.Command;

/** Raw disk images that a test prepares before a boot, and looks at after it. Sizes in bytes. */
public final class DiskImage {
  private DiskImage() {}

  /** Makes an image that reads as zeros and takes no space yet. What was in the file is gone. */
  public static Path blank(Path image, long size) throws IOException {
    Files.deleteIfExists(image);
    try (FileChannel file =
        FileChannel.open(image, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      file.write(ByteBuffer.allocate(1), size - 1);
    }
    return image;
  }

  /**
   * Makes an image with an ext4 file system over all of it, filled from a directory; needs no
   * rights. Its blocks have 4 KiB, so that it can be on a disk of such blocks, too.
   */
  public static Path ext4(Path image, long size, Path content)
      throws IOException, InterruptedException {
    blank(image, size);
    Command.run(
            "/sbin/mkfs.ext4", "-q", "-F", "-b", "4096", "-d", content.toString(), image.toString())
        .expectSuccess();
    return image;
  }

  /** The text of a file in an ext4 image. */
  public static String readExt4(Path image, String file) throws IOException, InterruptedException {
    Path copy = Files.createTempFile("from-image", "");
    try {
      Command.run("/sbin/debugfs", "-R", "dump " + file + " " + copy, image.toString())
          .expectSuccess();
      return Files.readString(copy);
    } finally {
      Files.delete(copy);
    }
  }
}
