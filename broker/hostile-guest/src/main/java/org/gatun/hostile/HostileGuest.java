package org.gatun.hostile;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.gatun.driver.edu.EduDevice;
import org.gatun.driver.edu.EduOptions;
import org.gatun.driver.nvme.Completion;
import org.gatun.pci.PciDevice;
import org.gatun.pci.spi.Attachment;
import org.gatun.pci.spi.DeviceMatch;
import org.gatun.pci.spi.GuestContext;
import org.gatun.pci.spi.PciGuest;

/** Does what its first argument says. */
public final class HostileGuest implements PciGuest {
  /** For {@link java.util.ServiceLoader}. */
  public HostileGuest() {}

  @Override
  public List<DeviceMatch> matches() {
    return List.of(
        new DeviceMatch.ById(0x1234, 0x11e8), // edu
        new DeviceMatch.ById(0x1b36, 0x0010), // NVMe
        new DeviceMatch.ById(0x1234, 0x5bec)); // the simulated specimen
  }

  @Override
  public Attachment attach(PciDevice device, GuestContext context) {
    CountDownLatch detached = new CountDownLatch(1);
    if (context.arguments().getFirst().equals("never-attached")) {
      hang();
    }
    Thread work = context.threads().newThread(() -> run(device, context, detached));
    work.start();
    return deadline -> {
      detached.countDown();
      try {
        work.join(deadline);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    };
  }

  private static void run(PciDevice device, GuestContext context, CountDownLatch detached) {
    List<String> arguments = context.arguments();
    switch (arguments.getFirst()) {
      case "edu" -> edu(device, context, detached);
      case "disk" -> disk(device, arguments, detached);
      case "watched-disk" -> DiskLoad.watch(device, detached);
      case "flood" -> {
        Flood.run(device);
        awaitDetach(new CountDownLatch(1));
      }
      case "neighbour" -> Neighbour.run(device, context.time(), detached);
      case "pretend" -> pretend(device);
      case "hang" -> hang();
      case "watched" -> watched(context);
      case "stay" -> awaitDetach(new CountDownLatch(1));
      default -> Attempts.run(device, arguments);
    }
  }

  /** Honest work, until the device is wanted back. */
  private static void edu(PciDevice device, GuestContext context, CountDownLatch detached) {
    try (EduDevice edu = EduDevice.open(device, EduOptions.defaults().withTime(context.time()))) {
      System.out.println("factorial " + edu.factorial(10));
      edu.roundTrip(new byte[] {1, 2, 3, 4});
      System.out.println("round trip done");
      awaitDetach(detached);
    }
    System.out.println("let go");
  }

  /** Honest work on a disk: so many reads, or reads and writes until it is wanted back. */
  private static void disk(PciDevice device, List<String> arguments, CountDownLatch detached) {
    if (arguments.size() > 1) {
      DiskLoad.measure(
          device,
          Long.parseLong(arguments.get(1)),
          DiskLoad.DEPTH,
          Completion.POLL,
          () -> awaitDetach(detached));
    } else {
      DiskLoad.run(device, detached);
      System.out.println("let go");
    }
  }

  /** Tells the broker that it has let go of the device, and keeps what is mapped. */
  private static void pretend(PciDevice device) {
    device.close();
    System.out.println("closed");
    awaitDetach(new CountDownLatch(1));
  }

  /** Says that it works, for a while, and then hangs. */
  private static void watched(GuestContext context) {
    for (int i = 0; i < 30; i++) {
      context.alive();
      context.time().sleep(Duration.ofMillis(100));
    }
    hang();
  }

  /** Whatever it is asked for. */
  private static void hang() {
    System.out.println("hanging");
    while (true) {
      Thread.onSpinWait();
    }
  }

  private static void awaitDetach(CountDownLatch detached) {
    try {
      detached.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
