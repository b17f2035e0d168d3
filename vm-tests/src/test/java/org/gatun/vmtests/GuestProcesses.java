package org.gatun.vmtests;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** The processes of guests in the machine, whoever started them. */
final class GuestProcesses {
  private GuestProcesses() {}

  /** Those, of whatever broker, that are to become a guest's or have. */
  static List<Long> all() {
    return ProcessHandle.allProcesses()
        .map(ProcessHandle::pid)
        .filter(GuestProcesses::isLaunched)
        .filter(GuestProcesses::isAlive)
        .toList();
  }

  private static boolean isLaunched(long process) {
    String command = text(process, "cmdline");
    return command.contains("org.gatun.broker.launcher/")
        && !command.toLowerCase(Locale.ROOT).contains("rehearsal");
  }

  /** One that has ended, and whose new parent has not asked how, has nothing any more. */
  static boolean isAlive(long process) {
    String stat = text(process, "stat");
    return !stat.isEmpty() && stat.charAt(stat.lastIndexOf(')') + 2) != 'Z';
  }

  /** Nothing, of a process that has ended. */
  private static String text(long process, String file) {
    try {
      return Files.readString(Path.of("/proc", Long.toString(process), file));
    } catch (IOException _) {
      return "";
    }
  }
}
