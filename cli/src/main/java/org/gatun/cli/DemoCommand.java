package org.gatun.cli;

import java.io.PrintWriter;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Random;
import java.util.concurrent.Callable;
import org.gatun.driver.edu.EduDevice;
import org.gatun.driver.edu.EduOptions;
import org.gatun.driver.nvme.Completion;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeDisk;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.PciIds;
import org.gatun.simulated.SimulatedBus;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code gatun demo}. */
@Command(
    name = "demo",
    mixinStandardHelpOptions = true,
    description = {
      "Drives a simulated NVMe disk and a simulated edu device: needs no root and no hardware.",
      "Writes 64 MiB of random data to the disk, reads it back and compares."
    })
final class DemoCommand implements Callable<Integer> {
  private static final long MIB = 1 << 20;
  private static final DiskRange RANGE = new DiskRange(0, 64 * MIB);
  private static final int FACTORIAL_OF = 10;
  private static final Duration LOAD = Duration.ofSeconds(1);

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    try (SimulatedBus bus = SimulatedBus.realTime()) {
      DeviceName disk = bus.plug("nvme,size=128M");
      DeviceName edu = bus.plug("edu");
      out.println("A simulated PCI bus:");
      out.println();
      ListCommand.printTable(bus.scan(), PciIds.installed(), out);
      out.println();
      driveEdu(bus, edu, out);
      return driveDisk(bus, disk, out);
    }
  }

  private static void driveEdu(SimulatedBus bus, DeviceName name, PrintWriter out) {
    try (PciDevice device = bus.open(name);
        EduDevice edu = EduDevice.open(device, EduOptions.defaults())) {
      out.printf("%s computes %d! = %d%n%n", name, FACTORIAL_OF, edu.factorial(FACTORIAL_OF));
    }
  }

  private int driveDisk(SimulatedBus bus, DeviceName name, PrintWriter out) {
    Interruption interruption = Gatun.of(spec).interruption;
    try (HeldDevice device = HeldDevice.of(bus.open(name), interruption);
        NvmeController controller = device.openNvme(NvmeOptions.defaults())) {
      out.printf("%s identifies as:%n%n", name);
      NvmeIdentifyCommand.print(controller, out);
      out.println();
      Copy written = copy(device, controller, "write");
      Copy read = copy(device, controller, "read");
      boolean same = written.sha256.equals(read.sha256);
      out.printf("SHA-256 written    %s%n", written.sha256);
      out.printf("SHA-256 read back  %s%n", read.sha256);
      out.printf("%s%n%n", same ? "They are equal." : "THEY DIFFER.");
      if (!same) {
        return ExitCode.FAILED;
      }
      out.printf("64 MiB written at %.0f MiB/s, read at %.0f MiB/s%n", written.rate(), read.rate());
      NvmeLoad load =
          new NvmeLoad(
              device,
              controller,
              controller.namespace(1),
              NvmeWorkload.RANDREAD,
              4096,
              32,
              1,
              Completion.POLL);
      NvmeLoad.Result result = load.run(LOAD);
      out.printf("Random reads of 4 KiB, 32 in flight:%n%n");
      NvmePerfCommand.print(result, out);
      return ExitCode.OK;
    }
  }

  /**
   * What was written or read.
   *
   * @param nanos spent in the driver and the device
   */
  private record Copy(String sha256, long nanos) {
    double rate() {
      return (double) RANGE.length() / MIB / (nanos / 1e9);
    }
  }

  private Copy copy(HeldDevice held, NvmeController controller, String task) {
    boolean writes = task.equals("write");
    Random random = new Random();
    byte[] bytes = new byte[DiskRange.CHUNK];
    long nanos = 0;
    MessageDigest sha256 = sha256();
    try (NvmeDisk disk = controller.openDisk(1);
        DmaBuffer buffer = held.device().dma().allocate(DiskRange.CHUNK, 4096);
        Progress progress = new Progress(spec.commandLine().getErr(), task, RANGE.length())) {
      for (DiskRange chunk : RANGE.chunks()) {
        held.check();
        if (writes) {
          random.nextBytes(bytes);
          buffer.copyIn(0, bytes);
        }
        long start = System.nanoTime();
        if (writes) {
          disk.write(chunk.offset(), buffer, 0, chunk.length());
        } else {
          disk.read(chunk.offset(), buffer, 0, chunk.length());
        }
        nanos += System.nanoTime() - start;
        sha256.update(buffer.segment().asByteBuffer());
        progress.step(chunk.length());
      }
    }
    return new Copy(HexFormat.of().formatHex(sha256.digest()), nanos);
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
