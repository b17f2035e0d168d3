package org.example.demoguest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ThreadFactory;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.pci.spi.Attachment;
import org.gatun.pci.spi.GuestContext;
import org.gatun.pci.spi.HostedGuest;
import org.gatun.simulated.SimulatedBus;
import org.gatun.testkit.Device;
import org.gatun.testkit.SimulatedPci;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The guest as a host runs it, on a simulated disk. It works on a thread: so time is real. */
@SimulatedPci(time = SimulatedPci.Time.REAL)
@Timeout(60)
class DemoGuestTest {
  private static final List<String> OVERWRITE = List.of("overwrite");

  private final PrintStream standardOutput = System.out;
  private final ByteArrayOutputStream printed = new ByteArrayOutputStream();

  @BeforeEach
  void capture() {
    System.setOut(new PrintStream(printed, true));
  }

  @AfterEach
  void release() {
    System.setOut(standardOutput);
  }

  private static HostedGuest attach(PciDevice device, List<String> arguments) {
    return HostedGuest.attach(new DemoGuest(), "demo", device, arguments);
  }

  @Test
  void comparesAndMeasures(@Device("nvme,size=64M") PciDevice disk) throws Exception {
    try (HostedGuest guest = attach(disk, OVERWRITE)) {
      assertTrue(guest.awaitEnd(Duration.ofSeconds(60)));
      assertEquals(Optional.empty(), guest.failure());
    }
    String text = printed.toString();
    assertTrue(text.contains("64 MiB, in blocks of 512 bytes"), text);
    assertTrue(text.contains("They are equal."), text);
    assertTrue(text.contains("latency p99.9"), text);
  }

  @Test
  void findsOutThatADiskLies(@TempDir Path folder, SimulatedBus bus) throws Exception {
    Path file = folder.resolve("disk");
    try (RandomAccessFile image = new RandomAccessFile(file.toFile(), "rw")) {
      image.setLength(64 << 20);
    }
    PciDevice disk = bus.open(bus.plug("nvme,size=64M,file=" + file));
    try (HostedGuest guest = attach(disk, OVERWRITE)) {
      while (!guest.awaitEnd(Duration.ofMillis(1))) {
        changeSomeBytes(file);
      }
      assertTrue(guest.failure().orElseThrow().getMessage().contains("is not what was written"));
    }
    assertFalse(printed.toString().contains("They are equal."));
  }

  /** Behind the disk's back; several, of which one may happen to be what it was. */
  private static void changeSomeBytes(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.allocate(Long.BYTES).putLong(System.nanoTime()).flip(), 0);
    }
  }

  /** What a guest's host gives it. */
  private record Context(List<String> arguments, TimeSource time, ThreadFactory threads)
      implements GuestContext {
    @Override
    public System.Logger logger() {
      return System.getLogger("demo");
    }

    @Override
    public void alive() {
      // There is no watchdog.
    }
  }

  @Test
  void letsGoInTheMiddle(@Device("nvme,size=64M,latency=10ms") PciDevice disk, TimeSource time)
      throws Exception {
    Attachment attachment = new DemoGuest().attach(disk, new Context(OVERWRITE, time, Thread::new));
    while (!printed.toString().contains("in blocks of")) {
      Thread.sleep(1);
    }
    attachment.detach(Duration.ofSeconds(60));
    String text = printed.toString();
    assertTrue(text.contains("wanted back before all is done"), text);
    assertFalse(text.contains("p99"), text);
  }

  @Test
  void destroysNothingUnasked(@Device("nvme,size=64M") PciDevice disk) {
    assertThrows(IllegalArgumentException.class, () -> attach(disk, List.of()));
  }

  @Test
  void wantsADisk(@Device("edu") PciDevice edu) {
    assertThrows(IllegalArgumentException.class, () -> attach(edu, OVERWRITE));
  }
}
