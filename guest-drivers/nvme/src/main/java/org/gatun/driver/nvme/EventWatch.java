package org.gatun.driver.nvme;

import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.IntPredicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.gatun.specs.nvme.AsynchronousEvent;
import org.gatun.specs.nvme.Features;
import org.gatun.specs.nvme.LogPage;
import org.gatun.specs.nvme.NamespaceList;
import org.gatun.specs.nvme.SubmissionEntry;
import org.jspecify.annotations.Nullable;

/**
 * The asynchronous events of a controller (Base 5.2): asks for them, reads the log page of each, so
 * that the controller tells of the next, and keeps them for who wants to know. Guarded by the
 * controller's lock, but for {@link #isDue}.
 *
 * <p>A controller that tells of events without end costs a bounded number of commands each time
 * that somebody looks: it is asked for more only after those it told of were looked into.
 */
final class EventWatch {
  private static final System.Logger LOGGER = System.getLogger("org.gatun.driver.nvme");

  /** Events that nobody fetches are forgotten from this number on, oldest first. */
  private static final int KEPT = 64;

  /** Queue pairs look into events no more often than that. */
  private static final long INTERVAL_NANOS = Duration.ofMillis(100).toNanos();

  /** Enough of a page to clear its event. */
  private static final int LEAST = 4;

  /** Critical warnings: spare, temperature, reliability, read only, memory backup (5.27.1.8). */
  private static final int WARNINGS = 0x1f;

  private static final int NOTICES =
      Features.EVENT_NAMESPACE_ATTRIBUTE
          | Features.EVENT_FIRMWARE_ACTIVATION
          | Features.EVENT_TELEMETRY_LOG;

  private final NvmeController controller;
  private final AdminQueue admin;
  private final ArrayDeque<NvmeEvent> kept = new ArrayDeque<>();

  /** Whether anybody wants events. */
  private volatile boolean begun;

  /** Whether namespaces may have changed without an event: it is lost in a reset. */
  private volatile boolean blind;

  private volatile long nextLook;

  EventWatch(NvmeController controller, AdminQueue admin) {
    this.controller = controller;
    this.admin = admin;
  }

  /** Whether there is something for {@link #attend}. Without the lock. */
  boolean isDue(long now) {
    return begun && (admin.isCompletionThere() || isLookDue(now));
  }

  private boolean isLookDue(long now) {
    return now - nextLook >= 0 && (blind || admin.hasEvents());
  }

  /** For queue pairs: takes events at once, and looks into them now and then. */
  void attend(long now) {
    controller.runAdmin(admin::lookForEvents);
    if (isLookDue(now)) {
      look(now);
    }
  }

  /**
   * Asks for events, unless it has before; looks into those that there are, and asks for as many
   * more.
   */
  void look(long now) {
    nextLook = now + INTERVAL_NANOS;
    if (!begun) {
      controller.runAdmin(this::begin);
    }
    controller.runAdmin(admin::lookForEvents);
    for (int dword0 : admin.fetchEvents()) {
      keep(lookInto(dword0));
    }
    if (blind) {
      keep(changes(_ -> true));
      blind = false;
    }
    controller.runAdmin(this::request);
  }

  /** The controller was reset: it has forgotten that it was asked, and what it had to tell. */
  void renew() {
    if (begun) {
      begin();
    }
  }

  private void begin() {
    int notices = controller.identity().oaes() & NOTICES;
    try {
      admin.setFeature(Features.ASYNCHRONOUS_EVENT_CONFIGURATION, notices | WARNINGS);
    } catch (NvmeStatusException e) {
      // It has the events of its own choice.
      LOGGER.log(Level.DEBUG, e.getMessage());
    }
    request();
    blind = begun;
    begun = true;
  }

  private void request() {
    admin.requestEvents(controller.identity().asynchronousEventRequestLimit() + 1);
  }

  /** The oldest event that was not fetched. */
  @Nullable NvmeEvent poll() {
    return kept.poll();
  }

  int size() {
    return kept.size();
  }

  private void keep(NvmeEvent event) {
    if (kept.size() == KEPT) {
      kept.remove();
    }
    kept.add(event);
  }

  private NvmeEvent lookInto(int dword0) {
    int type = AsynchronousEvent.type(dword0);
    int information = AsynchronousEvent.information(dword0);
    int logPage = AsynchronousEvent.logPage(dword0);
    NvmeLogs logs = controller.logs();
    try {
      // What it is about, by the page that tells more: a page that does not fit the type is read
      // all the same, so as to clear the event, and means nothing.
      return switch (type << 8 | logPage) {
        case AsynchronousEvent.TYPE_ERROR << 8 | LogPage.ERROR_INFORMATION ->
            new NvmeEvent.ControllerError(information, logs.errors());
        case AsynchronousEvent.TYPE_SMART << 8 | LogPage.SMART ->
            new NvmeEvent.Health(information, logs.smart());
        case AsynchronousEvent.TYPE_NOTICE << 8 | LogPage.CHANGED_NAMESPACE_LIST ->
            namespacesChanged(logs);
        case AsynchronousEvent.TYPE_NOTICE << 8 | LogPage.FIRMWARE_SLOT ->
            new NvmeEvent.FirmwareActivation(logs.firmwareSlots());
        case AsynchronousEvent.TYPE_IO_COMMAND_SPECIFIC << 8 | LogPage.SANITIZE_STATUS ->
            new NvmeEvent.SanitizeEnded(logs.sanitizeStatus());
        default -> {
          logs.read(logPage, SubmissionEntry.NSID_ALL, 0, LEAST);
          yield new NvmeEvent.Other(type, information, logPage);
        }
      };
    } catch (NvmeStatusException e) {
      LOGGER.log(Level.WARNING, e.getMessage());
      return new NvmeEvent.Other(type, information, logPage);
    }
  }

  private NvmeEvent namespacesChanged(NvmeLogs logs) {
    NamespaceList list =
        new NamespaceList(
            logs.read(
                LogPage.CHANGED_NAMESPACE_LIST, SubmissionEntry.NSID_ALL, 0, NamespaceList.SIZE));
    Set<Integer> named =
        IntStream.range(0, list.count())
            .mapToObj(list::namespaceId)
            .collect(Collectors.toUnmodifiableSet());
    // More than have room are told as "any" (Base 5.16.1.5).
    boolean any = named.contains(SubmissionEntry.NSID_ALL);
    return changes(id -> any || named.contains(id));
  }

  /** Looks at the namespaces again. */
  private NvmeEvent changes(IntPredicate mayHaveChanged) {
    Set<Integer> before = controller.current().ids();
    Set<Integer> after = controller.lookAtNamespaces(mayHaveChanged).ids();
    Set<Integer> appeared = new TreeSet<>(after);
    appeared.removeAll(before);
    Set<Integer> vanished = new TreeSet<>(before);
    vanished.removeAll(after);
    Set<Integer> changed =
        after.stream()
            .filter(id -> before.contains(id) && mayHaveChanged.test(id))
            .collect(Collectors.toUnmodifiableSet());
    return new NvmeEvent.NamespacesChanged(appeared, vanished, changed);
  }
}
