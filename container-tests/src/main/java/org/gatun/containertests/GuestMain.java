package org.gatun.containertests;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.vfiouser.VfioUserBackend;

/**
 * A guest's program. It says what it can reach, tries what it should not reach, and then drives
 * each device that appears in its grant directory, until that is taken. Each line that it prints is
 * one that a test waits for.
 *
 * <p>Arguments: the grant directory, how many devices there will be, the seed of what is written to
 * disks, and the paths of sockets to try.
 */
public final class GuestMain {
  private static final long POLL_MILLIS = 20;

  private GuestMain() {}

  /** Ends when all devices have come and gone. */
  public static void main(String[] args) throws IOException, InterruptedException {
    Path grants = Path.of(args[0]);
    int devices = Integer.parseInt(args[1]);
    long seed = Long.parseLong(args[2]);
    Surroundings.describe().forEach(GuestMain::say);
    List.of(args).subList(3, args.length).forEach(GuestMain::attempt);
    Map<Path, Thread> driven = new HashMap<>();
    Set<Path> there = Set.of();
    while (driven.size() < devices || !there.isEmpty()) {
      Set<Path> now = sockets(grants);
      if (!now.equals(there)) {
        say("sees " + now);
        there = now;
      }
      for (Path socket : now) {
        driven.computeIfAbsent(
            socket, _ -> Thread.ofPlatform().start(new DrivenDevice(socket, seed)));
      }
      TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
    }
    for (Thread thread : driven.values()) {
      thread.join();
    }
    say("done");
  }

  static void say(String line) {
    System.out.println(line);
  }

  static PciDevice open(Path socket) {
    return new VfioUserBackend().open(new DeviceName(VfioUserBackend.SCHEME, socket.toString()));
  }

  private static void attempt(String socket) {
    try (PciDevice device = open(Path.of(socket))) {
      say("reached " + socket + ": " + device.id());
    } catch (PciException e) {
      say("not reached " + socket + ": " + e.getMessage());
    }
  }

  private static Set<Path> sockets(Path grants) throws IOException {
    Set<Path> sockets = new TreeSet<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(grants, "*.sock")) {
      files.forEach(sockets::add);
    }
    return sockets;
  }
}
