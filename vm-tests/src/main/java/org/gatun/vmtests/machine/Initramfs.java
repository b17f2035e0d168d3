package org.gatun.vmtests.machine;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;

/** The first root file system: just enough to mount the host's over 9p. */
final class Initramfs {
  private static final List<String> MODULES =
      List.of("virtio_pci", "9pnet_virtio", "9p", "overlay");

  private Initramfs() {}

  static byte[] build(Kernel kernel, Path busybox) throws IOException {
    CpioArchive archive = new CpioArchive();
    for (String directory : List.of("bin", "dev", "proc", "modules", "lower", "upper", "root")) {
      archive.directory(directory);
    }
    archive
        .characterDevice("dev/console", 5, 1)
        .file("bin/busybox", 0755, Files.readAllBytes(busybox))
        .file("init", 0755, initScript());
    StringBuilder order = new StringBuilder();
    for (Path module : new KernelModules(kernel.modules()).inLoadOrder(MODULES)) {
      String name = module.getFileName().toString().replaceFirst("\\.xz$", "");
      archive.file("modules/" + name, 0644, content(module));
      order.append(name).append('\n');
    }
    archive.file("modules/order", 0644, order.toString().getBytes(StandardCharsets.UTF_8));
    return archive.toByteArray();
  }

  private static byte[] initScript() throws IOException {
    try (InputStream in = Initramfs.class.getResourceAsStream("init")) {
      return Objects.requireNonNull(in, "the resource init").readAllBytes();
    }
  }

  private static byte[] content(Path module) throws IOException {
    if (!module.toString().endsWith(".xz")) {
      return Files.readAllBytes(module);
    }
    Path plain = Files.createTempFile("module", ".ko");
    try {
      Kernel.unxz(module, plain);
      return Files.readAllBytes(plain);
    } finally {
      Files.delete(plain);
    }
  }
}
