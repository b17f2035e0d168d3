package org.gatun.broker.launcher;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.gatun.nativeaccess.Access;
import org.gatun.nativeaccess.Errno;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.Mapping;
import org.gatun.nativeaccess.ProcessControl;
import org.gatun.nativeaccess.SyscallFilter;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.pci.PciDevice;
import org.gatun.pci.spi.HostedGuest;
import org.gatun.pci.spi.PciGuest;
import org.gatun.vfiouser.Inherited;
import org.gatun.vfiouser.Inherited.MappedRange;
import org.gatun.vfiouser.VfioUserBackend;

/**
 * The second program of a guest's process, whose every thread stage 1 has confined. It takes what
 * the guest gets of its device, closes the descriptors by which more could be had, has the last
 * locks closed, and only when the broker has seen that, looks at the guest's files.
 */
public final class Stage2 {
  /** How the process inherits the control socket. */
  private static final int CONTROL = ProcessControl.INHERITED;

  /** A watchdog allows some of these at least. */
  private static final Duration HEARTBEAT = Duration.ofMillis(500);

  private Stage2() {}

  /** Runs the guest; its failure is the exit status. */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    Control control = new Control(UnixSocket.of(Fd.inherited(CONTROL, "control socket")));
    control.send(Step.READY);
    Control.Received received = control.receive(UnixSocket.MAX_DESCRIPTORS);
    Assignment assignment = Assignment.decode(received.message());
    if (received.descriptors().size() != assignment.descriptors()) {
      throw new IOException(
          "%d descriptors came, not %d"
              .formatted(received.descriptors().size(), assignment.descriptors()));
    }
    UnixSocket device = UnixSocket.of(received.descriptors().getFirst());
    Inherited inherited = map(assignment, received.descriptors());
    lock(assignment);
    control.send(Step.LOCKED);
    control.await(Step.GO);
    System.exit(run(assignment, control, device, inherited));
  }

  /** Keeps the mappings, and of the descriptors only those by which nothing else can be had. */
  private static Inherited map(Assignment assignment, List<Fd> descriptors) {
    List<Fd> events = List.copyOf(descriptors.subList(2, 2 + assignment.events()));
    List<Fd> files = descriptors.subList(2 + assignment.events(), descriptors.size());
    Mapping memory;
    try (Fd file = descriptors.get(1)) {
      memory = Mapping.map(file, 0, assignment.memorySize(), Access.READ_WRITE);
    }
    List<MappedRange> registers = new ArrayList<>();
    for (int i = 0; i < files.size(); i++) {
      Assignment.Range range = assignment.ranges().get(i);
      try (Fd file = files.get(i)) {
        registers.add(
            new MappedRange(
                range.bar(),
                range.offset(),
                Mapping.map(file, range.fileOffset(), range.length(), Access.READ_WRITE)));
      }
    }
    return new Inherited(registers, assignment.busAddress(), memory, events);
  }

  private static void lock(Assignment assignment) {
    if (assignment.locks().contains(Lock.LANDLOCK) && canWriteToNull()) {
      fail(Lock.LANDLOCK, new IllegalStateException("it is not in force"));
    }
    if (assignment.locks().contains(Lock.USER)) {
      ProcessControl.undumpable();
    }
    if (assignment.locks().contains(Lock.SYSCALLS)) {
      try {
        SyscallFilter.install();
      } catch (LinuxException e) {
        fail(Lock.SYSCALLS, e);
      }
    }
  }

  /** What anybody can whom only Landlock forbids it. The kernel shows it nowhere. */
  private static boolean canWriteToNull() {
    try (Fd _ = Fd.open(Path.of("/dev/null"), Access.READ_WRITE)) {
      return true;
    } catch (LinuxException e) {
      return e.errno() != Errno.EACCES;
    }
  }

  private static void fail(Lock lock, Exception reason) {
    System.err.println(new LockUnavailableException(lock, reason).getMessage());
    System.exit(1);
  }

  private static int run(
      Assignment assignment, Control control, UnixSocket socket, Inherited inherited)
      throws InterruptedException {
    PciGuest guest = GuestLayer.load(assignment.modulePath(), assignment.module());
    PciDevice device = new VfioUserBackend().open(assignment.device(), socket, inherited);
    HostedGuest hosted =
        HostedGuest.attach(guest, assignment.guest(), device, assignment.arguments());
    control.send(Step.ATTACHED);
    try (hosted) {
      while (!hosted.awaitEnd(HEARTBEAT)) {
        if (!assignment.watchdog() || hosted.wasAlive()) {
          control.send(Step.ALIVE);
        }
      }
    }
    Optional<Throwable> failure = hosted.failure();
    failure.ifPresent(
        e -> System.err.println("guest %s failed: %s".formatted(assignment.guest(), e)));
    return failure.isPresent() ? 1 : 0;
  }
}
