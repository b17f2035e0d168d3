package org.gatun.vfio;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.gatun.pci.PciAddress;
import org.gatun.vfio.KernelFaultLog.Fault;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KernelFaultLogTest {
  private static final PciAddress DEVICE = PciAddress.parse("0000:01:00.0");
  private static final String INTEL =
      "3,812,%d,-;DMAR: [DMA Read NO_PASID] Request device [01:00.0] fault addr 0x7d000 [fault"
          + " reason 0x06] PTE Read access is not set";
  private static final String AMD =
      "3,1,2,-;pci 0000:01:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT device=0000:01:00.0"
          + " domain=0x0003 address=0xfffffff0d000 flags=0x0020]";

  @TempDir Path directory;

  @Test
  void knowsTheLinesOfIntelAndAmd() {
    assertThat(KernelFaultLog.parse(INTEL.formatted(1))).contains(new Fault(DEVICE, 0x7d000));
    assertThat(KernelFaultLog.parse(AMD)).contains(new Fault(DEVICE, 0xffff_fff0_d000L));
    assertThat(KernelFaultLog.parse("6,1,2,-;usb 1-1: new device")).isEmpty();
    assertThat(KernelFaultLog.parse("")).isEmpty();
    assertThat(KernelFaultLog.parse("3,1,2,-;DMAR: Request device [zz] fault addr 0x1")).isEmpty();
  }

  @Test
  void tellsWhatWasWrittenSince() throws IOException, InterruptedException {
    Path uptime = Files.writeString(directory.resolve("uptime"), "1.5 2.0\n");
    String log =
        String.join(
            "\n",
            INTEL.formatted(1_499_999),
            INTEL.formatted(1_500_000).replace("0x7d000", "0x1000"),
            "nonsense",
            INTEL.formatted(1_500_001).replace("01:00.0", "02:00.0"),
            INTEL.formatted(1_500_002).replace("0x7d000", "0x2000"),
            "");
    LinkedBlockingQueue<Long> heard = new LinkedBlockingQueue<>();

    new KernelFaultLog(Files.writeString(directory.resolve("log"), log), uptime)
        .listen(DEVICE, heard::add);

    assertThat(heard.poll(10, TimeUnit.SECONDS)).isEqualTo(0x1000);
    assertThat(heard.poll(10, TimeUnit.SECONDS)).isEqualTo(0x2000);
  }
}
