package org.gatun.vmtests.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KernelTest {
  @TempDir Path root;

  @BeforeEach
  void directories() throws IOException {
    Files.createDirectories(root.resolve("boot"));
  }

  @Test
  void takesTheNewestByNumberThatHasItsModules() throws IOException {
    kernel("6.1.0-56-amd64", "", "");
    kernel("6.12.9-amd64", "", "");
    kernel("6.12.10-amd64", "", "");
    Files.createFile(root.resolve("boot/vmlinuz-7.2.0-amd64"));

    assertThat(Kernel.newest(root)).map(Kernel::release).contains("6.12.10-amd64");
  }

  @Test
  void findsNoneWhereThereIsNone() throws IOException {
    assertThat(Kernel.newest(root)).isEmpty();
    assertThat(Kernel.newest(root.resolve("boot"))).isEmpty();
  }

  @Test
  void loadsModulesAfterWhatTheyNeedEachOnce() throws IOException {
    Kernel kernel =
        kernel(
            "1",
            """
            net/9pnet_virtio.ko: net/9pnet.ko virtio/virtio.ko virtio/virtio_ring.ko
            virtio/virtio_ring.ko:
            virtio/virtio.ko: virtio/virtio_ring.ko
            fs/9p.ko: net/9pnet.ko
            net/9pnet.ko:
            """,
            "kernel/virtio-pci.ko\n");

    List<Path> order =
        new KernelModules(kernel.modules())
            .inLoadOrder(List.of("virtio_pci", "9pnet_virtio", "9p"));

    assertThat(order)
        .extracting(file -> file.getFileName().toString())
        .containsExactly("virtio_ring.ko", "virtio.ko", "9pnet.ko", "9pnet_virtio.ko", "9p.ko");
  }

  @Test
  void refusesAModuleThatIsNowhere() throws IOException {
    KernelModules modules = new KernelModules(kernel("1", "fs/9p.ko:\n", "").modules());

    assertThatThrownBy(() -> modules.inLoadOrder(List.of("9p", "overlay")))
        .hasMessageContaining("overlay")
        .hasMessageContaining("lib/modules/1");
  }

  @Test
  void unpacksCompressedModules() throws Exception {
    String dependencies = "virtio_pci.ko:\n9pnet_virtio.ko:\n9p.ko:\noverlay.ko:\n";
    Kernel plain = kernel("1", dependencies, "");
    Kernel compressed = kernel("2", dependencies.replace(".ko", ".ko.xz"), "");
    for (String line : dependencies.lines().toList()) {
      String name = line.replace(":", "");
      Files.writeString(plain.modules().resolve(name), "content of " + name);
      Files.copy(plain.modules().resolve(name), compressed.modules().resolve(name));
      Path file = compressed.modules().resolve(name);
      assertThat(new ProcessBuilder("xz", file.toString()).start().waitFor()).isZero();
    }
    Path busybox = Files.writeString(root.resolve("busybox"), "a program");

    assertThat(Initramfs.build(compressed, busybox)).isEqualTo(Initramfs.build(plain, busybox));
  }

  @Test
  void bootsAnImageAsItIsIfItCannotBeUnpacked() throws IOException {
    Kernel kernel = kernel("1", "", "");
    Files.write(kernel.image(), new byte[4096]);

    assertThat(kernel.unpacked(root)).isEqualTo(kernel.image());
  }

  private Kernel kernel(String release, String dependencies, String builtIn) throws IOException {
    Path modules = root.resolve("lib/modules").resolve(release);
    Files.createDirectories(modules);
    Files.writeString(modules.resolve("modules.dep"), dependencies);
    Files.writeString(modules.resolve("modules.builtin"), builtIn);
    Path image = Files.createFile(root.resolve("boot").resolve("vmlinuz-" + release));
    return new Kernel(release, image, modules);
  }
}
