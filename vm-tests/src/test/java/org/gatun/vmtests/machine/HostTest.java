package org.gatun.vmtests.machine;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.junit.jupiter.api.Test;

class HostTest {
  @Test
  void namesWhatIsMissingAndTheLineThatInstallsIt() {
    Map<String, String> bare =
        Map.of("PATH", "/nowhere", "GATUN_KERNEL", "/nowhere/boot/vmlinuz-1");

    assertThatThrownBy(() -> Host.find(bare))
        .isInstanceOf(HostLacksException.class)
        .hasMessageContaining("qemu-system-x86_64")
        .hasMessageContaining("busybox")
        .hasMessageContaining("/nowhere/boot/vmlinuz-1")
        .hasMessageContaining("apt-get install qemu-system-x86 linux-image-amd64 busybox-static");
  }

  @Test
  void namesTheQemuThatHasVfioUserAndTheLineThatInstallsIt() {
    Map<String, String> bare = Map.of("PATH", "/nowhere", "GATUN_QEMU_ROOT", "/nowhere/qemu");

    assertThatThrownBy(() -> Host.findWithVfioUser(bare))
        .isInstanceOf(HostLacksException.class)
        .hasMessageContaining("/nowhere/qemu/qemu-system-x86_64")
        .hasMessageContaining("busybox")
        .hasMessageContaining(".ci/install-qemu-vfio-user and apt-get install");
  }
}
