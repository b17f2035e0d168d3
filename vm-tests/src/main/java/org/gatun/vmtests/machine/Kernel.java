package org.gatun.vmtests.machine;

import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A Linux kernel of the host and its modules.
 *
 * @param release as {@code uname -r} prints it
 * @param image the bzImage
 * @param modules the directory with {@code modules.dep}
 */
public record Kernel(String release, Path image, Path modules) {
  private static final String PREFIX = "vmlinuz-";

  /**
   * Where a bzImage keeps its sizes: Linux, Documentation/arch/x86/boot.rst, "The Real-Mode Kernel
   * Header".
   */
  private static final int SETUP_SECTORS = 0x1f1;

  private static final int PAYLOAD_OFFSET = 0x248;
  private static final int HEADER_END = 0x250;
  private static final byte[] XZ_MAGIC = {(byte) 0xfd, '7', 'z', 'X', 'Z', 0};

  /**
   * The newest kernel in a file system that can be read and has its modules: {@code root} is
   * usually {@code /}.
   */
  static Optional<Kernel> newest(Path root) throws IOException {
    Path boot = root.resolve("boot");
    if (!Files.isDirectory(boot)) {
      return Optional.empty();
    }
    try (Stream<Path> files = Files.list(boot)) {
      return files
          .flatMap(image -> of(image).stream())
          .max(Comparator.comparing(Kernel::release, Kernel::compareReleases));
    }
  }

  /**
   * The kernel of an image {@code …/boot/vmlinuz-RELEASE} whose modules are in {@code
   * …/lib/modules/RELEASE}.
   */
  static Optional<Kernel> of(Path image) {
    Path absolute = image.toAbsolutePath().normalize();
    Path boot = absolute.getParent();
    String name = String.valueOf(absolute.getFileName());
    if (boot == null || boot.getParent() == null || !name.startsWith(PREFIX)) {
      return Optional.empty();
    }
    String release = name.substring(PREFIX.length());
    Path modules = boot.getParent().resolve("lib/modules").resolve(release);
    return Files.isReadable(absolute) && Files.isReadable(modules.resolve("modules.dep"))
        ? Optional.of(new Kernel(release, absolute, modules))
        : Optional.empty();
  }

  /** Numbers by value, so that 6.12 is newer than 6.1. */
  static int compareReleases(String a, String b) {
    return Arrays.compare(numbers(a), numbers(b));
  }

  private static int[] numbers(String release) {
    return Arrays.stream(release.split("\\D+"))
        .filter(part -> !part.isEmpty())
        .mapToInt(part -> Integer.parseInt(part, 0, Math.min(part.length(), 9), 10))
        .toArray();
  }

  /**
   * The kernel in the form that boots fastest: the ELF file from inside the bzImage, which QEMU
   * starts through PVH. Emulated, the kernel's own decompression takes 1.5 s of each boot. What
   * cannot be unpacked boots as it is.
   *
   * @param cache a directory that keeps the file for the next boot
   */
  Path unpacked(Path cache) throws IOException {
    Path elf =
        cache.resolve("vmlinux-" + release + "-" + Files.getLastModifiedTime(image).toMillis());
    if (Files.exists(elf)) {
      return elf;
    }
    Path payload = Files.createTempFile(cache, "payload", ".xz");
    Path unpacked = Files.createTempFile(cache, "vmlinux", "");
    try (RandomAccessFile in = new RandomAccessFile(image.toFile(), "r")) {
      byte[] header = new byte[HEADER_END];
      in.readFully(header);
      ByteBuffer fields = ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN);
      long offset =
          (Byte.toUnsignedInt(header[SETUP_SECTORS]) + 1) * 512L
              + Integer.toUnsignedLong(fields.getInt(PAYLOAD_OFFSET));
      long length = Integer.toUnsignedLong(fields.getInt(PAYLOAD_OFFSET + 4));
      if (offset + length > in.length() || length < XZ_MAGIC.length) {
        return image;
      }
      byte[] compressed = new byte[(int) length];
      in.seek(offset);
      in.readFully(compressed);
      if (!Arrays.equals(compressed, 0, XZ_MAGIC.length, XZ_MAGIC, 0, XZ_MAGIC.length)) {
        return image;
      }
      Files.write(payload, compressed);
      // One stream only: the length of the unpacked data follows it, which xz would call a broken
      // second stream.
      unxz(payload, unpacked, "--single-stream");
      Files.move(unpacked, elf, StandardCopyOption.ATOMIC_MOVE);
      return elf;
    } finally {
      Files.deleteIfExists(payload);
      Files.deleteIfExists(unpacked);
    }
  }

  static void unxz(Path compressed, Path plain, String... options) throws IOException {
    List<String> command = new ArrayList<>(List.of("xz", "-dc"));
    command.addAll(List.of(options));
    command.add(compressed.toString());
    Process xz =
        new ProcessBuilder(command)
            .redirectInput(new File("/dev/null"))
            .redirectOutput(plain.toFile())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try {
      int status = xz.waitFor();
      if (status != 0) {
        throw new IOException("xz could not unpack " + compressed + ": status " + status);
      }
    } catch (InterruptedException e) {
      xz.destroyForcibly();
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while unpacking " + compressed, e);
    }
  }
}
