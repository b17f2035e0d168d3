package org.gatun.vfio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.io.FileInputStream;
import java.io.InputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.gatun.nativeaccess.Access;
import org.gatun.nativeaccess.Fd;
import org.gatun.pci.DeviceName;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.vfio.common.CommandRegister;
import org.gatun.vfio.common.Vfio;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UioIrqsTest {
  private static final DeviceName DEVICE = new DeviceName("sysfs", "0000:01:00.0");

  /** Linux {@code fs/pipe.c}: 16 pages. */
  private static final int PIPE_CAPACITY = 16 * 4096;

  private static final Duration GENEROUS = Duration.ofSeconds(60);

  @Test
  void aDescriptorThatBlocksDoesNotHoldUpDisabling(@TempDir Path directory) throws Exception {
    Path fifo = directory.resolve("fifo");
    assertThat(new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor()).isZero();
    Command config = new Command();
    // A node that has counted an interrupt whenever it is asked.
    try (Fd node = Fd.open(Path.of("/dev/zero"), Access.READ);
        Fd event = Fd.open(fifo, Access.READ_WRITE);
        InputStream reader = new FileInputStream(fifo.toFile())) {
      UioIrqs irqs = new UioIrqs(DEVICE, Optional.of(node), new CommandRegister(config, List.of()));
      irqs.connect(Vfio.PCI_INTX_IRQ_INDEX, 0, List.of(event));
      try {
        assertTimeoutPreemptively(
            GENEROUS,
            () -> {
              while (reader.available() < PIPE_CAPACITY) {
                Thread.onSpinWait();
              }
              irqs.disable(Vfio.PCI_INTX_IRQ_INDEX);
            });
        assertThat(config.command & ConfigRegisters.COMMAND_INTX_DISABLE).isNotZero();
      } finally {
        reader.readNBytes(PIPE_CAPACITY);
      }
    }
  }

  private static final class Command implements ConfigSpace {
    volatile int command;

    @Override
    public int size() {
      return 64;
    }

    @Override
    public int read(int offset, int width) {
      return offset == ConfigRegisters.COMMAND ? command : 0;
    }

    @Override
    public void write(int offset, int width, int value) {
      command = value;
    }
  }
}
