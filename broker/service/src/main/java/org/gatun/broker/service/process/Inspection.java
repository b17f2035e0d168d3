package org.gatun.broker.service.process;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.gatun.broker.launcher.Lock;
import org.gatun.broker.launcher.Plan;

/**
 * The broker's own look at a process that says that it is locked: what the launcher did is not
 * believed but seen. Landlock the kernel does not show; stage 2 proves it by a forbidden file.
 */
final class Inspection {
  private static final List<String> NAMESPACES = List.of("mnt", "net", "ipc", "uts", "cgroup");
  private static final List<String> CAPABILITIES =
      List.of("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb");

  /** What a process needs three of: its own input, output, and errors. */
  private static final Pattern STANDARD = Pattern.compile("/dev/null|pipe:\\[\\d+]");

  /** {@code SECCOMP_MODE_FILTER}. */
  private static final String FILTERED = "2";

  private final Plan plan;
  private final ProcFiles process;
  private final List<String> problems = new ArrayList<>();

  private Inspection(Plan plan, ProcFiles process) {
    this.plan = plan;
    this.process = process;
  }

  /**
   * Looks at a process.
   *
   * @param events how many eventfds it was given
   * @param group that it is to be in, alone
   * @return what is not as it was asked for; empty if all is
   */
  static List<String> problems(
      Plan plan, ProcFiles process, int events, Optional<ControlGroup> group) throws IOException {
    Inspection inspection = new Inspection(plan, process);
    if (group.isPresent() && !group.get().processes().equals(List.of(process.pid()))) {
      inspection.problems.add(
          "in its control group are " + group.get().processes() + ", not it alone");
    }
    inspection.lookAtThreads();
    inspection.lookAtNamespaces();
    inspection.lookAtDescriptors(events);
    return inspection.problems;
  }

  private void lookAtThreads() throws IOException {
    Map<Long, Map<String, String>> threads = process.threads();
    if (threads.isEmpty()) {
      problems.add("it has ended");
    }
    threads.forEach(
        (thread, status) -> {
          expect(thread, status, "NoNewPrivs", "1");
          if (plan.locks().contains(Lock.SYSCALLS)) {
            expect(thread, status, "Seccomp", FILTERED);
          }
          if (plan.locks().contains(Lock.USER)) {
            String four = "%1$d\t%1$d\t%1$d\t%1$d".formatted(plan.user());
            expect(thread, status, "Uid", four);
            expect(thread, status, "Gid", four);
            expect(thread, status, "Groups", "");
            CAPABILITIES.forEach(set -> expect(thread, status, set, "0".repeat(16)));
          }
        });
  }

  private void expect(long thread, Map<String, String> status, String field, String value) {
    String found = status.get(field);
    if (!value.equals(found)) {
      problems.add("thread %d has %s %s, not %s".formatted(thread, field, found, value));
    }
  }

  private void lookAtNamespaces() throws IOException {
    if (plan.locks().contains(Lock.NAMESPACES)) {
      ProcFiles own = new ProcFiles(ProcessHandle.current().pid());
      for (String kind : NAMESPACES) {
        if (process.namespace(kind).equals(own.namespace(kind))) {
          problems.add("its namespace " + kind + " is the broker's");
        }
      }
    }
  }

  /** Nothing by which a device could be reached, or another process. */
  private void lookAtDescriptors(int events) throws IOException {
    int sockets = 0;
    int eventFds = 0;
    for (Map.Entry<Integer, String> descriptor : process.descriptors().entrySet()) {
      String target = descriptor.getValue();
      if (target.startsWith("socket:")) {
        sockets++;
      } else if (target.equals("anon_inode:[eventfd]")) {
        eventFds++;
      } else if (!(descriptor.getKey() <= 2 && STANDARD.matcher(target).matches())
          && !isOurFile(target)) {
        problems.add("descriptor %d is %s".formatted(descriptor.getKey(), target));
      }
    }
    if (sockets != 2 || eventFds != events) {
      problems.add(
          "it has %d sockets and %d eventfds, not 2 and %d".formatted(sockets, eventFds, events));
    }
  }

  private boolean isOurFile(String target) {
    return target.startsWith(plan.jdkInside() + "/")
        || plan.launcherPathInside().stream()
            .map(Object::toString)
            .anyMatch(path -> target.equals(path) || target.startsWith(path + "/"));
  }
}
