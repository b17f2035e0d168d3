package org.example.demoguest;

import java.time.Duration;
import java.util.List;
import org.gatun.pci.PciDevice;
import org.gatun.pci.spi.Attachment;
import org.gatun.pci.spi.DeviceMatch;
import org.gatun.pci.spi.GuestContext;
import org.gatun.pci.spi.PciGuest;
import org.gatun.specs.nvme.NvmeRegisters;

/** What a broker finds in the module: it hands over a device, and wants it back some time. */
public final class DemoGuest implements PciGuest {
  private static final int WHOLE_CLASS = 0xff_ffff;

  @Override
  public List<DeviceMatch> matches() {
    // Any NVMe controller, whoever made it.
    return List.of(new DeviceMatch.ByClass(NvmeRegisters.CLASS_CODE, WHOLE_CLASS));
  }

  @Override
  public Attachment attach(PciDevice device, GuestContext context) {
    // It destroys what is on the disk, so it wants to be told to. What it throws ends its start.
    if (!context.arguments().equals(List.of("overwrite"))) {
      throw new IllegalArgumentException(
          "this overwrites the first 64 MiB of the disk: pass the argument 'overwrite' if it may");
    }
    DiskCheck check = new DiskCheck(device, context.time());
    // Attaching returns soon; the work goes to a thread. When all of the context's threads have
    // ended, the guest is done; what one of them throws is its failure, and its exit status 1.
    Thread thread = context.threads().newThread(check);
    thread.start();
    return deadline -> letGo(check, thread, deadline);
  }

  /** Called in the end, too, when the thread has ended already. */
  private static void letGo(DiskCheck check, Thread thread, Duration deadline) {
    check.stop();
    try {
      thread.join(deadline);
    } catch (InterruptedException e) {
      thread.interrupt();
      Thread.currentThread().interrupt();
    }
  }
}
